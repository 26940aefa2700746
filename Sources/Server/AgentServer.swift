package import Agent
import NIOCore
import NIOHTTP1
import NIOPosix

/// Answers for the agent over HTTP/1.1: on an address, where tokens decide who may read and who may make it work, and on the Unix socket
/// in its state directory, where its own user may do both.
package struct AgentServer: Sendable {
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup
    private let load: ServerLoad
    private let answers: any RequestAnswering

    /// Listens on an address.
    ///
    /// - Parameters:
    ///   - address: `HOST:PORT`; port 0 takes a free one.
    ///   - access: who may ask for what; `nil`: everybody may read, and nobody else comes in.
    ///   - takesWebhooks: whether webhooks are taken here, beside everything else.
    ///   - tls: the certificate that is shown; `nil`: HTTP without TLS.
    package static func start(
        address: String, control: any AgentControl, access: APIAccess? = nil, takesWebhooks: Bool = false,
        tls: ServerTLS? = nil, limits: ServerLimits = ServerLimits()
    ) async throws(AgentError) -> AgentServer {
        let api = AgentAPI(
            control: control, access: access ?? APIAccess(address: address), heartbeat: limits.heartbeat,
            webhooks: takesWebhooks ? .beside : .none)
        return try await start(address, "listen", api, tls, limits)
    }

    /// The same for one of several replicas.
    package static func start(
        address: String, replica: Replica, access: APIAccess? = nil, takesWebhooks: Bool = false,
        tls: ServerTLS? = nil, limits: ServerLimits = ServerLimits()
    ) async throws(AgentError) -> AgentServer {
        let api = ReplicaAPI(
            replica, access: access ?? APIAccess(address: address), heartbeat: limits.heartbeat,
            webhooks: takesWebhooks ? .beside : .none, tls: tls)
        return try await start(address, "listen", api, tls, limits)
    }

    /// Listens on an address for webhooks and nothing else, so that it can face strangers.
    ///
    /// - Parameter address: `HOST:PORT`; port 0 takes a free one.
    package static func startWebhooks(
        address: String, control: any AgentControl, tls: ServerTLS? = nil, limits: ServerLimits = .webhooks
    ) async throws(AgentError) -> AgentServer {
        let api = AgentAPI(
            control: control, access: APIAccess(address: address), heartbeat: limits.heartbeat, webhooks: .alone)
        return try await start(address, "webhooks.listen", api, tls, limits)
    }

    /// The same for one of several replicas.
    package static func startWebhooks(
        address: String, replica: Replica, tls: ServerTLS? = nil, limits: ServerLimits = .webhooks
    ) async throws(AgentError) -> AgentServer {
        let api = ReplicaAPI(
            replica, access: APIAccess(address: address), heartbeat: limits.heartbeat, webhooks: .alone, tls: tls)
        return try await start(address, "webhooks.listen", api, tls, limits)
    }

    /// - Parameter key: what says the address.
    private static func start(
        _ address: String, _ key: String, _ api: any RequestAnswering, _ tls: ServerTLS?, _ limits: ServerLimits
    ) async throws(AgentError) -> AgentServer {
        let place = try ListenAddress(address)
        do {
            return try await start(api, tls, limits) { try await $0.bind(host: place.host, port: place.port).get() }
        } catch {
            throw AgentError(
                "cannot listen on \(address)", place: key, cause: "\(error)",
                hint: "another process may hold the port; choose another one")
        }
    }

    /// Listens on the agent's socket, and shows it.
    package static func start(
        socket: AgentSocket, control: any AgentControl, limits: ServerLimits = ServerLimits()
    ) async throws(AgentError) -> AgentServer {
        try await start(socket: socket, AgentAPI(control: control, access: nil, heartbeat: limits.heartbeat), limits)
    }

    /// The same for one of several replicas.
    package static func start(
        socket: AgentSocket, replica: Replica, limits: ServerLimits = ServerLimits()
    ) async throws(AgentError) -> AgentServer {
        let api = ReplicaAPI(replica, access: nil, heartbeat: limits.heartbeat, webhooks: .none, tls: nil)
        return try await start(socket: socket, api, limits)
    }

    private static func start(
        socket: AgentSocket, _ api: any RequestAnswering, _ limits: ServerLimits
    ) async throws(AgentError) -> AgentServer {
        do {
            let server = try await start(api, nil, limits) { try await $0.withBoundSocket(socket.descriptor).get() }
            try socket.publish()
            return server
        } catch {
            socket.remove()
            throw AgentError("cannot listen on the agent's socket", place: socket.path, cause: "\(error)")
        }
    }

    private static func start(
        _ api: any RequestAnswering, _ tls: ServerTLS?, _ limits: ServerLimits,
        _ listen: (ServerBootstrap) async throws -> any Channel
    ) async throws -> AgentServer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let load = ServerLoad()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(
                .writeBufferWaterMark, value: .init(low: limits.waiting / 4, high: limits.waiting)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard load.admits(below: limits.connections) else { throw ChannelError.ioOnClosedChannel }
                    channel.closeFuture.whenComplete { _ in load.leave() }
                    if let tls { try channel.pipeline.syncOperations.addHandler(tls.handler()) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(
                        ConnectionHandler(api: api, limits: limits, load: load))
                }
            }
        do {
            return AgentServer(channel: try await listen(bootstrap), group: group, load: load, answers: api)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// The port that is listened on.
    package var port: Int { channel.localAddress?.port ?? 0 }

    /// Takes no further connections, lets answers that are due go out, and ends.
    package func stop() async {
        try? await channel.close()
        await load.drained(within: .seconds(2))
        await answers.stop()
        try? await group.shutdownGracefully()
    }
}
