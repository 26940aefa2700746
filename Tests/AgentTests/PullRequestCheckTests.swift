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
            ("azure-devops", "https://dev.azure.com/acme/Shop/_git/web", true, nil),
            ("bitbucket", "git@bitbucket.org:acme/shop.git", true, nil),
            (
                "bitbucket-server", "https://bitbucket.org/acme/shop.git", true,
                "'bitbucket-server' is not the API of bitbucket.org"
            ),
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

    @Test(
        arguments: [
            ("pullRequest: {host: bitbucket, labels: [a]}", "git.pullRequest.labels", "Bitbucket has no labels"),
            ("pullRequest: {host: bitbucket-server, assignees: [a]}", "git.pullRequest.assignees", "no assignees"),
            ("pullRequest: {host: azure-devops, assignees: [a]}", "git.pullRequest.assignees", "no assignees"),
            ("pullRequest: {host: bitbucket, reviewers: [ann]}", "git.pullRequest.reviewers", "takes no user names"),
            ("pullRequest: {host: bitbucket, autoMerge: squash}", "git.pullRequest.autoMerge", "Bitbucket Cloud's API"),
            ("pullRequest: {host: gitlab, reviewers: [a/b]}", "git.pullRequest.reviewers", "GitLab has no teams"),
            ("status: {host: gitlab, checks: true}", "git.status.checks", "only GitHub has check runs"),
            ("status: {host: github, checks: true, tokenFile: $D/token}", "git.status", "made by a GitHub App alone"),
            (
                "github: {appId: 7, installationId: x, privateKeyFile: $D/key}", "git.github.installationId",
                "not the number"
            ),
            ("github: {appId: 7}", "git.github", "privateKeyFile"),
            ("github: {appId: 7, privateKeyFile: $D/none}", "git.github.privateKeyFile", "none"),
            ("github: {appId: 7, privateKeyFile: $D/token}", "git.github.privateKeyFile", "private key"),
            (
                "{github: {appId: 7, privateKeyFile: $D/key}, status: {host: github, checks: true}, "
                    + "pullRequest: {host: github, reviewers: [a/b], labels: [c]}}", nil, ""
            ),
        ] as [(String, String?, String)])
    func `what does not go together is told with its key`(_ git: String, _ key: String?, _ words: String) async throws {
        let scratch = try TemporaryDirectory("forge-check")
        try "t0ken\n".write(toFile: scratch.file("token"), atomically: true, encoding: .utf8)
        try "-----BEGIN RSA PRIVATE KEY-----\n".write(toFile: scratch.file("key"), atomically: true, encoding: .utf8)
        let section = (git.hasPrefix("{") ? git : "{\(git)}").replacingOccurrences(of: "$D", with: scratch.path)
        let text = "git: \(section)\nrepositories: [{url: 'https://github.com/acme/shop.git'}]\n"
        try text.write(toFile: scratch.file("agent.yaml"), atomically: true, encoding: .utf8)
        let outcome = try await ConfigurationCheck().check(scratch.file("agent.yaml"))
        let problem = outcome.problems.first { $0.severity == .error }
        #expect(problem?.key == key, "\(outcome.problems)")
        let told = problem.map { "\($0.summary) \($0.cause ?? "") \($0.hint ?? "")" } ?? ""
        #expect(words.isEmpty || told.contains(words), "\(told)")
    }
}
