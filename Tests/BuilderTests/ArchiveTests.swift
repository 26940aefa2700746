import Builder
import Foundation
import TestSupport
import Testing

/// ADD of local archives.
@Suite(.tags(.integration), .thorough) struct ArchiveTests {
    /// Writes a tar of entries as Python dictionaries: `name`, `type`, `mode`, `uid`, `gid`, `link`, `data`, `xattrs`.
    static func tar(_ entries: String, to path: String) throws {
        let program = """
            import io, sys, tarfile
            kinds = {'f': tarfile.REGTYPE, 'd': tarfile.DIRTYPE, 'l': tarfile.SYMTYPE, 'h': tarfile.LNKTYPE,
                     'p': tarfile.FIFOTYPE}
            with tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT) as archive:
                for item in \(entries):
                    entry = tarfile.TarInfo(item['name'])
                    entry.type = kinds[item.get('type', 'f')]
                    entry.mode = item.get('mode', 0o644)
                    entry.uid, entry.gid = item.get('uid', 0), item.get('gid', 0)
                    entry.mtime = 1500000000
                    entry.linkname = item.get('link', '')
                    entry.pax_headers = {'SCHILY.xattr.' + k: v for k, v in item.get('xattrs', {}).items()}
                    data = item.get('data', '').encode()
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))
            """
        try Shell.run(["python3", "-c", program, path])
    }

    @Test(arguments: BuildMode.allCases) func unpacksWhatTheArchiveSays(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try Self.tar(
            """
            [{'name': 'd', 'type': 'd', 'mode': 0o750, 'uid': 5, 'gid': 6, 'xattrs': {'user.d': '1'}},
             {'name': 'd/f', 'mode': 0o4755, 'uid': 5, 'gid': 6, 'data': 'x', 'xattrs': {'user.f': '2'}},
             {'name': 'd/h', 'type': 'h', 'link': 'd/f', 'mode': 0o4755, 'uid': 5, 'gid': 6},
             {'name': 'd/l', 'type': 'l', 'link': '/d/f', 'mode': 0o777},
             {'name': 'd/p', 'type': 'p', 'mode': 0o600},
             {'name': 'srv/.wh.old.txt'}]
            """, to: bench.directory.file("context/a.tar"))
        let result = try await bench.build("FROM busybox\nADD --chmod=0600 a.tar /to\nADD a.tar /\n", mode: mode)
        let first = try result.layer(-2)
        #expect(
            first.short == [
                "to": "d 0755 0:0", "to/d": "d 0750 5:6", "to/d/f": "f 04755 5:6", "to/d/h": "h 04755 5:6 to/d/f",
                "to/d/l": "l 0777 0:0 /d/f", "to/d/p": "p 0600 0:0", "to/srv": "d 0755 0:0",
                "to/srv/.wh.old.txt": "f 0644 0:0",
            ])
        #expect(first["to/d"]?.xattrs == ["user.d": "1"])
        #expect(first["to/d/f"]?.xattrs == ["user.f": "2"])
        #expect(first["to/d/f"]?.mtime == 1_500_000_000)
        // Marks of removed files are taken for what they are by whoever reads the layer.
        #expect(try !result.exists("srv/old.txt"))
    }

    /// What `tar -C DIRECTORY .` says of its directory: nothing about the destination.
    @Test(arguments: [".", "./", "/", "d/..", ".//."], BuildMode.allCases)
    func theDestinationKeepsItsOwn(name: String, mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try Self.tar(
            """
            [{'name': '\(name)', 'type': 'd', 'mode': 0o700, 'uid': 5, 'gid': 6, 'xattrs': {'user.d': '1'}},
             {'name': './f', 'data': 'x'}, {'name': 'tmp', 'type': 'd', 'mode': 0o711, 'uid': 7}]
            """, to: bench.directory.file("context/a.tar"))
        let result = try await bench.build(
            """
            FROM busybox
            ADD a.tar /tmp
            ADD a.tar /
            ADD a.tar /new/deep
            ADD --chown=8:9 a.tar /owned
            ADD a.tar /data
            ADD --link a.tar /tmp
            """, mode: mode)
        let tree = try result.tree()
        #expect(try result.layer(-6)["tmp"]?.short == "d 01777 0:0")
        // A folder that the archive names with its own name is the archive's.
        #expect(try result.layer(-5)["tmp"]?.short == "d 0711 7:0")
        #expect(tree["new"] == "d 0755 0:0" && tree["new/deep"] == "d 0755 0:0")
        #expect(tree["owned"] == "d 0755 8:9" && tree["owned/f"] == "f 0644 8:9")
        #expect(tree["srv"] == "d 0755 0:0" && tree["srv/f"] != nil)
        #expect(try result.layer(-1)["tmp"]?.short == "d 0755 0:0", "linked, it stands on nothing")
        #expect(try result.layer(-4)["new/deep"]?.xattrs == [:])
    }

    /// As in Docker and BuildKit.
    @Test(arguments: BuildMode.allCases)
    func theLastHeaderOfAHardLinkCounts(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try Self.tar(
            """
            [{'name': 'f', 'data': 'x', 'mode': 0o4755, 'uid': 5},
             {'name': 'g', 'type': 'h', 'link': 'f', 'mode': 0o600, 'uid': 3, 'gid': 4, 'xattrs': {'user.f': '2'}},
             {'name': 'l', 'type': 'l', 'link': 'f', 'mode': 0o777}, {'name': 'm', 'type': 'h', 'link': 'l', 'uid': 3},
             {'name': 'r', 'uid': 5}, {'name': 's', 'type': 'h', 'link': 'r'},
             {'name': 'd', 'type': 'd', 'uid': 5}, {'name': 'd', 'type': 'd', 'mode': 0o711}]
            """, to: bench.directory.file("context/a.tar"))
        let result = try await bench.build(
            "FROM busybox\nADD a.tar /to\nADD --chown=8:9 a.tar /owned\nRUN stat -c '%n %a %u:%g' /to/* > /seen\n",
            mode: mode)
        let layer = try result.layer(-3)
        #expect(layer["to/f"]?.short == "f 0600 3:4" && layer["to/f"]?.xattrs == ["user.f": "2"])
        #expect(layer["to/l"]?.short == "l 0777 3:0 f")
        #expect(layer["to/r"]?.short == "f 0644 0:0" && layer["to/d"]?.short == "d 0711 0:0")
        #expect(try result.layer(-2)["owned/f"]?.short == "f 0600 8:9")
        #expect(
            try result.text("seen")
                == "/to/d 711 0:0\n/to/f 600 3:4\n/to/g 600 3:4\n/to/l 777 3:0\n/to/m 777 3:0\n/to/r 644 0:0\n/to/s 644 0:0\n"
        )
    }

    @Test(arguments: BuildMode.allCases) func replacesWhatIsThere(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try Self.tar(
            """
            [{'name': 'home', 'data': 'a file where a folder was'},
             {'name': 'data', 'type': 'd'}, {'name': 'data/x', 'data': 'a folder where a link was'},
             {'name': 'etc', 'type': 'd', 'mode': 0o700, 'uid': 3}, {'name': 'etc/new', 'data': 'merged'},
             {'name': 'link', 'type': 'l', 'link': 'etc'}, {'name': 'link/through', 'data': 'through'},
             {'name': 'twice/a', 'data': '1'}, {'name': 'twice', 'data': '2'}, {'name': 'tmp', 'type': 'l', 'link': 'srv'}]
            """, to: bench.directory.file("context/a.tar"))
        let result = try await bench.build(
            "FROM busybox\nADD a.tar /\nRUN cat /data/x /etc/through /twice > /seen\n", mode: mode)
        let tree = try result.tree()
        #expect(tree["home"] == "f 0644 0:0" && tree["home/app"] == nil)
        #expect(tree["data"] == "d 0644 0:0" && tree["srv/x"] == nil)
        #expect(tree["etc"] == "d 0700 3:0" && tree["etc/passwd"] != nil && tree["etc/new"] != nil)
        #expect(tree["link"] == "l 0777 0:0 etc" || tree["link"] == "l 0644 0:0 etc")
        #expect(tree["tmp"]?.hasPrefix("l") == true)
        #expect(try result.text("seen") == "a folder where a link wasthrough2")
    }

    @Test func staysBelowTheDestination() async throws {
        let bench = try await Workbench()
        try Self.tar(
            """
            [{'name': '../../up', 'data': 'x'}, {'name': '/abs', 'data': 'x'},
             {'name': 'out', 'type': 'l', 'link': '/etc'}, {'name': 'out/passwd', 'data': 'x'},
             {'name': 'far', 'type': 'l', 'link': '../../../../etc'}, {'name': 'far/group', 'data': 'y'},
             {'name': 'etc/own', 'data': 'z'}, {'name': 'hard', 'type': 'h', 'link': '../../etc/own'}]
            """, to: bench.directory.file("context/a.tar"))
        let result = try await bench.build("FROM busybox\nADD a.tar /to/here/\n")
        #expect(
            try result.layer(-1).entries.keys.sorted() == [
                "to", "to/here", "to/here/abs", "to/here/etc", "to/here/etc/group", "to/here/etc/own",
                "to/here/etc/passwd", "to/here/far", "to/here/hard", "to/here/out", "to/here/up",
            ])
        #expect(try result.text("etc/passwd").hasPrefix("root:x:0:0"))
        try Self.tar(
            "[{'name': 'h', 'type': 'h', 'link': '/etc/passwd'}]", to: bench.directory.file("context/b.tar"))
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nADD b.tar /to/here/\n")
        }
        #expect(error?.summary.contains("/etc/passwd") == true)
    }

    @Test(arguments: [("tgz", "gzip"), ("tar.bz2", "bzip2"), ("txz", "xz"), ("any", "zstd"), ("tar", "cat")])
    func unpacksEveryCompression(suffix: String, tool: String) async throws {
        let bench = try await Workbench()
        let context = bench.directory.file("context")
        try Self.tar("[{'name': 'd/f', 'data': 'x', 'uid': 4}]", to: context + "/plain")
        try Shell.run([
            "sh", "-c", "cd \(context) && \(tool) < plain > a.\(suffix) && echo hello | \(tool) > b.\(suffix)",
        ])
        let result = try await bench.build(
            """
            FROM scratch
            ADD a.\(suffix) /to
            ADD b.\(suffix) a.\(suffix) /kept/
            ADD --unpack=false a.\(suffix) /off/
            """)
        let tree = try result.tree()
        #expect(
            tree == [
                "to": "d 0755 0:0", "to/d": "d 0755 0:0", "to/d/f": "f 0644 4:0", "kept": "d 0755 0:0",
                "kept/b.\(suffix)": "f 0644 0:0", "kept/d": "d 0755 0:0", "kept/d/f": "f 0644 4:0", "off": "d 0755 0:0",
                "off/a.\(suffix)": "f 0644 0:0",
            ])
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: result.unpack() + "/off/a.\(suffix)"))
                == Data(contentsOf: URL(fileURLWithPath: context + "/a.\(suffix)")))
    }

    @Test func stopsBombs() async throws {
        let bench = try await Workbench()
        let context = bench.directory.file("context")
        // A header for 4 GiB, and as many zeros; compressed 16 kB, or 4 MB with gzip.
        let program = """
            import bz2, sys, tarfile
            entry = tarfile.TarInfo('zeros')
            entry.size = 4 << 30
            packer = bz2.BZ2Compressor(9)
            with open(sys.argv[1], 'wb') as out:
                out.write(packer.compress(entry.tobuf()))
                out.write(packer.flush())
                packer = bz2.BZ2Compressor(9)
                piece = packer.compress(bytes(64 << 20)) + packer.flush()
                for _ in range(64): out.write(piece)
            """
        try Shell.run(["python3", "-c", program, context + "/bomb.tbz"])
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("FROM scratch\nADD bomb.tbz /to/\n")
        }
        #expect(error?.cause?.contains("unpacks to more than") == true, "\(String(describing: error))")
        #expect(error?.place == "Dockerfile:2:1")
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/builds")).isEmpty)
    }
}
