import TestSupport
import Testing

@testable import Builder

/// What the list of a context's files keeps of them, and what it takes.
@Suite(.tags(.unit)) struct ContextListingTests {
    private static let digest = String(repeating: "0123456789abcdef", count: 4)

    private static func entry(
        _ path: String, _ kind: ContextEntry.Kind = .file, adjust: (inout ContextEntry) -> Void = { _ in }
    ) -> ContextEntry {
        var entry = ContextEntry(path: path, kind: kind, mode: 0o640, size: 7, modified: 1_700_000_000)
        adjust(&entry)
        return entry
    }

    private static let entries = [
        entry("a"),
        entry("a-name-of-\u{e4}") { $0.modifiedNanoseconds = 999_999_999 },
        entry("dateless") { $0.modified = nil },
        entry("before-1970") { $0.modified = -5 },
        entry("never") { $0.modified = .min },
        entry("odd-nanoseconds") { $0.modifiedNanoseconds = -1 },
        entry("setuid") { $0.mode = 0o7777 },
        entry("large") { $0.size = .max },
        entry("folder", .directory),
        entry("folder/file") { $0.linkIdentity = .init(device: .max, inode: 3) },
        entry("unlisted/deep/file"),
        entry("link", .symlink(target: Array("../x".utf8))),
        entry("twice", .symlink(target: [0xff])) { $0.linkIdentity = .init(device: 1, inode: 2) },
        entry("attributes") { $0.attributes = ["user.a": [1], "security.capability": [2, 0]] },
        entry("attributes-too", .directory) { $0.attributes = ["user.a": []] },
        entry("fifo", .fifo), entry("socket", .socket),
        entry("module", .unavailable(reason: "a submodule", hint: "fetch it")) { $0.contentID = "git:12" },
        ContextEntry(pathBytes: [0x78, 0xff, 0x2f, 0x01], kind: .file, mode: 0),
    ]

    @Test(arguments: entries) func `an entry comes out as it went in`(entry: ContextEntry) throws {
        // Others around it, so that its place is not the only one.
        let listing = ContextListing([Self.entry("0")] + [entry] + [Self.entry("folder/1"), Self.entry("z")])
        let found = listing.places.map { listing[$0] }.filter { $0.pathBytes == entry.pathBytes }
        #expect(found == [entry])
    }

    @Test func `another way to write a path stays the context's`() throws {
        let listing = ContextListing([Self.entry("./a//b")])
        let place = try #require(listing.place(of: ImagePath("a/b")))
        #expect(listing.path(of: place) == Array("a/b".utf8))
        #expect(listing[place].path == "./a//b")
    }

    @Test(arguments: [
        nil, "", "x", "blake2b:" + digest, "blake2b-16m:" + digest, "git:" + digest.prefix(40), "git:" + digest,
        "blake2b:" + digest.uppercased(), "blake2b:" + digest.dropLast(), "blake2b:" + digest + "0", "sha256:" + digest,
        "git-directory:\(digest):HEAD", "blake2b:\u{e4}",
    ])
    func `what identifies a file comes out as it went in`(name: String?) {
        let others = ["git:" + Self.digest.prefix(40), nil, "text"]
        var ids = ContentIDs()
        for other in others + [name] + others { ids.append(other) }
        #expect((0..<7).map { ids[$0] } == others + [name] + others)
        #expect(ids.isKnown(at: 3) == (name != nil))
        ids[2] = name
        ids[4] = name
        ids[9] = name
        #expect([2, 4, 7, 8, 9, 10].map { ids[$0] } == [name, name, nil, nil, name, nil])
        var longer = ContentIDs()
        longer.append("first")
        longer.append(contentsOf: ids, from: 2, at: 3)
        #expect((0..<6).map { longer[$0] } == ["first", nil, nil, name, name, name])
    }

    /// The list of one folder, made apart, is found below the folder that it is put into.
    @Test func `lists of folders come together`() throws {
        var part = ContextListing()
        for entry in Self.entries.filter({ !$0.pathBytes.contains(0x2f) }) {
            part.append(entry, named: entry.pathBytes, below: ContextListing.root)
        }
        var whole = ContextListing()
        whole.append(Self.entry("first"), named: Array("first".utf8), below: ContextListing.root)
        let folder = whole.append(passed: Array("f".utf8), below: ContextListing.root)
        let first = whole.append(contentsOf: part, below: folder)
        #expect(first == 3 && whole.count == first + part.count - 1)
        for (number, place) in part.places.dropFirst().enumerated() {
            var (expected, found) = (part[place], whole[first + number])
            #expect(whole.path(of: first + number) == Array("f/".utf8) + part.path(of: place))
            expected.pathBytes = []
            found.pathBytes = []
            #expect(found == expected)
        }
    }

    /// What is read once is found again, by another process too; what changed, or was not asked for, is forgotten.
    @Test func `the index keeps what it was asked for`() throws {
        let scratch = try TemporaryDirectory("index")
        func state(_ inode: UInt64, changed: Int64 = 5) -> ContextIndex.State {
            var node = Node(kind: .file, mode: 0o644, uid: 0, gid: 0, size: 3, modified: Timestamp(seconds: 4))
            node.inode = inode
            node.changed = Timestamp(seconds: changed)
            return ContextIndex.State(node)
        }
        func record(_ byte: UInt8) -> ContextIndex.Record {
            ContextIndex.Record(digest: Array(repeating: byte, count: 32), hasAttributes: byte.isMultiple(of: 2))
        }
        let now = Timestamp(seconds: 1_000)
        func index() -> ContextIndex { ContextIndex(folder: scratch.path, context: "c") }
        let first = index()
        for inode in [9, 1, 5, 7, 3] as [UInt64] {
            first.remember(record(UInt8(inode)), for: state(inode), readAt: now)
        }
        first.save()
        for index in [first, index()] {
            for inode in 0..<10 as Range<UInt64> {
                let found = index.record(for: state(inode))
                #expect(found?.digest == (inode.isMultiple(of: 2) ? nil : record(UInt8(inode)).digest))
                #expect(found.map { !$0.hasAttributes } ?? true)
            }
            #expect(index.record(for: state(5, changed: 6)) == nil)
        }
        let second = index()
        #expect(second.record(for: state(1)) != nil && second.record(for: state(3)) != nil)
        second.remember(record(30), for: state(3, changed: 6), readAt: now)
        second.remember(record(4), for: state(4), readAt: now)
        // Changed too shortly before.
        second.remember(record(6), for: state(6, changed: 1_000), readAt: now)
        second.save()
        let third = index()
        #expect(third.record(for: state(1))?.digest == record(1).digest)
        #expect(third.record(for: state(3, changed: 6))?.digest == record(30).digest)
        #expect(third.record(for: state(4))?.hasAttributes == true)
        for gone in [state(3), state(5), state(6, changed: 1_000), state(9)] {
            #expect(third.record(for: gone) == nil)
        }
    }
}
