import TestSupport
import Testing

@testable import Builder

@Suite(.tags(.unit)) struct ContextTreeTests {
    private struct Listing: BuildContext {
        let displayName = "a listing"
        let listed: [ContextEntry]

        func entries(under folder: String) async throws(BuildError) -> [ContextEntry] { listed }

        func read(
            _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
        ) async throws(BuildError) {}

        func contentIDs(of entries: [ContextEntry]) async throws(BuildError) -> [String] { entries.map(\.path) }
    }

    private static func entry(_ path: String) -> ContextEntry {
        path.hasSuffix("/")
            ? ContextEntry(path: String(path.dropLast()), kind: .directory, mode: 0o700)
            : ContextEntry(path: path, kind: .file, mode: 0o644)
    }

    /// All paths, folders with a `/` and those that nobody listed with a `?`.
    private static func paths(
        _ entries: [ContextEntry], folder: String = "", isIgnored: (([UInt8]) -> Bool)? = nil
    ) async throws -> [String] {
        let tree = try await ContextTree(Listing(listed: entries), folder: folder, isIgnored: isIgnored)
        func below(_ item: ContextTree.Item, _ path: String) -> [String] {
            tree.children(of: item).flatMap { name, child -> [String] in
                let whole = path + String(decoding: name, as: UTF8.self)
                guard tree.isDirectory(child) else { return [whole] }
                return [whole + (tree.entry(of: child).mode == 0o755 ? "?" : "/")] + below(child, whole + "/")
            }
        }
        return below(tree.root, "")
    }

    @Test(arguments: [
        (["b", "a", "d/", "d/z", "d/y", "c"], ["a", "b", "c", "d/", "d/y", "d/z"]),
        // Folders that come late, or not at all.
        (["x/y/z", "x/", "x/a", "x/y/"], ["x/", "x/a", "x/y/", "x/y/z"]),
        (["x/y/z", "q"], ["q", "x?", "x/y?", "x/y/z"]),
        // Written in another way.
        (["./a", "b//c", "b/./d", "/e"], ["a", "b?", "b/c", "b/d", "e"]),
        (["../up", "a/../../b", "..", "c"], ["c"]),
        // Names of dots are names.
        (["...", "a/...", "..a", ".b"], ["...", "..a", ".b", "a?", "a/..."]),
        // Twice: the last one counts.
        (["a", "b", "a"], ["a", "b"]),
        (["f", "f/", "f/x"], ["f/", "f/x"]),
        // Folders whose files come in turn.
        (["p/", "q/", "p/1", "q/1", "p/2", "q/2"], ["p/", "p/1", "p/2", "q/", "q/1", "q/2"]),
    ])
    func isATree(listed: [String], expected: [String]) async throws {
        #expect(try await Self.paths(listed.map(Self.entry)) == expected)
    }

    @Test func belowAFolder() async throws {
        let entries = ["a/", "a/b/", "a/b/c", "a/bc", "x"].map(Self.entry)
        #expect(try await Self.paths(entries, folder: "a/b") == ["c"])
        #expect(try await Self.paths(entries, folder: "/a/") == ["b/", "b/c", "bc"])
        var seen: [String] = []
        _ = try await Self.paths(entries, folder: "a/b") { path in
            seen.append(path.text)
            return false
        }
        #expect(seen == ["c"])
    }

    @Test func whatIsLeftOut() async throws {
        let entries = ["d/", "d/a", "d/b", "e/", "e/f/", "e/f/g", "h"].map(Self.entry)
        let left = try await Self.paths(entries) { ["d", "d/b", "e", "e/f", "e/f/g"].contains($0.text) }
        // The folder is there for the file that stays, and keeps its mode; the one for which nothing stays is gone.
        #expect(left == ["d/", "d/a", "h"])
    }

    @Test func filesAreKnownByTheirContext() async throws {
        let tree = try await ContextTree(Listing(listed: [Self.entry("a"), Self.entry("d/")]), folder: "")
        let file = try #require(tree.child(Array("a".utf8), of: tree.root))
        #expect(throws: BuildError.self) { try tree.contentID(of: file) }
        try await tree.identify([file])
        #expect(try tree.contentID(of: file) == "a")
    }
}
