import Archive
import FileSystem
import Glibc
import TestSupport
import Testing

/// Against GNU tar, both ways.
@Suite(.tags(.integration), .thorough)
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

    /// The old GNU format, with and without blocks behind the header, and the three of pax.
    @Test(arguments: ["--format=gnu", "--sparse-version=0.0", "--sparse-version=0.1", "--sparse-version=1.0"])
    func sparseFiles(format: String) throws {
        let program = """
            import os, sys
            os.chdir(sys.argv[1])
            def make(name, size, pieces):
                with open(name, 'wb') as file:
                    for place, text in pieces:
                        file.seek(place)
                        file.write(text.encode())
                    file.truncate(size)
            make('hole', 1 << 20, [])
            make('end', (1 << 20) + 7, [((1 << 20) + 4, 'end')])
            make('start', 1 << 20, [(0, 'start')])
            make('many', 8 << 20, [(n * 131072 + 4096, f'piece {n}' * 700) for n in range(60)])
            make('plain', 5, [(0, 'plain')])
            make('d' * 90 + '.long', 1 << 20, [(500000, 'x')])
            """
        let names = ["hole", "end", "start", "many", "plain", String(repeating: "d", count: 90) + ".long"]
        try Shell.run(["python3", "-c", program, scratch.path])
        try Shell.run(["sh", "-c", "cd \(scratch.path) && tar \(format) -S -cf a.tar \(names.joined(separator: " "))"])
        let archive = try bytes(ofFile: scratch.file("a.tar"))
        #expect(archive.count < 2 << 20, "it is sparse")
        let found = try entries(archive)
        #expect(found.map { String(decoding: $0.entry.name, as: UTF8.self) } == names)
        for (name, file) in zip(names, found) {
            let own = try bytes(ofFile: scratch.file(name))
            #expect(file.entry.size == Int64(own.count) && file.content == own, "\(name)")
        }
        // Passed over unread, what follows is found.
        var reader = TarReader(BytesSource(archive))
        var count = 0
        while try reader.next() != nil { count += 1 }
        #expect(count == names.count)
        // And unpacked, it takes no more room than before.
        let target = try Directory.create(path: scratch.file("unpacked"))
        try LayerExtractor.extract(
            BytesSource(archive), into: target, mode: .overlay, ownership: getuid() == 0 ? .apply : .record)
        for name in names {
            #expect(try bytes(ofFile: scratch.file("unpacked/" + name)) == bytes(ofFile: scratch.file(name)), "\(name)")
        }
        var status = stat()
        #expect(stat(scratch.file("unpacked/hole"), &status) == 0 && status.st_blocks == 0 && status.st_size == 1 << 20)
    }

    @Test(
        arguments: [
            ("major=1,minor=0,name=x,realsize=100", "1\n0\n", "is cut"),
            ("size=100,map=0,5,3,4", "123456789", "overlaps"),
            ("size=4,map=0,9", "123456789", "is beyond the end"), ("size=100,map=0,5", "123456789", "says less"),
            ("size=100,map=0", "", "is odd"), ("size=100,map=-1,9", "123456789", "is negative"),
            ("size=9223372036854775807,map=0,9", "123456789", "is impossibly large"),
            ("size=100,map=9223372036854775807,9", "123456789", "overflows"), ("map=0,9", "123456789", "has no size"),
            ("major=1,minor=0,name=x,realsize=100", "99999999\n0\n", "has too many pieces"),
        ])
    func damagedMaps(records: String, content: String, what: String) throws {
        let program = """
            import io, sys, tarfile
            with tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT) as archive:
                entry = tarfile.TarInfo('f')
                fields, key = {}, None
                for part in sys.argv[2].split(','):
                    if '=' in part:
                        key, part = part.split('=', 1)
                        fields['GNU.sparse.' + key] = part
                    else:
                        fields['GNU.sparse.' + key] += ',' + part
                entry.pax_headers = fields
                data = sys.argv[3].encode()
                if 'GNU.sparse.major' in fields: data = data.ljust(512, b'\\0')
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
            """
        try Shell.run(["python3", "-c", program, scratch.file("a.tar"), records, content])
        let archive = try bytes(ofFile: scratch.file("a.tar"))
        let error = #expect(throws: ArchiveError.self, "a map that \(what)") { try entries(archive) }
        #expect(error?.code == .malformed, "\(what)")
    }
}
