import Archive
import FileSystem
import Glibc
import TestSupport
import Testing

/// Layers unpacked for an overlay: what a mount of them will show.
@Suite(.tags(.integration), .thorough)
struct LayerExtractorTests {
    let scratch: TemporaryDirectory
    let layer: Directory

    init() throws {
        scratch = try TemporaryDirectory("layer")
        _ = chmod(scratch.path, 0o777)
        layer = try Directory.create(path: scratch.file("layer"))
    }

    private var ownership: OwnershipPolicy { getuid() == 0 ? .apply : .record }

    @discardableResult
    private func extract(
        _ items: [Item], into directory: Directory? = nil, lowers: [Directory] = [],
        mode: LayerExtractor.Mode = .overlay, limits: ExtractionLimits = .standard
    ) throws -> ExtractionSummary {
        try LayerExtractor.extract(
            BytesSource(try tar(items)), into: directory ?? layer, mode: mode, ownership: ownership, lowers: lowers,
            limits: limits)
    }

    private func lower(_ name: String, _ items: [Item], over lowers: [Directory] = []) throws -> Directory {
        let directory = try Directory.create(path: scratch.file(name))
        try extract(items, into: directory, lowers: lowers)
        return directory
    }

    private func text(_ path: some PathName, in directory: Directory? = nil) throws -> String {
        String(decoding: try (directory ?? layer).openFile(path).readAll(limit: 1 << 20), as: UTF8.self)
    }

    // MARK: Content

    @Test func everyKindOfFile() throws {
        let odd: [UInt8] = [0xff, 0xfe, 0x20]
        let summary = try extract([
            .directory("./", mode: 0o711), .directory("d", mode: 0o1777), .file("d/f", "text", mode: 0o4750),
            .symlink("d/l", "../d/f"), .hardLink("h", "./d/f").with { $0.mode = 0o4750 }, .node("fifo", .fifo),
            .file(odd, "odd"),
            .file("n").with { $0.xattrs = ["user.note": [1, 0]] },
        ])
        #expect(summary.entries == 8 && summary.bytes == 7)
        #expect(try text("d/f") == "text" && text(odd) == "odd")
        #expect(try layer.status("d/f").mode == 0o4750)
        #expect(try layer.status("d/f").inode == layer.status("h").inode)
        #expect(try layer.readLink("d/l") == Array("../d/f".utf8))
        #expect(try layer.status("fifo").type == .fifo && layer.status("fifo").mode == 0o620)
        #expect(try layer.attribute("n", "user.note") == [1, 0])
        // Directories last, so that what was put into them does not change their times.
        for path in ["", "d", "d/f", "d/l", "fifo", "h"] {
            #expect(try layer.status(path).mtime == FileTime(seconds: 1_000_000_000), "\(path)")
        }
        #expect(try layer.status("").mode == 0o711 && layer.status("d").mode == 0o1777)
    }

    @Test(.enabled(if: getuid() == 0, "needs root: owners, capabilities and device nodes"))
    func ownersCapabilitiesAndDevices() throws {
        let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20] + [UInt8](repeating: 0, count: 14)
        try extract([
            .directory("d", mode: 0o2750).with { ($0.uid, $0.gid) = (7, 8) },
            .file("set", mode: 0o6755).with { ($0.uid, $0.gid) = (70_000, 8) },
            .file("cap", mode: 0o755).with {
                $0.uid = 5; $0.xattrs = ["security.capability": capability]
            },
            .symlink("l", "x").with { $0.uid = 9 }, .node("tty", .characterDevice, 5, 300),
            .node("sda", .blockDevice, 8, 0),
        ])
        #expect(try layer.status("d").mode == 0o2750 && layer.status("d").gid == 8)
        #expect(try layer.status("set").uid == 70_000 && layer.status("set").mode == 0o6755)
        #expect(try layer.attribute("cap", "security.capability") == capability)
        #expect(try layer.status("l").uid == 9)
        let tty = try layer.status("tty")
        #expect(tty.type == .characterDevice && deviceParts(tty.rdev) == (5, 300) && tty.mode == 0o620)
        #expect(try layer.status("sda").type == .blockDevice)
    }

    @Test func ordinaryUserRecordsOwners() throws {
        let path = scratch.file("recorded")
        let archive = try tar([
            .directory("d", mode: 0o555).with { ($0.uid, $0.gid) = (7, 8) },
            .file("d/f", "x", mode: 0o400).with { $0.uid = 70_000 }, .file("root"),
            .node("null", .characterDevice, 1, 3),
            .file("d/gone"), .file("d/.wh.old"), .file("x/.wh..wh..opq"),
            .hardLink("again", "d/f").with { ($0.mode, $0.uid) = (0o400, 70_000) },
        ])
        try asOrdinaryUser {
            let directory = try Directory.create(path: path)
            let summary = try LayerExtractor.extract(
                BytesSource(archive), into: directory, mode: .overlay, ownership: .record)
            #expect(summary.whiteouts == 1 && summary.opaqueDirectories == 1)
            #expect(try OwnershipRecord.read("d", in: directory) == OwnershipRecord(uid: 7, gid: 8))
            #expect(try OwnershipRecord.read("d/f", in: directory) == OwnershipRecord(uid: 70_000, gid: 0))
            #expect(try OwnershipRecord.read("root", in: directory) == nil)
            let null = try #require(try OwnershipRecord.read("null", in: directory))
            #expect(null.node == .init(mode: S_IFCHR | 0o620, rdev: deviceNumber(major: 1, minor: 3)))
            #expect(try directory.status("null").type == .file)
            #expect(try directory.status("d").mode == 0o555 && directory.status("d/f").mode == 0o400)
            #expect(try directory.status("d/old").isWhiteout)
            #expect(try directory.attribute("x", "user.overlay.opaque") == [0x79])
            #expect(try directory.status("again").nlink == 2)
            // A link into a lower layer takes the record along.
            let above = try Directory.create(path: path + "-above")
            try LayerExtractor.extract(
                BytesSource(
                    try tar([
                        .hardLink("own/link", "d/f").with { $0.uid = 70_000 },
                        .hardLink("dev", "null").with { $0.mode = 0o620 },
                    ])), into: above,
                mode: .overlay,
                ownership: .record, lowers: [directory])
            #expect(try OwnershipRecord.read("own/link", in: above) == OwnershipRecord(uid: 70_000, gid: 0))
            #expect(try OwnershipRecord.read("dev", in: above) == null)
            #expect(try above.status("d").mode == 0o555)
            #expect(try OwnershipRecord.read("d", in: above) == OwnershipRecord(uid: 7, gid: 8))
            try removeTree(path)
        }
    }

    @Test func hardLinks() throws {
        let base = try lower(
            "base", [.directory("usr"), .file("usr/tool", "lower", mode: 0o755), .symlink("usr/sym", "tool")])
        try extract(
            [
                .hardLink("early", "late"), .file("late", "late"), .hardLink("b", "a"), .hardLink("a", "late"),
                .hardLink("bin/tool", "/usr/tool").with { $0.mode = 0o755 }, .hardLink("sym", "usr/sym"),
                .hardLink("self", "self2"),
                .hardLink("self2", "self2"), .file("self2", "s"), .hardLink("taken", "other"), .file("taken", "old"),
                .file("other", "new"),
            ], lowers: [base])
        #expect(try text("early") == "late" && text("b") == "late")
        #expect(try layer.status("late").nlink == 4)
        // As on overlayfs: the lower file came up, and both names are one file.
        #expect(try layer.status("bin/tool").inode == layer.status("usr/tool").inode)
        #expect(try text("usr/tool") == "lower" && layer.status("bin/tool").mode == 0o755)
        #expect(try layer.readLink("sym") == Array("tool".utf8))
        #expect(try layer.status("self").inode == layer.status("self2").inode)
        #expect(try text("taken") == "new")
        #expect(try base.status("usr/tool").nlink == 1)
    }

    /// As in Docker and containerd: whoever unpacks the layer there sees the same.
    @Test func theLastHeaderOfAHardLinkCounts() throws {
        let base = try lower("base", [.file("below", "lower", mode: 0o755)])
        let isRoot = getuid() == 0
        let other: @Sendable (inout TarEntry) -> Void = {
            ($0.mode, $0.modified) = (0o600, .init(seconds: 1_200_000_000, nanoseconds: 5))
            ($0.uid, $0.gid) = (3, 4)
            $0.xattrs = ["user.note": [7]]
        }
        try extract(
            [
                .directory("d", mode: 0o500), .file("d/f", "1", mode: 0o4755), .hardLink("d/g", "d/f").with(other),
                .hardLink("early", "late").with(other), .file("late", "2"),
                .file("large", String(repeating: "x", count: 200_000)), .hardLink("again", "large").with(other),
                .symlink("l", "nowhere"), .hardLink("m", "l").with(other), .node("fifo", .fifo),
                .hardLink("pipe", "fifo").with(other), .hardLink("up", "below").with(other),
                // The link's name is another file's by the end, and then its target's too.
                .file("p", "p"), .hardLink("q", "p").with(other), .file("q", "q"),
                .file("r", "r"), .hardLink("s", "r").with(other), .file("r", "new"), .hardLink("t", "s"),
                .file("root").with { $0.uid = 9 }, .hardLink("mine", "root"),
            ], lowers: [base])
        func owner(_ path: String) throws -> [UInt32] {
            let status = try layer.status(path)
            if isRoot { return [status.uid, status.gid] }
            let record = try OwnershipRecord.read(path, in: layer)
            return [record?.uid ?? 0, record?.gid ?? 0]
        }
        for path in ["d/f", "d/g", "early", "late", "large", "again", "below", "up", "p", "fifo", "pipe"] {
            let status = try layer.status(path)
            #expect(status.mode == 0o600, "\(path)")
            #expect(status.mtime == FileTime(seconds: 1_200_000_000, nanoseconds: 5), "\(path)")
            guard status.type == .file else { continue }
            #expect(try owner(path) == [3, 4], "\(path)")
            #expect(try layer.attribute(path, "user.note") == [7], "\(path)")
        }
        #expect(try layer.status("d").mode == 0o500 && layer.status("l").mode == 0o777)
        #expect(try layer.status("l").mtime == FileTime(seconds: 1_200_000_000, nanoseconds: 5))
        if isRoot { #expect(try owner("l") == [3, 4] && owner("fifo") == [3, 4]) }
        #expect(try layer.status("q").mode == 0o644 && owner("q") == [0, 0])
        #expect(try layer.status("r").mode == 0o644 && text("r") == "new")
        // The last of several.
        #expect(try layer.status("s").mode == 0o644 && owner("s") == [0, 0] && text("t") == "r")
        #expect(try owner("root") == [0, 0])
        #expect(try base.status("below").mode == 0o755)
    }

    @Test func directoriesComeFromBelow() throws {
        let bottom = try lower(
            "bottom",
            [
                .directory("", mode: 0o751), .directory("usr/lib", mode: 0o2755).with { $0.gid = 50 },
                .symlink("lib", "usr/lib"),
                .symlink("abs", "/usr/lib"), .directory("gone/deep", mode: 0o700),
                .directory("cleared/deep", mode: 0o700),
            ])
        let top = try lower(
            "top", [.directory("usr"), .file(".wh.gone"), .file("cleared/.wh..wh..opq")], over: [bottom])
        try extract(
            [
                .file("lib/one", "1"), .file("abs/../lib/two", "2"), .file("gone/deep/f"), .file("cleared/deep/f"),
                .file("new/dir/f"),
            ], lowers: [top, bottom])
        #expect(try text("usr/lib/one") == "1" && text("usr/lib/two") == "2")
        #expect(try layer.status("usr/lib").mode == 0o2755)
        if getuid() == 0 { #expect(try layer.status("usr/lib").gid == 50) }
        #expect(try layer.statusIfPresent("abs") == nil)
        // What is hidden lends nothing.
        for path in ["gone/deep", "cleared/deep", "new/dir"] { #expect(try layer.status(path).mode == 0o755) }
        #expect(try layer.status("").mode == 0o751)
    }

    // MARK: Removed files

    @Test func whiteouts() throws {
        let summary = try extract([
            .file("d/.wh.f"), .directory("d", mode: 0o750), .file("o/.wh..wh..opq"), .file("o/kept", "k"),
            .file(".wh.replaced"), .directory("replaced"), .file("replaced/f"), .directory("later"), .file("later/f"),
            .file(".wh.later"), .file(".wh.file"), .file("file", "new"), .file("file2", "new"), .file(".wh.file2"),
            .file(".wh..wh.plnk/x"), .file(".wh..wh.aufs"), .node("oci", .characterDevice, 0, 0),
            .file("d/.wh.parent"), .file("d/parent/child"),
        ])
        #expect(summary.opaqueDirectories == 1)
        #expect(try layer.status("d/f").isWhiteout && layer.status("d").mode == 0o750)
        #expect(try layer.status("oci").isWhiteout)
        for path in ["o", "replaced", "later", "d/parent"] {
            #expect(try layer.attribute(path, "user.overlay.opaque") == [0x79], "\(path)")
        }
        #expect(try layer.attribute("d", "user.overlay.opaque") == nil)
        #expect(try layer.statusIfPresent("later/f") != nil && layer.statusIfPresent("replaced/f") != nil)
        #expect(try text("file") == "new" && text("file2") == "new" && text("o/kept") == "k")
        #expect(try layer.statusIfPresent(".wh..wh.aufs") == nil)
    }

    @Test(arguments: [".wh.", ".wh..", ".wh...", "d/.wh.."])
    func marksWithoutName(_ name: String) throws {
        #expect(throws: ArchiveError.self) { try self.extract([.file(name)]) }
        #expect(try layer.statusIfPresent("") != nil)
    }

    @Test func mergedIntoARoot() throws {
        try extract(
            [.file("a/1"), .file("a/2"), .file("b/c/d"), .file("link/x"), .directory("keep", mode: 0o700)], mode: .merge
        )
        try extract(
            [
                .file(".wh.b"), .file("a/new"), .file("a/.wh..wh..opq"), .file("a/later"), .file("keep"),
                .symlink("link", "a"),
                .file("link/through"), .file(".wh.missing"),
            ], mode: .merge)
        #expect(try layer.entries().map { String(decoding: $0.name, as: UTF8.self) } == ["a", "keep", "link"])
        #expect(
            try layer.directory("a").entries().map { String(decoding: $0.name, as: UTF8.self) }
                == ["later", "new", "through"])
        #expect(try layer.status("keep").type == .file)
    }

    @Test func laterEntriesReplaceEarlierOnes() throws {
        try extract([
            .file("x", "1"), .directory("x"), .file("x/y"), .file("x", "2"), .symlink("x", "nowhere"), .file("x", "3"),
            .node("x", .fifo), .hardLink("z", "y"), .file("y", "y1"), .directory("d", mode: 0o700),
            .directory("d", mode: 0o711), .file("p/q", "q"), .symlink("p", "d"), .file("p/r", "r"),
        ])
        #expect(try layer.status("x").type == .fifo)
        #expect(try layer.status("d").mode == 0o711)
        #expect(try text("d/r") == "r" && layer.status("p").type == .symlink)
    }

    // MARK: Very many files

    private static let sizes = [0, 1, 511, 512, 4_000, 128 << 10, (128 << 10) + 1, 300 << 10]

    /// Files whose content tells which they are.
    private func files(_ count: Int) -> [Item] {
        (0..<count).map { number in
            let size = Self.sizes[number % Self.sizes.count]
            let text = "\(number)|" + String(repeating: "x", count: size)
            return .file(
                "d\(number % 7)/f\(number)", String(text.prefix(size)), mode: UInt32(0o400 | number % 0o400))
        }
    }

    @Test func contentsFollowNames() throws {
        let files = files(200)
        // Some are replaced, some get a second name, all while their content may still be on its way.
        var items: [Item] = []
        for (number, file) in files.enumerated() {
            if number % 5 == 0 { items.append(.file(file.entry.name, "replaced", mode: 0o777)) }
            items.append(file)
            if number % 3 == 0 {
                let name = String(decoding: file.entry.name, as: UTF8.self)
                items.append(.hardLink("link\(number)", name).with { $0.mode = file.entry.mode })
            }
        }
        let summary = try extract(items)
        #expect(summary.entries == items.count)
        for (number, file) in files.enumerated() {
            #expect(try layer.openFile(file.entry.name).readAll(limit: 1 << 20) == file.content, "\(number)")
            let status = try layer.status(file.entry.name)
            #expect(status.mode == file.entry.mode && status.mtime == FileTime(seconds: 1_000_000_000), "\(number)")
            if number % 3 == 0 { #expect(try layer.status("link\(number)").inode == status.inode, "\(number)") }
        }
    }

    @Test func aFullDiskIsSaid() throws {
        guard let disk = try SmallDisk(at: scratch.file("small"), megabytes: 2) else { return }
        let error = try #require(throws: ArchiveError.self) {
            try self.extract(self.files(200), into: try Directory(path: disk.path))
        }
        #expect(error.code == .fileSystem && error.cause?.hasSuffix("No space left on device") == true)
        #expect(error.place?.hasPrefix("d") == true)
    }

    @Test func aBrokenArchiveLeavesNoFileOpen() throws {
        let archive = try tar(files(200))
        let error = #expect(throws: ArchiveError.self) {
            try LayerExtractor.extract(
                BytesSource(Array(archive.prefix(archive.count * 2 / 3))), into: layer, mode: .overlay,
                ownership: ownership)
        }
        #expect(error != nil)
        var open: [String] = []
        for number in 0..<1_024 {
            var target = [CChar](repeating: 0, count: 4_096)
            guard readlink("/proc/self/fd/\(number)", &target, target.count - 1) > 0 else { continue }
            let path = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if path.hasPrefix(scratch.file("layer") + "/") { open.append(path) }
        }
        #expect(open.isEmpty)
    }

    // MARK: Hostile archives

    @Test func nothingEscapes() throws {
        try AtomicFile.write(Array("secret".utf8), to: scratch.file("secret"))
        try extract([
            .file("../up", "1"), .file("/absolute", "2"), .file("a/../../../b", "3"), .symlink("out", scratch.path),
            .file("out/new", "4"), .symlink("rel", "../../../../../../.."), .file("rel/etc/passwd", "5"),
            .symlink("secret-link", "../secret"), .file("secret-link", "6"), .directory("..", mode: 0o700),
            .symlink("chain", "out/.."), .file("chain/c", "7"),
        ])
        #expect(try text("up") == "1" && text("absolute") == "2" && text("b") == "3")
        #expect(try text("etc/passwd") == "5")
        #expect(try bytes(ofFile: scratch.file("secret")) == Array("secret".utf8))
        #expect(try text("secret-link") == "6" && layer.status("secret-link").type == .file)
        let outside = try Directory(path: scratch.path).entries().map { String(decoding: $0.name, as: UTF8.self) }
        #expect(outside == ["layer", "secret"])
        // The link's target is a path in the image, made there.
        #expect(try text(String(scratch.path.dropFirst()) + "/new") == "4")
    }

    @Test(arguments: ["../secret", "/secret", "out/secret", "missing", "dir", ".", "loop/x"])
    func hardLinksOut(_ target: String) throws {
        try AtomicFile.write(Array("secret".utf8), to: scratch.file("secret"))
        let error = try #require(throws: ArchiveError.self) {
            try self.extract([
                .symlink("out", self.scratch.path), .directory("dir"), .symlink("loop", "loop"), .hardLink("h", target),
            ])
        }
        #expect(error.place == "h")
        #expect(try layer.statusIfPresent("h") == nil)
    }

    @Test func overlayAttributesAreNotTaken() throws {
        let summary = try extract([
            .directory("d").with {
                $0.xattrs = ["user.overlay.opaque": [0x79], "trusted.overlay.opaque": [0x79], "user.ok": [1]]
            },
            .file("f").with {
                $0.xattrs = ["user.overlay.redirect": [0x2f], "user.slipway.owner": [0x31], "system.x": []]
            },
        ])
        #expect(summary.skippedAttributes == 5)
        #expect(try layer.attributeNames("d") == ["user.ok"])
        #expect(try layer.attributeNames("f").isEmpty)
    }

    @Test func limitsAndNames() throws {
        let size = try #require(throws: ArchiveError.self) {
            try self.extract([.file("a", "12345"), .file("b", "12345")], limits: ExtractionLimits(bytes: 9))
        }
        #expect(size.code == .limit && size.place == "b")
        let long = String(repeating: "x", count: 300)
        let name = try #require(throws: ArchiveError.self) { try self.extract([.file("d/" + long)]) }
        #expect(name.code == .malformed && name.cause?.hasSuffix("File name too long") == true)
        let through = try #require(throws: ArchiveError.self) { try self.extract([.file("f"), .file("f/g")]) }
        #expect(through.place == "f/g")
        #expect(throws: ArchiveError.self) { try self.extract([.symlink("l", "l"), .file("l/x")]) }
        let memory = try #require(throws: ArchiveError.self) {
            try self.extract((0..<50).map { .directory("many\($0)") }, limits: ExtractionLimits(memory: 4_096))
        }
        #expect(memory.code == .limit)
        // Links that each wait for the next one.
        #expect(throws: ArchiveError.self) {
            try self.extract((0..<100).map { .hardLink("l\($0)", "l\($0 + 1)") } + [.file("l100")])
        }
        // A path of a thousand directories is fine.
        try extract([.file(String(repeating: "d/", count: 1_000) + "f", "deep")])
        #expect(try text(String(repeating: "d/", count: 1_000) + "f") == "deep")
    }
}
