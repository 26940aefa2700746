import Foundation
import Git
import TestSupport
import Testing

@testable import Agent

/// Git over HTTP with the token of a GitHub App.
@Suite(.tags(.integration)) struct GitHubAppAccessTests {
    @Test func `a mirror is fetched and pushed to as the App, and submodules' mirrors outlive a token`() async throws {
        let directory = try TemporaryDirectory("github-app")
        try FileManager.default.createDirectory(
            atPath: directory.file("acme"), withIntermediateDirectories: true)
        let fixture = try GitRepositoryFixture(in: directory.file("acme"))
        try fixture.commit(["README": "1\n"])
        try Shell.run(
            ["openssl", "genpkey", "-algorithm", "RSA", "-out", "key.pem"], in: directory.path)
        let app = try FakeGitHubApp(repository: "acme/repo", hasLongTokens: false)
        defer { app.stop() }
        var git = AgentConfiguration.GitConfiguration()
        git.github = AgentConfiguration.GitHubAppConfiguration(
            appID: "7", privateKeyFile: directory.file("key.pem"), api: app.api, isInsecure: true)
        // The server takes the token that the fake gives first; its clock is the machine's.
        app.advance(by: Int64(Date().timeIntervalSince1970) - app.now)
        let token = try await GitAccess.current(git, of: "http://127.0.0.1:1/acme/repo.git")
        #expect(token.username == "x-access-token")
        #expect(token.token == app.tokens.first)
        let secret = try #require(token.token)
        let server = try await GitHTTPServer(directory: directory.path, user: "x-access-token", password: secret)
        defer { server.stop() }
        let url = server.url + "/acme/repo.git"
        let repository = AgentConfiguration.RepositoryConfiguration(name: "shop", url: url, branch: "main")
        let services = try await MirrorShelf(stateDirectory: directory.file("state")).services(for: repository, git)
        #expect(try await services.remote.fetch(branch: "main").commit.id.description == fixture.head())
        #expect(app.tokens.count == 1)
        // By SSH there is nothing that a token is for.
        #expect(try await GitAccess.current(git, of: "git@github.com:acme/repo.git").token == nil)
        var other = token
        other.token = "ghs_another"
        #expect(ReaderIdentity.name(of: other) == ReaderIdentity.name(of: token))
        #expect(!"\(token)".contains("ghs_"))
    }
}
