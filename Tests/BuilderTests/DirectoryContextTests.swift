import Archive
import Builder
import Foundation
import TestSupport
import Testing

/// A directory is read once: what its files held is remembered by what the kernel says of them.
@Suite(.tags(.integration)) struct DirectoryContextTests {
    let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("context") }

    private func files(_ path: String) async throws -> (known: [String?], found: [String]) {
        let context = try DirectoryContext(path: path, stateDirectory: scratch.file("state"))
        let entries = try await context.entries(under: "").filter { $0.kind == .file }
        return (entries.map(\.contentID), try await context.contentIDs(of: entries))
    }

    /// Files that have been there for long; what was written a moment ago is not remembered.
    private static let old = "/usr/share/common-licenses"

    @Test func remembersFilesThatDidNotChange() async throws {
        let first = try await files(Self.old)
        #expect(first.known.allSatisfy { $0 == nil })
        #expect(first.found.count > 5)
        let second = try await files(Self.old)
        #expect(second.known == first.found)
        #expect(second.found == first.found)
    }

    @Test func doesNotTrustADamagedIndex() async throws {
        let first = try await files(Self.old)
        let folder = scratch.file("state/contexts")
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
        let index = URL(fileURLWithPath: "\(folder)/\(name)")
        var bytes = try Data(contentsOf: index)
        for position in stride(from: 20, to: bytes.count, by: 97) {
            bytes[position] ^= 0xff
            try bytes.write(to: index)
            #expect(try await files(Self.old).found == first.found)
        }
        for length in [0, 5, 18, 60, bytes.count - 1] {
            try bytes.prefix(length).write(to: index)
            #expect(try await files(Self.old).found == first.found)
        }
    }

    @Test func seesAChangeThatHidesItself() async throws {
        let folder = scratch.file("files")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for round in 0..<20 {
            // The same size and the same time, within one tick of the clock.
            try Data("content \(round % 10)".utf8).write(to: URL(fileURLWithPath: folder + "/f"))
            try Shell.run(["touch", "-d", "2001-01-01", folder + "/f"])
            let seen = try await files(folder).found
            try Data("content x".utf8).write(to: URL(fileURLWithPath: folder + "/f"))
            try Shell.run(["touch", "-d", "2001-01-01", folder + "/f"])
            #expect(try await files(folder).found != seen)
        }
    }

    @Test func nothingOutsideIsRead() async throws {
        let folder = scratch.file("files")
        try FileManager.default.createDirectory(atPath: folder + "/d", withIntermediateDirectories: true)
        try Data("inside".utf8).write(to: URL(fileURLWithPath: folder + "/d/passwd"))
        let context = try DirectoryContext(path: folder)
        let entries = try await context.entries(under: "").filter { $0.kind == .file }
        // The directory becomes a link between the listing and the reading.
        try FileManager.default.removeItem(atPath: folder + "/d")
        try FileManager.default.createSymbolicLink(atPath: folder + "/d", withDestinationPath: "/etc")
        let error = await #expect(throws: BuildError.self) { try await context.contentIDs(of: entries) }
        #expect(error?.code == .context)
        await #expect(throws: BuildError.self) { try await context.read(entries[0]) { _ in } }
    }

    /// Folders of one depth are read side by side; what comes out is the order of a walk.
    @Test func comesInTheOrderOfAWalk() async throws {
        let folder = scratch.file("tree")
        for path in ["b/c/d", "b/x", "a/z", "a/b/c/d/e/f", "empty", "b.d/y"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(path)", withIntermediateDirectories: true)
            for name in ["f", "a", "\u{e4}", "~"] {
                if path == "empty" { continue }
                try Data(path.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(path)/\(name)"))
            }
        }
        try FileManager.default.createSymbolicLink(atPath: folder + "/a/link", withDestinationPath: "../b")
        let paths = try await DirectoryContext(path: folder).entries(under: "").map(\.path)
        let walked = try Shell.run(["sh", "-c", "cd \(folder) && find . -mindepth 1 -printf '%P/\\n' | LC_ALL=C sort"])
        // With a slash behind each name, what a folder holds comes behind it and before `b.d`, in the order of bytes.
        let byName = walked.stdout.split(separator: "\n").map { $0.dropLast().split(separator: "/") }
            .sorted { $0.lexicographicallyPrecedes($1) { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
        #expect(paths == byName.map { $0.joined(separator: "/") })
        let below = try await DirectoryContext(path: folder).entries(under: "a/b").map(\.path)
        #expect(below == paths.filter { $0.hasPrefix("a/b/") })
        await #expect(throws: BuildError.self) { try await DirectoryContext(path: folder).entries(under: "a/link") }
    }

    /// What this builder writes beside its own files says nothing in somebody's context.
    @Test func attributesMakeNoDevices() async throws {
        let folder = scratch.file("marked")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("text".utf8).write(to: URL(fileURLWithPath: folder + "/f"))
        let record = OwnershipRecord(uid: 0, gid: 0, node: .init(mode: 0o020666, rdev: 259))
        let set = try Shell.run(
            [
                "setfattr", "-n", OwnershipRecord.attribute, "-v", "\(String(decoding: record.text, as: UTF8.self))",
                folder + "/f",
            ],
            allowFailure: true)
        guard set.status == 0 else { return print("not tested: /tmp takes no attributes") }
        let entry = try #require(try await DirectoryContext(path: folder).entries(under: "").first)
        #expect(entry.kind == .file && entry.size == 4)
    }

    /// Reads a directory's files from start to end, as contexts do that are no directories.
    private struct InOrder: BuildContext {
        let directory: DirectoryContext
        var displayName: String { "in order" }

        func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
            try await directory.entries(under: folder)
        }

        func read(
            _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
        ) async throws(BuildError) {
            try await directory.read(entry, sink)
        }
    }

    /// Large files are read in pieces of 16 MiB, on all processors.
    @Test(.thorough, arguments: [16 << 20, 16 << 20 + 1, 32 << 20 + 1, 48 << 20, 67 << 20 - 3], [false, true])
    func `large files have one identity, however they are read`(size: Int, isSparse: Bool) async throws {
        let folder = scratch.file("files")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/f"
        func write(_ text: String, at offset: Int) throws {
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try file.seek(toOffset: UInt64(offset))
            try file.write(contentsOf: Data(text.utf8))
            try file.close()
        }
        try (isSparse ? Data() : Data(count: size)).write(to: URL(fileURLWithPath: path))
        try write("the end", at: size - 7)
        var seen: Set<String> = []
        // In the first piece, on the border between two, at the end.
        for (number, offset) in [size - 7, 0, 16 << 20 - 1, size - 1].enumerated() {
            try write("\(number)", at: offset)
            let context = try DirectoryContext(path: folder, stateDirectory: scratch.file("state"))
            let entries = try await context.entries(under: "")
            let identity = try await context.contentIDs(of: entries)
            #expect(try await InOrder(directory: context).contentIDs(of: entries) == identity)
            #expect(identity.count == 1 && seen.insert(identity[0]).inserted)
        }
    }

    @Test(.thorough) func `a large file that did not change is not read again`() async throws {
        let folder = scratch.file("files")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(repeating: 7, count: 40 << 20).write(to: URL(fileURLWithPath: folder + "/f"))
        // What was written a moment ago is not remembered.
        var known: [String?] = [nil]
        var found: [String] = []
        for _ in 0..<400 where known == [nil] {
            let seen = try await files(folder)
            (known, found) = (seen.known, seen.found)
        }
        #expect(known == found)
    }
}
