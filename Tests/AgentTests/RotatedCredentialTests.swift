import Foundation
import Git
import TestSupport
import Testing

@testable import Agent

/// Secrets are replaced while the agent runs.
@Suite(.tags(.integration))
struct RotatedCredentialTests {
    @Test func `a file of credentials is read anew for each fetch`() async throws {
        let directory = try TemporaryDirectory("rotated-credentials")
        let fixture = try GitRepositoryFixture(in: directory.path)
        try fixture.commit(["README": "1\n"])
        let server = try await GitHTTPServer(directory: directory.path, user: "ci", password: "n3w")
        defer { server.stop() }
        let file = directory.file("token")
        func write(_ token: String) throws {
            try Data("\(token)\n".utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
        }
        try write("0ld")
        var git = AgentConfiguration.GitConfiguration()
        git.username = "ci"
        git.tokenFile = file
        let repository = AgentConfiguration.RepositoryConfiguration(
            name: "shop", url: server.url + "/repo.git", branch: "main")
        let services = try await MirrorShelf(stateDirectory: directory.file("state")).services(for: repository, git)

        let refused = await #expect(throws: GitError.self) { try await services.remote.fetch(branch: "main") }
        #expect(refused?.code == .authentication)
        #expect(refused?.summary.contains(file) == true, "\(refused.map { "\($0)" } ?? "")")
        try write("n3w")
        #expect(try await services.remote.fetch(branch: "main").commit.id.description == fixture.head())

        // One that is gone is told at once, though the old one still opens the server.
        try FileManager.default.removeItem(atPath: file)
        let gone = await #expect(throws: GitError.self) { try await services.remote.fetch(branch: "main") }
        #expect(gone?.code == .authentication)
        #expect(gone?.place == file, "\(gone.map { "\($0)" } ?? "")")
        try write("n3w")
        _ = try await services.remote.fetch(branch: "main")
    }
}
