import Foundation
import Git
import TestSupport
import Testing

@testable import Agent

/// The mirrors of other people's repositories do not fill the state directory for ever.
@Suite(.tags(.integration)) struct SourceMirrorsTests {
    @Test func `what no build used for long is removed, what is in use stays`() async throws {
        let directory = try TemporaryDirectory("source-mirrors")
        let folder = directory.file("git-sources")
        let mirrors = SourceMirrors(folder: folder)
        func remote(_ name: String) throws -> String {
            let remote = try GitRepositoryFixture(in: directory.path, name: name)
            try remote.commit(["f": "\(name)\n"])
            return remote.path
        }
        func open(_ name: String) async throws -> OpenMirror {
            try await mirrors.mirror(of: remote(name), credentials: GitCredentials())
        }
        func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
        func age(_ path: String) throws { try Shell.run(["touch", "-d", "@1000", path]) }

        var held: OpenMirror? = try await open("held.git")
        let heldPath = try #require(held?.mirror.path)
        let idle = try await open("idle.git").mirror.path
        let recent = try await open("recent.git").mirror.path
        // Of another process, which builds with it, and of one that was killed.
        let other = try Git.Mirror(path: folder + "/other", url: try remote("other.git"))
        let left = folder + "/tmp-left"
        try Shell.run(["mkdir", "-p", left + "/objects"])
        for path in [heldPath, idle, other.path, left] { try age(path) }

        await mirrors.collect(olderThan: .seconds(1_000), now: Int64(Date().timeIntervalSince1970))
        #expect(exists(heldPath) && exists(recent) && exists(other.path))
        #expect(!exists(idle) && !exists(idle + ".lock"))
        #expect(!exists(left) && !exists(left + ".lock"))

        held = nil
        await mirrors.collect(olderThan: .seconds(1_000), now: Int64(Date().timeIntervalSince1970))
        #expect(!exists(heldPath) && exists(recent))
        let again = try await mirrors.mirror(of: directory.file("idle.git"), credentials: GitCredentials())
        #expect(try await again.mirror.fetch(branch: "main").subject == "change")
        withExtendedLifetime((held, other)) {}
    }
}
