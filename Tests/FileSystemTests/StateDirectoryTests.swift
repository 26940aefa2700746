import Diagnostics
import Glibc
import TestSupport
import Testing

@testable import FileSystem

@Suite("The state directory", .tags(.unit)) struct StateDirectoryTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Of the directory before; `nil`: it is not there.
        var mode: mode_t?
        /// Names in it; those that end in `/` are directories.
        var names: [String] = []
        /// The mode afterwards; `nil`: it is refused, and as it was.
        var result: mode_t? = 0o700
    }

    private static let cases = [
        Case(testDescription: "missing"),
        Case(testDescription: "empty", mode: 0o755),
        Case(testDescription: "closed already", mode: 0o700, names: ["anything"]),
        Case(
            testDescription: "an older one", mode: 0o755,
            names: ["content/", "layers/", "status-site.json", "probe-7-8/"]),
        Case(testDescription: "of an ordinary user", mode: 0o755, names: ["layers@0+1000+1-1+100000+65536/", "git/"]),
        Case(testDescription: "a new volume", mode: 0o2777, names: ["lost+found/"]),
        Case(testDescription: "everybody's", mode: 0o1777, result: nil),
        Case(testDescription: "with the files of others", mode: 0o755, names: ["content/", "home/"], result: nil),
        Case(testDescription: "with one file of others", mode: 0o770, names: ["passwd"], result: nil),
    ]

    private func permissions(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    private func fill(_ path: String, _ test: Case) throws {
        guard let mode = test.mode else { return }
        try #require(mkdir(path, 0o700) == 0)
        for name in test.names {
            if name.hasSuffix("/") {
                mkdir("\(path)/\(name)", 0o755)
            } else {
                try AtomicFile.write([], to: "\(path)/\(name)")
            }
        }
        try #require(chmod(path, mode) == 0)
    }

    @Test(arguments: cases) func `is closed, or refused and left alone`(test: Case) throws {
        let scratch = try TemporaryDirectory("state")
        let path = scratch.file("above/state")
        try #require(mkdir(scratch.file("above"), 0o755) == 0)
        try fill(path, test)
        guard let expected = test.result else {
            let error = #expect(throws: StateDirectoryError.self) { try StateDirectory(path) }
            #expect(permissions(path) == test.mode)
            #expect(error?.hint?.contains("\(path)/slipway") == true)
            return
        }
        // Whoever starts second finds it the same.
        for _ in 1...2 {
            let state = try StateDirectory(path)
            #expect(permissions(path) == expected)
            let folder = try state.folder("layers")
            #expect(permissions(folder) == 0o700)
        }
        #expect(permissions(scratch.file("above")) == 0o755)
    }

    @Test func `a directory with its tag is known whatever is in it`() throws {
        let scratch = try TemporaryDirectory("state")
        let path = scratch.file("state")
        _ = try StateDirectory(path)
        let tag = try FileHandle(path: path + "/CACHEDIR.TAG").readAll(limit: 1 << 10)
        #expect(tag.starts(with: Array("Signature: 8a477f597d28d172789f06886806bc55\n".utf8)))
        mkdir(path + "/what-a-later-version-makes", 0o700)
        chmod(path, 0o755)
        _ = try StateDirectory(path)
        #expect(permissions(path) == 0o700)
        // A tag alone, of another program, is not enough.
        let other = scratch.file("other")
        try #require(mkdir(other, 0o755) == 0 && mkdir(other + "/theirs", 0o755) == 0)
        try AtomicFile.write(Array(tag.prefix(43)) + [0x0a], to: other + "/CACHEDIR.TAG")
        #expect(throws: StateDirectoryError.self) { try StateDirectory(other) }
    }

    /// A volume of a pod belongs to root, and everybody may write to it.
    @Test func `another user's keeps its mode, and what is made in it is closed`() throws {
        guard geteuid() == 0 else { return print("skipped: only root can give a directory away") }
        let scratch = try TemporaryDirectory("state")
        let path = scratch.file("state")
        try #require(mkdir(path, 0o700) == 0 && chmod(path, 0o777) == 0 && chown(path, 1000, 1000) == 0)
        let folder = try StateDirectory(path).folder("layers")
        #expect(permissions(path) == 0o777)
        #expect(permissions(folder) == 0o700)
        // It is marked by now.
        try #require(mkdir(path + "/theirs", 0o755) == 0)
        #expect(try StateDirectory(path).folder("layers") == folder)
    }

    /// `docker run --tmpfs`, and a volume in memory: everybody's by its mode, and yet a file system for this alone.
    @Test func `a file system of its own is one of its own`() throws {
        let scratch = try TemporaryDirectory("state")
        guard let disk = try SmallDisk(at: scratch.file("state"), megabytes: 4) else { return }
        try #require(chmod(disk.path, 0o1777) == 0)
        _ = try StateDirectory(disk.path)
        #expect(permissions(disk.path) == 0o700)
    }

    @Test(arguments: ["/tmp", "/var/tmp", "/dev/shm"]) func `what all users share is left to them`(path: String) throws
    {
        let mode = permissions(path)
        #expect(throws: StateDirectoryError.self) { try StateDirectory(path) }
        #expect(permissions(path) == mode)
    }

    @Test func `says what is wrong with what is no directory`() throws {
        let scratch = try TemporaryDirectory("state")
        try AtomicFile.write([], to: scratch.file("file"))
        for path in [scratch.file("file"), scratch.file("file/state")] {
            let error = #expect(throws: StateDirectoryError.self) { try StateDirectory(path) }
            #expect(error?.summary.hasPrefix("cannot ") == true && error?.cause == "Not a directory", "\(path)")
        }
    }

    /// HOME is / for a user that /etc/passwd does not have: the default is then where nobody but root may write.
    @Test func `where nobody may write, another place is asked for`() {
        let error = #expect(throws: StateDirectoryError.self) { try StateDirectory("/sys/.cache/slipway") }
        #expect(error?.hint?.contains("--state-dir") == true)
        #expect(error?.cause != nil && error?.place == "/sys/.cache")
    }
}
