import Agent
import NIOCore
import NIOHTTP1
import NIOPosix

@testable import Server

/// One request over a link, without a client that waits for it.
struct LinkProbe {
    private let link: LeaderLink

    init(_ link: LeaderLink) { self.link = link }

    func outcome(_ place: LeaderPlace) async throws -> LeaderLink.Outcome {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let request = ServerRequest(
            HTTPRequestHead(version: .http1_1, method: .GET, uri: "/api/v1/repositories/shop/builds"), body: [])
        let outcome = await link.send(request, to: place, on: group.next(), StatusOnly(group.next()))
        try await group.shutdownGracefully()
        return outcome
    }
}
