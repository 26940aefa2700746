import Foundation
import TestSupport
import Testing

@testable import Agent

/// What `config check` says of pull requests that could not be opened.
@Suite(.tags(.unit)) struct PullRequestCheckTests {
    @Test(
        arguments: [
            (
                "github", "https://git.example.com/acme/shop.git", false,
                "pull requests need a token for the code host's API"
            ),
            ("gitlab", "https://github.com/acme/shop.git", true, "'gitlab' is not the API of github.com"),
            ("github", "git@gitlab.com:acme/shop.git", true, "'github' is not the API of gitlab.com"),
            ("github", "https://github.com/acme/shop.git", true, nil),
            ("gitlab", "https://git.example.com/acme/shop.git", true, nil),
        ] as [(String, String, Bool, String?)])
    func `a missing token and another host's API are told`(
        _ host: String, _ url: String, _ hasToken: Bool, _ problem: String?
    ) async throws {
        let scratch = try TemporaryDirectory("pull-request-check")
        try "t0ken\n".write(toFile: scratch.file("token"), atomically: true, encoding: .utf8)
        let token = hasToken ? ", tokenFile: \(scratch.file("token"))" : ""
        let text = "git: {pullRequest: {host: \(host)\(token)}}\nrepositories: [{url: '\(url)'}]\n"
        try text.write(toFile: scratch.file("agent.yaml"), atomically: true, encoding: .utf8)
        let outcome = try await ConfigurationCheck().check(scratch.file("agent.yaml"))
        let told = outcome.problems.filter { $0.code == .pullRequest }
        #expect(told.map(\.summary) == [problem].compactMap { $0 })
        #expect(told.allSatisfy { $0.key == "git.pullRequest" && $0.hint?.isEmpty == false })
    }
}
