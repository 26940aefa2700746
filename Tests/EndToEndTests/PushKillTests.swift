import Foundation
import TestSupport
import Testing

/// SIGKILL of the pushing process, at each step that the other side takes with a path as remote: nothing of it stays in the
/// repository, a person can push at once, and the next `sync` does what is left.
@Suite(.tags(.endToEnd), .thorough) struct PushKillTests {
    enum Step: String, CaseIterable, Sendable {
        /// In the middle of what is sent.
        case sending
        /// The objects are there, not yet accepted.
        case preReceive = "pre-receive"
        case update
        /// The reference's lock is held.
        case locked = "reference-transaction"
        case postReceive = "post-receive"
    }

    let loop: GitLoop

    init() throws {
        loop = try GitLoop("push-kill")
        try loop.standard()
    }

    /// Kills the process that started `receive-pack`, the parent of the hook's parent, and waits until it is gone.
    private func install(_ step: Step) throws -> [String: String] {
        let kill = """
            victim=$(ps -o ppid= -p $PPID | tr -d ' ')
            kill -9 $victim
            while kill -0 $victim 2>/dev/null && [ "$(ps -o stat= -p $victim | cut -c1)" != Z ]; do sleep 0.01; done
            rm -f "$0"
            """
        switch step {
        case .sending:
            // In place of git: hands on the beginning of the push.
            let folder = loop.scratch.file("bin")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try write(
                """
                [ "$1" = receive-pack ] || exec /usr/bin/git "$@"
                rm -f "$0"
                { head -c 300; kill -9 $PPID; } | /usr/bin/git "$@"
                """, to: folder + "/git")
            return ["PATH": folder + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")]
        case .locked:
            // receive-pack hands the names over with "prepared" once it has the locks.
            try write("[ \"$1\" = prepared ] || exit 0\n" + kill, to: loop.repository.path + "/hooks/" + step.rawValue)
        default:
            try write(kill, to: loop.repository.path + "/hooks/" + step.rawValue)
        }
        return [:]
    }

    private func write(_ script: String, to path: String) throws {
        try "#!/bin/sh\n\(script)\n".write(toFile: path, atomically: true, encoding: .utf8)
        try Shell.run(["chmod", "755", path])
    }

    /// Whether git still works in the repository.
    private func isServed() throws -> Bool {
        let list = try Shell.run(["ps", "-eo", "args="]).stdout
        return list.split(separator: "\n").contains { $0.contains("receive-pack \(loop.repository.path)") }
    }

    @Test(arguments: Step.allCases) func `killed while it pushes`(_ step: Step) async throws {
        let environment = try install(step)
        let killed = try loop.sync(environment: environment, allowFailure: true)
        #expect(killed.status == 128 + 9, "\(killed.stderr)")
        try await waitUntil("git has ended") { try !isServed() }
        // What was not accepted may lie in a quarantine directory until `git gc`, as after each client that hangs up.
        let left = try Shell.run(["find", loop.repository.path, "-name", "*.lock", "-o", "-name", "tmp_obj_*"]).stdout
        #expect(left.isEmpty, "\(left)")
        try loop.repository.checkIntegrity()

        try loop.repository.commit(["README": "a person\n"], message: "A person")
        try loop.sync()
        for name in ["api", "web"] {
            let manifest = try loop.repository.content(of: "deploy/\(name).yaml")
            #expect(manifest.contains("acme/\(name):1.1.0"), "\(manifest)")
        }
        #expect(try loop.log().count { $0.hasPrefix("Auto-release") } == 1)
        try loop.repository.checkIntegrity()
    }
}
