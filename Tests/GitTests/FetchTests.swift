import Foundation
import Git
import TestSupport
import Testing

@Suite(.tags(.integration))
struct FetchTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture

    init() throws {
        directory = try TemporaryDirectory("git-fetch")
        remote = try GitRepositoryFixture(in: directory.path)
    }

    @Test(arguments: ["", "file://"])
    func `a local repository is mirrored, then followed`(_ prefix: String) async throws {
        let first = try remote.commit(["app/Dockerfile": "FROM scratch\n", "README": "one\n"])
        let mirror = try Mirror(path: directory.file("mirror"), url: prefix + remote.path)
        let head = try await mirror.fetch(branch: "main")
        #expect(head.id.description == first)
        #expect(head.subject == "change")
        #expect(await mirror.lastFetch?.downloaded == true)
        #expect(try await mirror.entries(of: head.id).map(\.path) == ["README", "app/Dockerfile"])

        _ = try await mirror.fetch(branch: "main")
        #expect(await mirror.lastFetch?.downloaded == false)

        let second = try remote.commit(["README": "two\n"])
        let next = try await mirror.fetch(branch: "main")
        #expect(next.id.description == second)
        let report = try #require(await mirror.lastFetch)
        #expect(report.previous == head.id && report.head == next.id && report.downloaded && !report.isRewritten)
        let entry = try #require(try await mirror.objectID(at: "README", in: next.id))
        #expect(try await mirror.blob(entry.id, limit: 100) == Array("two\n".utf8))
        #expect(try await mirror.changedPaths(from: head.id, to: next.id) == ["README"])
    }

    @Test func `over HTTP with Basic authentication`() async throws {
        let first = try remote.commit(["README": "one\n"])
        let server = try await GitHTTPServer(directory: directory.path, user: "ci", password: "s3cret")
        let mirror = try Mirror(
            path: directory.file("mirror"), url: server.url + "/repo.git",
            credentials: GitCredentials(username: "ci", password: "s3cret"))
        #expect(try await mirror.fetch(branch: "main").id.description == first)
        try await waitUntil("the log is written") { server.accessLog.contains { $0.hasPrefix("POST ") } }
        let before = server.accessLog.count
        #expect(try await mirror.fetch(branch: "main").id.description == first)
        // Nothing new: the advertisement and no more, once refused and once with credentials.
        #expect(server.accessLog.dropFirst(before).allSatisfy { $0.contains("/info/refs?service=git-upload-pack") })
        let second = try remote.commit(["README": "two\n"])
        #expect(try await mirror.fetch(branch: "main").id.description == second)
    }
}
