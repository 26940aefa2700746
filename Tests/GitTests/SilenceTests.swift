import CGit2
import Foundation
import TestSupport
import Testing

@testable import Git

/// Servers that take a connection and say nothing, with a limit that is short enough for a test.
@Suite(.tags(.integration))
struct SilenceTests {
    private static let credentials: GitCredentials = {
        var credentials = GitCredentials(usesSSHAgent: false)
        credentials.silenceLimit = .milliseconds(400)
        return credentials
    }()

    @Test func `a silent web server is given up`() async throws {
        let directory = try TemporaryDirectory("silence")
        let server = try StubServer { _ in .stall([]) }
        let mirror = try Mirror(
            path: directory.file("mirror"), url: server.url + "/repo.git", credentials: Self.credentials)
        let error = await #expect(throws: GitError.self) { try await mirror.fetch(branch: "main") }
        #expect(error?.code == .timeout)
        #expect(error?.hint?.contains("'timeout'") == true)
    }

    @Test func `so is a silent program`() throws {
        let session = RemoteSession(url: try RemoteURL("/srv/repo.git"), credentials: Self.credentials)
        let isStarted = session.start(.uploadPack) {
            ServiceCommand(program: "/bin/sleep", arguments: ["600"], environment: [], held: [], name: "sleep")
        }
        #expect(isStarted)
        var buffer = [UInt8](repeating: 0, count: 16)
        let count = buffer.withUnsafeMutableBytes { session.service?.read(into: $0) ?? 0 }
        #expect(count < 0 && session.watch.isTimedOut)
        session.finishService()
        #expect(session.error(-1, "nothing").code == .timeout)
    }
}
