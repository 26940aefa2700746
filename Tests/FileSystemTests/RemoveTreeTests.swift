import FileSystem
import Glibc
import TestSupport
import Testing

@Suite(.tags(.unit))
struct RemoveTreeTests {
    let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("remove") }

    private func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    @Test func removesFilesLinksAndDirectories() throws {
        let root = try Directory.create(path: scratch.file("tree/x/y"))
        try root.symlink("link", target: "/etc")
        try AtomicFile.write([1], to: scratch.file("tree/x/file"))
        try AtomicFile.write([1], to: scratch.file("kept"))
        #expect(symlink(scratch.path, scratch.file("tree/out")) == 0)
        try removeTree(scratch.file("tree"))
        #expect(!exists(scratch.file("tree")))
        #expect(exists(scratch.file("kept")) && exists("/etc"))
        try removeTree(scratch.file("tree"))
        #expect(symlink(scratch.path, scratch.file("only")) == 0)
        try removeTree(scratch.file("only"))
        #expect(exists(scratch.file("kept")))
    }

    @Test func depthIsNotLimited() throws {
        // Much deeper than a path can be long, and than descriptors can be open.
        var directory = try Directory.create(path: scratch.file("deep"))
        for _ in 0..<3_000 {
            try directory.makeDirectory("directory")
            directory = try directory.directory("directory")
        }
        try removeTree(scratch.file("deep"))
        #expect(!exists(scratch.file("deep")))
    }

    @Test func opensWhatIsClosed() throws {
        let path = scratch.file("closed")
        #expect(chmod(scratch.path, 0o777) == 0)
        try asOrdinaryUser {
            let root = try Directory.create(path: path)
            try root.makeDirectories("a/b/c")
            try AtomicFile.write([1], to: path + "/a/b/file")
            for name in ["a/b/c", "a/b", "a"] { try root.setMode(name, 0) }
            try root.setMode("", 0o500)
            try removeTree(path)
        }
        #expect(!exists(path))
    }

    @Test func atomicFileReplacesAndLeavesNothingBehind() throws {
        let path = scratch.file("state.json")
        try AtomicFile.write(Array("old".utf8), to: path)
        try AtomicFile.write(Array("new".utf8), to: path, mode: 0o640)
        #expect(try FileHandle(path: path).readAll(limit: 10) == Array("new".utf8))
        #expect(try FileHandle(path: path).status().mode == 0o640)
        #expect(try Directory(path: scratch.path).entries().map(\.name) == [Array("state.json".utf8)])
        let limited = try #require(throws: FileSystemError.self) {
            _ = try FileHandle(path: path).readAll(limit: 2)
        }
        #expect(limited.code == EFBIG)
        #expect(throws: FileSystemError.self) { try AtomicFile.write([], to: scratch.file("none/state.json")) }
        // A directory in the way: the old state stays, and no temporary file.
        _ = try Directory.create(path: scratch.file("dir/x"))
        #expect(throws: FileSystemError.self) { try AtomicFile.write([], to: scratch.file("dir")) }
        #expect(try Directory(path: scratch.path).entries().count == 2)
    }
}
