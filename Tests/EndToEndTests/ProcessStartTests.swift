import Foundation
import TestSupport
import Testing

/// What a process loads when it starts, and what only when it needs it (docs/decisions/0003).
@Suite(.tags(.endToEnd)) struct ProcessStartTests {
    private let scratch: TemporaryDirectory

    init() throws {
        scratch = try TemporaryDirectory("process-start")
        try FileManager.default.createDirectory(
            atPath: scratch.file("context"), withIntermediateDirectories: true)
        try Data("FROM scratch\nCOPY file /file\n".utf8).write(
            to: URL(fileURLWithPath: scratch.file("context/Dockerfile")))
        try Data("content\n".utf8).write(to: URL(fileURLWithPath: scratch.file("context/file")))
    }

    private func build(
        _ context: String, environment: [String: String], prefix: [String] = [], more: [String]
    ) throws -> Shell.Output {
        try Shell.run(
            prefix + [try Loop.binary, "build", "--context", context, "--no-push", "--destination", "example.com/a:v1"]
                + more, in: scratch.path, environment: ["HOME": scratch.path].merging(environment) { $1 },
            allowFailure: true)
    }

    private var state: [String] { ["--state-dir", scratch.file("state")] }

    @Test func `libgit2 is loaded by who uses git`() throws {
        let directory = try build(scratch.file("context"), environment: ["LD_DEBUG": "files"], more: state)
        #expect(directory.status == 0, "\(directory.stderr.suffix(2000))")
        // ld.so(8) writes a line for each library that it loads.
        #expect(directory.stderr.contains("libcrypto.so"))
        #expect(!directory.stderr.contains("libgit2"))

        let repository = try GitRepositoryFixture(in: scratch.path, name: "repository")
        try repository.commit(["Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"])
        let git = try build(
            "https://127.0.0.1:1/repository.git#main", environment: ["LD_DEBUG": "files"], more: state)
        #expect(git.status == 1)
        #expect(git.stderr.contains("libgit2"))
    }

    @Test func `where libgit2 is missing, git says so and nothing else fails`() throws {
        let name = try #require(
            try Shell.run(["sh", "-c", "grep -ao 'libgit2[.]so[.][0-9.]*' '\(try Loop.binary)' | head -n 1"]).stdout
                .split(separator: "\n").first)
        // A file that is no library stands before the real one.
        try FileManager.default.createDirectory(atPath: scratch.file("libraries"), withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: scratch.file("libraries/\(name)")))
        let environment = ["LD_LIBRARY_PATH": scratch.file("libraries")]
        let directory = try build(scratch.file("context"), environment: environment, more: state)
        #expect(directory.status == 0, "\(directory.stderr)")
        let git = try build("https://127.0.0.1:1/repository.git#main", environment: environment, more: state)
        #expect(git.status == 1)
        for text in ["cannot load \(name)", "file too short", "libgit2-1.5"] {
            #expect(git.stderr.contains(text), "no '\(text)' in:\n\(git.stderr)")
        }
    }

    @Test(arguments: ["/", "/nowhere"]) func `a home that nobody may write to names the flag`(_ home: String) throws {
        guard geteuid() == 0 else { return print("skipped: only root can be another user") }
        try Shell.run(["chmod", "-R", "a+rX", scratch.path])
        let output = try build(
            scratch.file("context"), environment: ["HOME": home, "XDG_CACHE_HOME": ""],
            prefix: ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"], more: [])
        #expect(output.status == 1)
        #expect(output.stderr.contains("cannot make the directory: Permission denied"), "\(output.stderr)")
        #expect(output.stderr.contains("--state-dir"), "\(output.stderr)")
    }
}
