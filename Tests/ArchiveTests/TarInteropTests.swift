import Archive
import FileSystem
import Glibc
import TestSupport
import Testing

/// Against GNU tar, both ways.
@Suite(.tags(.integration))
struct TarInteropTests {
    let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("tar") }

    static let longName = String(repeating: "long-directory-name/", count: 12) + "file"

    @Test(arguments: ["gnu", "pax", "ustar"])
    func readsWhatGNUTarWrites(format: String) throws {
        let root = try Directory.create(path: scratch.file("in"))
        let name = format == "ustar" ? "short" : Self.longName
        let script = """
            set -e; cd \(scratch.file("in")); mkdir -p "$(dirname \(name))" d
            printf hello > \(name); ln \(name) second; ln -s \(name) link; mkfifo fifo; chmod 4755 second; : > empty
            printf 1 > "$(printf 'caf\\351')"; touch -d @123456789.5 d; chmod 1777 d
            [ $(id -u) != 0 ] || { mknod null c 1 3; mknod disk b 8 300; chown 12:34 empty; }
            """
        try Shell.run(["sh", "-c", script])
        try root.setAttribute("empty", "user.note", [0, 255, 10])
        let extra = format == "pax" ? ["--xattrs", "--xattrs-include=*"] : []
        try Shell.run(
            ["tar", "--format", format, "--sort=name", "-cf", scratch.file("x.tar")] + extra + ["-C", root.path, "."])
        let found = try entries(try bytes(ofFile: scratch.file("x.tar")))
        func entry(_ name: [UInt8]) throws -> (entry: TarEntry, content: [UInt8]) {
            try #require(found.first { $0.entry.name == Array("./".utf8) + name })
        }
        func entry(_ name: String) throws -> (entry: TarEntry, content: [UInt8]) { try entry(Array(name.utf8)) }
        let file = try entry(name)
        let second = try entry("second")
        #expect(Set([file.entry.kind, second.entry.kind]) == [.file, .hardLink])
        #expect(file.content + second.content == Array("hello".utf8))
        #expect((file.entry.linkName + second.entry.linkName).count > 0)
        #expect(file.entry.mode == 0o4755)
        #expect(try entry("link").entry.linkName == Array(name.utf8))
        #expect(try entry("link").entry.kind == .symlink)
        #expect(try entry("fifo").entry.kind == .fifo)
        #expect(try entry([0x63, 0x61, 0x66, 0xe9]).content == [0x31])
        let directory = try entry("d/").entry
        #expect(directory.kind == .directory && directory.mode == 0o1777)
        #expect(directory.modified == .init(seconds: 123_456_789, nanoseconds: format == "pax" ? 500_000_000 : 0))
        if format == "pax" { #expect(try entry("empty").entry.xattrs["user.note"] == [0, 255, 10]) }
        if getuid() == 0 {
            let disk = try entry("disk").entry
            #expect(disk.kind == .blockDevice && disk.major == 8 && disk.minor == 300)
            #expect(try entry("null").entry.kind == .characterDevice)
            #expect(try entry("empty").entry.uid == 12 && entry("empty").entry.gid == 34)
        } else {
            print("not root: device nodes and owners are not in the archive")
        }
    }

    @Test func gnuTarReadsWhatIsWritten() throws {
        let odd: [UInt8] = [0x63, 0x61, 0x66, 0xe9]
        let items: [Item] = [
            .directory("d", mode: 0o1777).with { $0.modified = .init(seconds: 123_456_789, nanoseconds: 250_000_000) },
            .file("d/" + Self.longName, "content"), .file(odd, "1"), .symlink("link", Self.longName),
            .hardLink("hard", "d/" + Self.longName), .node("fifo", .fifo), .file("set", mode: 0o4755),
            .file("old").with { $0.modified = .init(seconds: -2, nanoseconds: 500_000_000) },
            .file("owned").with { ($0.uid, $0.gid) = (3_000_000, 4_000_000_000) },
            .file("noted").with { $0.xattrs = ["user.note": [0, 61, 10, 255]] },
        ]
        let archive = try tar(items)
        #expect(archive.count % 512 == 0)
        #expect(try tar(items) == archive)
        try AtomicFile.write(archive, to: scratch.file("x.tar"))
        _ = try Directory.create(path: scratch.file("out"))
        try Shell.run(
            [
                "tar", "-xpf", scratch.file("x.tar"), "--xattrs", "--xattrs-include=*", "--delay-directory-restore",
                "-C", scratch.file("out"),
            ], environment: ["LC_ALL": "C"])
        let out = try Directory(path: scratch.file("out"))
        #expect(try out.openFile("hard").readAll(limit: 10) == Array("content".utf8))
        #expect(try out.status("hard").nlink == 2)
        #expect(try out.openFile(odd).readAll(limit: 10) == [0x31])
        #expect(try out.readLink("link") == Array(Self.longName.utf8))
        #expect(try out.status("fifo").type == .fifo)
        #expect(try out.status("d").mode == 0o1777)
        #expect(try out.status("d").mtime == FileTime(seconds: 123_456_789, nanoseconds: 250_000_000))
        #expect(try out.status("old").mtime == FileTime(seconds: -2, nanoseconds: 500_000_000))
        #expect(try out.attribute("noted", "user.note") == [0, 61, 10, 255])
        if getuid() == 0 {
            #expect(try out.status("owned").uid == 3_000_000 && out.status("owned").gid == 4_000_000_000)
        }
        let again = try entries(archive)
        #expect(
            again.map(\.entry)
                == items.map { item in
                    item.entry.kind == .directory ? item.with { $0.name.append(UInt8(ascii: "/")) }.entry : item.entry
                })
        #expect(again.map(\.content) == items.map(\.content))
    }

    @Test func sizesBeyondEightGiB() throws {
        // Only the headers are written and read: the content is a hole that nobody reads.
        var writer = TarWriter(BytesSink())
        try writer.append(Item.file("huge").with { $0.size = 20 << 30 }.entry)
        var reader = TarReader(BytesSource(writer.sink.bytes))
        #expect(try reader.next()?.size == 20 << 30)
        try Shell.run([
            "sh", "-c",
            "truncate -s 9G \(scratch.file("big")) && cd \(scratch.path) && tar --format gnu -cf - big | head -c 1024 > head",
        ])
        var gnu = TarReader(BytesSource(try bytes(ofFile: scratch.file("head"))))
        #expect(try gnu.next()?.size == 9 << 30)
    }

    @Test func sparseArchivesAreRefused() throws {
        try Shell.run([
            "sh", "-c",
            "cd \(scratch.path); truncate -s 1M hole; tar -S -cf a.tar hole; tar -S --format pax -cf b.tar hole",
        ])
        for name in ["a.tar", "b.tar"] {
            let archive = try bytes(ofFile: scratch.file(name))
            let error = try #require(throws: ArchiveError.self) { _ = try entries(archive) }
            #expect(error.hint == "make the archive without --sparse")
        }
    }
}
