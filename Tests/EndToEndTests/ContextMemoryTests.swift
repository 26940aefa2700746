import Foundation
import TestSupport
import Testing

/// A large file of a git context passes through the build without being held in memory.
@Suite("Memory of a context", .tags(.endToEnd)) struct ContextMemoryTests {
    /// Runs a program, prints the highest resident memory of it in KiB, and ends as it did.
    private static let peak = """
        import resource, subprocess, sys
        status = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        sys.exit(status)
        """

    @Test(arguments: ["packed", "loose"]) func `a file of 400 MiB takes less than 120`(storage: String) async throws {
        let scratch = try TemporaryDirectory("context-memory")
        let repository = try GitRepositoryFixture(in: scratch.path, name: "large.git")
        // What compresses well: a pack of half a megabyte.
        try repository.checkOut()
        try Shell.run(["truncate", "-s", "400M", repository.workTree + "/large"])
        try Data("FROM scratch\nCOPY large /\n".utf8)
            .write(to: URL(fileURLWithPath: repository.workTree + "/Dockerfile"))
        _ = try repository.commitWorkTree(message: "large", date: 1_700_000_000)
        try repository.git("repack", "-q", "-a", "-d")
        let server = try await GitHTTPServer(directory: scratch.path)
        let state = scratch.file("state")
        let arguments = [
            try Loop.binary, "build", "--state-dir", state, "--no-push", "--context", "\(server.url)/large.git",
        ]
        if storage == "loose" {
            // The first build fails behind the fetch; then the mirror's objects become files of their own.
            let first = try Shell.run(arguments + ["--target", "none"], allowFailure: true)
            #expect(first.status == 1)
            try Shell.run([
                "sh", "-ec",
                """
                for pack in $(find \(state) -name '*.pack'); do
                    objects=$(dirname $(dirname $pack))
                    mv $pack \(scratch.path)/moved && rm -f ${pack%.pack}.*
                    git -C $(dirname $objects) unpack-objects -q < \(scratch.path)/moved
                done
                """,
            ])
        }
        let output = try Shell.run(["python3", "-c", Self.peak] + arguments, allowFailure: true)
        #expect(output.status == 0, "\(output.stderr)")
        let kilobytes = try #require(Int(output.stdout.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(kilobytes < 120 << 10, "\(kilobytes) KiB")
        let layer = try Shell.run(["sh", "-c", "ls -l \(state)/layers*/*/fs/large | awk '{ print $5 }'"])
        #expect(layer.stdout.trimmingCharacters(in: .whitespacesAndNewlines) == "\(400 << 20)")
    }

    /// What is known of a context's files is packed. As lists of structures, 60,000 files took 86 MiB more than none.
    @Test(.thorough) func `many files take little more than none`() throws {
        let scratch = try TemporaryDirectory("context-files")
        let context = scratch.file("context")
        try FileManager.default.createDirectory(atPath: context, withIntermediateDirectories: true)
        try Data("FROM scratch\nCOPY . /\n".utf8).write(to: URL(fileURLWithPath: context + "/Dockerfile"))
        func peak(_ state: String) throws -> Int {
            let build = [
                try Loop.binary, "build", "--state-dir", scratch.file(state), "--no-push", "--context", context,
            ]
            let output = try Shell.run(["python3", "-c", Self.peak] + build, allowFailure: true)
            #expect(output.status == 0, "\(output.stderr)")
            return try #require(Int(output.stdout.trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        let none = try peak("none")
        let folders = """
            import os, sys
            for number in range(60_000):
                folder = f'{sys.argv[1]}/modules/package-{number // 100}/lib'
                if number % 100 == 0: os.makedirs(folder)
                os.close(os.open(f'{folder}/file-{number}.js', os.O_CREAT | os.O_WRONLY))
            """
        try Shell.run(["python3", "-c", folders, context])
        for state in ["cold", "cold"] {
            let many = try peak(state)
            #expect(many - none < 56 << 10, "\(none) and \(many) KiB")
        }
    }

    @Test func `a file beyond the limit is refused by name`() async throws {
        let scratch = try TemporaryDirectory("context-limit")
        let repository = try GitRepositoryFixture(in: scratch.path, name: "large.git")
        try repository.commit([
            "Dockerfile": "FROM scratch\nCOPY . /\n", "large": String(repeating: "x", count: 70_000),
        ])
        let server = try await GitHTTPServer(directory: scratch.path)
        let arguments = [
            try Loop.binary, "build", "--state-dir", scratch.file("state"), "--no-push", "--context",
            "\(server.url)/large.git", "--context-file-limit",
        ]
        let refused = try Shell.run(arguments + ["64k"], allowFailure: true)
        #expect(refused.status == 1)
        for text in ["larger than one of the context may be", "large", "70000", "--context-file-limit"] {
            #expect(refused.stderr.contains(text), "\(refused.stderr)")
        }
        #expect(try Shell.run(arguments + ["70k"], allowFailure: true).status == 0)
    }
}
