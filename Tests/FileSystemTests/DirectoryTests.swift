import Diagnostics
import Glibc
import TestSupport
import Testing

@testable import FileSystem

@Suite(.tags(.unit))
struct DirectoryTests {
    let scratch: TemporaryDirectory
    let root: Directory

    init() throws {
        scratch = try TemporaryDirectory("directory")
        root = try Directory.create(path: scratch.file("root"))
        try AtomicFile.write(Array("outside".utf8), to: scratch.file("secret"))
        try root.makeDirectories("a/b")
        try write("a/b/file", "inside")
    }

    private func write(_ path: String, _ text: String) throws {
        let file = try root.openFile(path, flags: O_WRONLY | O_CREAT | O_TRUNC)
        try file.write(all: Array(text.utf8))
    }

    private func read(_ path: some PathName) throws -> String {
        String(decoding: try root.openFile(path).readAll(limit: 1 << 20), as: UTF8.self)
    }

    @Test(arguments: [
        "a/b/file", "/a/b/file", "../../a/b/file", "a/../../../a/b/file", "up/a/b/file", "rooted/b/file", "a/./b//file",
        "chain/file",
    ])
    func everyPathStaysInside(_ path: String) throws {
        try root.symlink("up", target: "../../..")
        try root.symlink("rooted", target: "/a")
        try root.symlink("chain", target: "rooted/b")
        #expect(try read(path) == "inside")
        // The kernel's resolution and the one for kernels without it agree.
        let descriptor = root.resolveByName(Array(path.utf8), O_RDONLY, 0)
        try #require(descriptor >= 0)
        let walked = FileHandle(owning: descriptor, path: path)
        #expect(try walked.readAll(limit: 100) == Array("inside".utf8))
    }

    @Test(arguments: [
        "../secret", "/secret", "out", "out/secret", "loop", "a/b/file/x", "missing", "proc/self/root/etc",
    ])
    func nothingOutsideIsReached(_ path: String) throws {
        try root.symlink("out", target: "../secret")
        try root.symlink("loop", target: "loop")
        #expect(throws: FileSystemError.self) { _ = try root.openFile(path) }
        #expect(root.resolveByName(Array(path.utf8), O_RDONLY, 0) == -1)
    }

    @Test func lastLinkIsNotFollowed() throws {
        try root.symlink("link", target: "/a/b/file")
        #expect(try root.status("link").type == .symlink)
        #expect(try root.status("link", following: true).type == .file)
        #expect(try root.readLink("link") == Array("/a/b/file".utf8))
        try root.setTime("link", FileTime(seconds: -5, nanoseconds: 7))
        #expect(try root.status("link").mtime == FileTime(seconds: -5, nanoseconds: 7))
        #expect(throws: FileSystemError.self) { try root.setMode("link", 0o777) }
        #expect(throws: FileSystemError.self) { _ = try root.openFile("link", flags: O_RDONLY | O_NOFOLLOW) }
        #expect(root.resolveByName(Array("link".utf8), O_RDONLY | O_NOFOLLOW, 0) == -1)
        try root.remove("link")
        #expect(try read("a/b/file") == "inside")
    }

    @Test func namesAreBytes() throws {
        let name: [UInt8] = [0xff, 0x20, 0x0a, 0xc3]
        try root.makeDirectory(name)
        try root.symlink(name + Array("/l".utf8), target: name)
        #expect(try root.entries().map(\.name) == [Array("a".utf8), name])
        #expect(try root.directory(name).entries() == [DirectoryEntry(name: Array("l".utf8), type: .symlink)])
        #expect(try root.readLink(name + Array("/l".utf8)) == name)
        #expect(throws: FileSystemError("open the file", path: "a\0b", code: EINVAL)) { _ = try root.openFile("a\0b") }
    }

    @Test func changesAndAttributes() throws {
        try root.rename("a/b/file", to: "a/moved")
        try root.link("a/second", to: "a/moved")
        #expect(try root.status("a/second").nlink == 2)
        try root.setMode("a/moved", 0o4751)
        #expect(try root.status("a/second").mode == 0o4751)
        try root.setAttribute("a/moved", "user.color", [1, 2, 3])
        #expect(try root.attribute("a/second", "user.color") == [1, 2, 3])
        #expect(try root.attributeNames("a/second") == ["user.color"])
        #expect(try root.attribute("a/second", "user.none") == nil)
        #expect(try root.attribute("", "user.none") == nil)
        try root.makeNode("fifo", mode: S_IFIFO | 0o600, device: 0)
        #expect(try root.status("fifo").type == .fifo)
        #expect(try root.statusIfPresent("a/b/file") == nil)
        #expect(throws: FileSystemError.self) { try root.remove("a") }
        try root.remove("a", recursively: true)
        #expect(try root.statusIfPresent("a") == nil)
        for path in ["..", "", ".", "/"] {
            #expect(throws: FileSystemError.self) { try root.remove(path, recursively: true) }
        }
    }

    @Test func errorsSayWhatWhereAndWhy() throws {
        let error = try #require(throws: FileSystemError.self) { _ = try root.openFile("missing") }
        #expect(error.description == "\(root.path)/missing: cannot open the file: No such file or directory")
        #expect(error.isNotFound)
    }
}
