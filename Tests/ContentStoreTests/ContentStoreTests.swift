import ContentStore
import OCI
import TestSupport
import Testing

@Suite(.tags(.unit)) struct ContentStoreTests {
    private func files(_ path: String) throws -> [String] {
        try Shell.run(["find", path, "-type", "f"]).stdout.split(separator: "\n").map(String.init)
    }

    @Test func contentLiesUnderItsDigest() throws {
        let scratch = try TemporaryDirectory("store")
        let store = try ContentStore(path: scratch.file("a/b/store"))
        var ingest = try store.ingest()
        try ingest.write(Array("ab".utf8))
        try ingest.write(Array("c".utf8))
        let (digest, size) = try ingest.commit(expected: nil)
        #expect(digest == .sha256(of: Array("abc".utf8)))
        #expect(size == 3)
        #expect(try files(store.path) == ["\(store.path)/blobs/sha256/\(digest.encoded)"])
        #expect(store.contains(digest) && store.size(of: digest) == 3)
        #expect(try store.read(digest, limit: 3) == Array("abc".utf8))
        #expect(#expect(throws: ContentStoreError.self) { _ = try store.read(digest, limit: 2) }?.code == .tooLarge)
        try store.remove(digest)
        try store.remove(digest)
        #expect(#expect(throws: ContentStoreError.self) { _ = try store.read(digest, limit: 3) }?.code == .notFound)
    }

    @Test func droppedContentLeavesNothing() throws {
        let scratch = try TemporaryDirectory("store")
        let store = try ContentStore(path: scratch.path)
        do {
            var ingest = try store.ingest()
            try ingest.write([1, 2, 3])
        }
        #expect(try files(store.path).isEmpty)
    }

    @Test func whatIsNotPromisedIsRefused() throws {
        let scratch = try TemporaryDirectory("store")
        let store = try ContentStore(path: scratch.path)
        for (promised, code) in [
            (Descriptor(mediaType: .ociLayer, of: [1, 2]), ContentStoreError.Code.sizeMismatch),
            (Descriptor(mediaType: .ociLayer, of: [3, 2, 1]), .digestMismatch),
        ] {
            var ingest = try store.ingest()
            try ingest.write([1, 2, 3])
            do {
                _ = try ingest.commit(expected: promised)
                Issue.record("it was accepted")
            } catch {
                #expect(error.code == code)
            }
        }
        #expect(try files(store.path).isEmpty)
    }

    @Test func contentCanBeginAgain() throws {
        let scratch = try TemporaryDirectory("store")
        let store = try ContentStore(path: scratch.path)
        var ingest = try store.ingest()
        try ingest.write([9, 9, 9, 9])
        try ingest.restart()
        try ingest.write([1])
        #expect(ingest.count == 1)
        _ = try ingest.commit(expected: Descriptor(mediaType: .ociLayer, of: [1]))
        #expect(try files(store.path).count == 1)
    }

    @Test func damageIsNoticed() throws {
        let scratch = try TemporaryDirectory("store")
        let store = try ContentStore(path: scratch.path)
        let digest = try store.add([1, 2, 3])
        try Shell.run(["sh", "-c", "printf xyz > '\(store.path(of: digest))'"])
        #expect(
            #expect(throws: ContentStoreError.self) { _ = try store.read(digest, limit: 9) }?.code == .digestMismatch)
    }

    @Test func abandonedFilesAreSweptAndLiveOnesStay() throws {
        let scratch = try TemporaryDirectory("store")
        let store = try ContentStore(path: scratch.path)
        let live = try store.ingest()
        try Shell.run(
            ["sh", "-c", "touch .ingest-dead other && touch -d '2 hours ago' .ingest-* other"],
            in: scratch.file("ingest"))
        _ = try ContentStore(path: scratch.path)
        let left = try files(scratch.file("ingest"))
        #expect(left.count == 2 && left.contains { $0.hasSuffix("/other") } && !left.contains { $0.hasSuffix("dead") })
        _ = try live.commit(expected: nil)
    }

    @Test func aPlaceThatCannotBeWrittenIsNamed() throws {
        let scratch = try TemporaryDirectory("store")
        try Shell.run(["touch", scratch.file("file")])
        let error = #expect(throws: ContentStoreError.self) { _ = try ContentStore(path: scratch.file("file/store")) }
        #expect(error?.code == .io)
        #expect(error?.place?.hasPrefix(scratch.path) == true)
    }
}
