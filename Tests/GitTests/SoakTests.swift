import Foundation
import TestSupport
import Testing

@testable import Git

/// What a cycle costs for ever: memory that is not given back. Two hundred cycles tell more than one.
@Suite(.serialized, .tags(.integration), .thorough)
struct SoakTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture

    init() throws {
        directory = try TemporaryDirectory("git-soak")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["deploy/app.yaml": "image: a:1\n"])
    }

    private func soak(_ mirror: Git.Mirror) async throws {
        for _ in 0..<20 { _ = try await mirror.fetch(branch: "main") }
        let before = try ProcessMemory.anonymous()
        for _ in 0..<200 { _ = try await mirror.fetch(branch: "main") }
        let each = (try ProcessMemory.anonymous() - before) / 200
        #expect(each < 8_000, "bytes that each cycle keeps")
    }

    @Test func `a cycle over HTTPS keeps nothing`() async throws {
        let server = try await GitHTTPServer(directory: directory.path, tls: true)
        defer { server.stop() }
        try await soak(
            Mirror(
                path: directory.file("mirror"), url: server.url + "/repo.git",
                credentials: GitCredentials(caFile: server.caFile)))
    }

    @Test func `a cycle over SSH keeps nothing`() async throws {
        let server = try await SSHGitServer(directory: directory.path)
        defer { server.stop() }
        try await soak(
            Mirror(
                path: directory.file("mirror"), url: server.url + "/repo.git",
                credentials: GitCredentials(
                    sshKeyPath: server.keyPath, usesSSHAgent: false, knownHostsPaths: [server.knownHostsPath])))
    }
}
