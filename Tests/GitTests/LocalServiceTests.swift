import Foundation
import TestSupport
import Testing

@testable import Git

/// A path as remote is served by git's own programs: hooks run, rules hold, and nothing of ours lies about there.
@Suite(.tags(.integration))
struct LocalServiceTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture
    let writer = Signature(name: "Slipway", email: "slipway@example.com", time: 1_700_000_100)

    init() throws {
        directory = try TemporaryDirectory("git-local-service")
        remote = try GitRepositoryFixture(in: directory.path)
        try remote.commit(["deploy/app.yaml": "image: a:1\n"])
    }

    private func hook(_ name: String, _ script: String) throws {
        let path = remote.path + "/hooks/" + name
        try "#!/bin/sh\n\(script)\n".write(toFile: path, atomically: true, encoding: .utf8)
        try Shell.run(["chmod", "755", path])
    }

    private func mirror(_ name: String = "mirror", searchPath: String? = nil) throws -> Git.Mirror {
        try Mirror(path: directory.file(name), url: "file://" + remote.path, searchPath: searchPath)
    }

    /// Fetches, and pushes a commit on top.
    @discardableResult
    private func push(
        by mirror: Git.Mirror, to branch: String = "main", _ text: String = "image: a:2\n"
    ) async throws -> (outcome: PushOutcome, commit: ObjectID) {
        let head = try await mirror.fetch(branch: "main")
        let mine = try await mirror.createCommit(
            parent: head.id, edits: ["deploy/app.yaml": Array(text.utf8)], message: "bump", author: writer,
            committer: writer)
        return (
            try await mirror.push(mine, to: branch, expecting: branch == "main" ? head.id : nil), mine
        )
    }

    /// No lock, no half a pack, no quarantine.
    private func expectNothingLeft() throws {
        let left = try Shell.run([
            "find", remote.path, "-name", "*.lock", "-o", "-name", "tmp_*", "-o", "-name", "incoming-*",
        ]).stdout
        #expect(left.isEmpty)
        try remote.checkIntegrity()
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let hook: String
        let script: String
        let summary: String
        var testDescription: String { hook }
    }

    @Test(arguments: [
        Refusal(
            hook: "pre-receive", script: "echo 'frozen until \u{1b}[31mMonday' >&2; exit 1",
            summary: "the repository's pre-receive hook refuses the push to 'main'"),
        Refusal(
            hook: "update", script: "echo \"frozen until Monday\"; exit 1",
            summary: "the repository's update hook refuses the push to 'main'"),
    ])
    func `a hook says no, and nothing is written`(_ refusal: Refusal) async throws {
        try hook(refusal.hook, refusal.script)
        let before = try remote.head()
        let mirror = try mirror()
        let error = await #expect(throws: GitError.self) { try await push(by: mirror) }
        #expect(error?.code == .refused)
        #expect(error?.summary == refusal.summary)
        #expect(error?.cause?.contains("frozen until") == true, "\(error?.cause ?? "")")
        #expect(error?.cause?.contains("\u{1b}") == false)
        #expect(try remote.head() == before)
        try expectNothingLeft()
    }

    /// What a hook sees of us: git's own variables and nothing that could hold a secret.
    @Test func `post-receive runs to its end, in a clean environment`() async throws {
        setenv("GIT_TOKEN", "s3cret", 1)
        setenv("GIT_DIR", "/nowhere", 1)
        defer {
            unsetenv("GIT_TOKEN")
            unsetenv("GIT_DIR")
        }
        let seen = directory.file("seen")
        // Words after the verdict, more than a pipe holds: whoever hangs up early cuts the hook off.
        try hook(
            "post-receive",
            "cat; head -c 300000 /dev/zero | tr '\\0' x; env > '\(seen).new'; mv '\(seen).new' '\(seen)'")
        let (outcome, commit) = try await push(by: try mirror())
        #expect(outcome == .pushed)
        #expect(try remote.head() == commit.description)
        let environment = try String(contentsOfFile: seen, encoding: .utf8)
        #expect(!environment.contains("s3cret") && !environment.contains("/nowhere"), "\(environment)")
        try expectNothingLeft()
    }

    @Test func `the repository's rules hold`() async throws {
        let mirror = try mirror()
        let head = try await mirror.fetch(branch: "main")
        try remote.git("config", "receive.denyDeletes", "true")
        try remote.git("branch", "old")
        let deletion = await #expect(throws: GitError.self) {
            try await mirror.deleteBranch("old", expecting: head.id)
        }
        #expect(deletion?.code == .refused && deletion?.cause?.contains("deletion prohibited") == true)
        #expect(try remote.head("old") == head.id.description)
        try remote.git("config", "receive.denyDeletes", "false")
        #expect(try await mirror.deleteBranch("old", expecting: head.id) == .pushed)
        #expect(try remote.git("for-each-ref", "--format=%(refname)") == "refs/heads/main")
    }

    /// Another writer's lock is a lost race, not a failure; git tries for a while itself.
    @Test func `a reference that somebody has locked`() async throws {
        let lock = remote.path + "/refs/heads/main.lock"
        let mirror = try mirror()
        _ = try await mirror.fetch(branch: "main")
        try Data().write(to: URL(fileURLWithPath: lock))
        guard case .rejected(let reason, _) = try await push(by: mirror).outcome else {
            Issue.record("the push went through a lock")
            return
        }
        #expect(reason.contains("another writer holds 'main'"), "\(reason)")
        try FileManager.default.removeItem(atPath: lock)
        #expect(try await push(by: mirror).outcome == .pushed)
    }

    @Test func `a branch that is checked out`() async throws {
        let work = directory.file("work")
        try Shell.run(["git", "clone", "-q", remote.path, work])
        let mirror = try Mirror(path: directory.file("mirror"), url: work)
        let error = await #expect(throws: GitError.self) { try await push(by: mirror) }
        #expect(error?.summary.contains("is checked out") == true, "\(error.map { "\($0)" } ?? "")")
        #expect(try await push(by: mirror, to: "bump").outcome == .pushed)
    }

    /// Without the program git a path is read all the same, and not written to.
    @Test func `without the program git`() async throws {
        let mirror = try mirror(searchPath: directory.path)
        let head = try await mirror.fetch(branch: "main")
        #expect(try head.id.description == remote.head())
        let error = await #expect(throws: GitError.self) { try await push(by: mirror) }
        #expect(error?.code == .unsupported)
        #expect(error?.hint?.contains("install the package git") == true)
        try expectNothingLeft()
    }

    /// Another user's hooks would run as this one.
    @Test(.enabled(if: getuid() == 0)) func `a repository of another user is read, and not written to`() async throws {
        try Shell.run(["chown", "-R", "65534", remote.path])
        let mirror = try mirror()
        _ = try await mirror.fetch(branch: "main")
        let error = await #expect(throws: GitError.self) { try await push(by: mirror) }
        #expect(error?.code == .refused)
        #expect(error?.hint?.contains("safe.directory \(remote.path)") == true, "\(error.map { "\($0)" } ?? "")")
        setenv("GIT_CONFIG_COUNT", "1", 1)
        setenv("GIT_CONFIG_KEY_0", "safe.directory", 1)
        setenv("GIT_CONFIG_VALUE_0", remote.path, 1)
        defer { for name in ["COUNT", "KEY_0", "VALUE_0"] { unsetenv("GIT_CONFIG_" + name) } }
        #expect(try await push(by: mirror).outcome == .pushed)
    }

    @Test func `a hook that floods while the pack is sent`() async throws {
        try hook("pre-receive", "head -c 5000000 /dev/zero | tr '\\0' y >&2")
        let large = String((0..<400_000).map { "\(UInt64($0) &* 0x9E37_79B9_7F4A_7C15)\n" }.joined())
        #expect(try await push(by: try mirror(), large).outcome == .pushed)
    }
}
