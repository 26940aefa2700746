import Archive
import FileSystem
import Foundation
import TestSupport
import Testing

@Suite(.tags(.integration), .thorough)
struct CompressionTests {
    let scratch: TemporaryDirectory
    let plain: [UInt8]

    init() throws {
        scratch = try TemporaryDirectory("compression")
        plain = (0..<300_000).map { UInt8(truncatingIfNeeded: ($0 * $0) >> 7) }
    }

    private func compressed(_ compression: Compression) throws -> [UInt8] {
        switch compression {
        case .none: return plain
        case .gzip:
            var sink = try GzipSink(BytesSink())
            // In odd pieces: the bytes must not depend on how they were written.
            for start in stride(from: 0, to: plain.count, by: 77_777) {
                try sink.write(Array(plain[start..<min(start + 77_777, plain.count)]))
            }
            try sink.finish()
            return sink.sink.bytes
        case .zstd:
            var sink = try ZstdSink(BytesSink())
            try sink.write(plain)
            try sink.finish()
            return sink.sink.bytes
        case .bzip2, .xz:
            try AtomicFile.write(plain, to: scratch.file("plain"))
            let tool = compression == .xz ? "xz" : "bzip2"
            try Shell.run(["sh", "-c", "cd \(scratch.path); \(tool) -c < plain > packed"])
            return try bytes(ofFile: scratch.file("packed"))
        }
    }

    private func decompressed(
        _ bytes: [UInt8], _ compression: Compression? = nil, limit: Int64 = .max
    ) throws -> [UInt8] {
        var source = try DecompressingSource(BytesSource(bytes), compression: compression, limit: limit)
        return try source.readAll(limit: 1 << 26)
    }

    @Test(arguments: Compression.allCases)
    func roundTrip(_ compression: Compression) throws {
        let bytes = try compressed(compression)
        #expect(try compressed(compression) == bytes)
        #expect(Compression.detect(prefix: bytes) == compression)
        #expect(try decompressed(bytes) == plain)
        #expect(try decompressed(bytes, compression) == plain)
    }

    @Test(arguments: [("gzip", Compression.gzip), ("zstd", .zstd), ("bzip2", .bzip2), ("xz", .xz)])
    func otherToolsAgree(tool: String, compression: Compression) throws {
        let ours = try compressed(compression)
        try AtomicFile.write(ours, to: scratch.file("ours"))
        try AtomicFile.write(plain, to: scratch.file("plain"))
        try Shell.run(["sh", "-c", "cd \(scratch.path); \(tool) -dc < ours | cmp - plain; \(tool) -c < plain > theirs"])
        let theirs = try bytes(ofFile: scratch.file("theirs"))
        #expect(try decompressed(theirs) == plain)
        // Several members or frames are one stream.
        #expect(try decompressed(theirs + ours) == plain + plain)
    }

    @Test(arguments: [Compression.gzip, .zstd, .bzip2, .xz])
    func damageIsAnError(_ compression: Compression) throws {
        let bytes = try compressed(compression)
        for end in [0, 1, 5, 12, bytes.count / 2, bytes.count - 1] {
            #expect(throws: ArchiveError.self) { _ = try self.decompressed(Array(bytes[..<end]), compression) }
        }
        var broken = bytes
        broken[bytes.count / 2] ^= 0x55
        #expect(throws: ArchiveError.self) { _ = try self.decompressed(broken) }
        #expect(throws: ArchiveError.self) { _ = try self.decompressed(bytes + [1, 2, 3, 4]) }
    }

    /// A frame that states 162 bytes and has none, and one that states 3 and has them; a frame to be skipped lies before it.
    @Test(arguments: [1 << 16, 4, 1])
    func aZstandardFrameHasWhatItStates(piece: Int) throws {
        let lie: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x00, 0xa2, 0x05, 0, 0]
        let truth: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x03, 0x19, 0, 0, 7, 8, 9]
        let skipped: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]
        func plain(_ bytes: [UInt8]) throws -> [UInt8] {
            var source = try DecompressingSource(BytesSource(bytes))
            return try source.readAll(limit: 1 << 20, piece: piece)
        }
        #expect(try plain(truth) == [7, 8, 9])
        #expect(try plain(truth + skipped + truth) == [7, 8, 9, 7, 8, 9])
        #expect(throws: ArchiveError.self) { try plain(lie) }
        #expect(throws: ArchiveError.self) { try plain(truth + lie) }
    }

    @Test func gzipIsReproducibleAndPadded() throws {
        let bytes = try compressed(.gzip)
        // No flags and no time (RFC 1952 section 2.3).
        #expect(Array(bytes[2..<8]) == [8, 0, 0, 0, 0, 0])
        #expect(try decompressed(bytes + [0, 0, 0, 0, 0, 0]) == plain)
    }

    /// Sizes around the pieces that are compressed side by side.
    @Test(arguments: [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 7 << 20])
    func gzipOfManyMembersIsOneStreamToAll(size: Int) throws {
        var state: UInt64 = 42
        let content = (0..<size).map { index -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return index % 3 == 0 ? UInt8(truncatingIfNeeded: state >> 56) : UInt8(index & 0x3f)
        }
        func compressed(inPiecesOf piece: Int) throws -> [UInt8] {
            var sink = try GzipSink(BytesSink())
            for start in stride(from: 0, to: size, by: piece) {
                try sink.write(Array(content[start..<min(size, start + piece)]))
            }
            try sink.finish()
            return sink.sink.bytes
        }
        let bytes = try compressed(inPiecesOf: 3 << 20)
        #expect(try compressed(inPiecesOf: 100_003) == bytes)
        #expect(try decompressed(bytes) == content)
        let directory = try TemporaryDirectory("gzip")
        try Data(bytes).write(to: URL(fileURLWithPath: directory.file("x.gz")))
        let python = "python3 -c 'import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.stdin.buffer).read())'"
        for program in ["gzip -dc", python] {
            try Shell.run(["sh", "-c", "\(program) < \(directory.file("x.gz")) > \(directory.file("x"))"])
            #expect(try [UInt8](Data(contentsOf: URL(fileURLWithPath: directory.file("x")))) == content)
        }
    }

    private static func random(_ count: Int, _ seed: UInt64) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    /// What cannot be made smaller is stored, wherever it lies; what can be is made as small as without it.
    @Test func randomPartsAreStored() throws {
        let text = Array(repeating: Array("the same words again and again, ".utf8), count: 40_000).joined()
        func size(_ content: [UInt8]) throws -> Int {
            var sink = try GzipSink(BytesSink())
            try sink.write(content)
            try sink.finish()
            let bytes = sink.sink.bytes
            #expect(try decompressed(bytes) == content)
            try AtomicFile.write(bytes, to: scratch.file("packed"))
            try AtomicFile.write(content, to: scratch.file("plain"))
            try Shell.run(["sh", "-c", "cd \(scratch.path); gzip -dc < packed | cmp - plain"])
            return bytes.count
        }
        let random = Self.random(1_500_000, 7)
        #expect(try size(random) < 1_500_000 + 1_000)
        let small = try size(Array(text))
        #expect(small < 30_000)
        for place in [0, 1, 5_000, 70_000, 300_001] {
            let mixed = Array(text.prefix(place)) + random + Array(text.dropFirst(place))
            #expect(try size(mixed) < 1_500_000 + small + 40_000, "random bytes at \(place)")
        }
        // Even bytes are not random bytes: copies, counters, text in base 64.
        let block = Self.random(4_096, 9)
        #expect(try size(Array(Array(repeating: block, count: 200).joined())) < 100_000)
        #expect(try size((0..<800_000).map { UInt8(truncatingIfNeeded: $0) }) < 20_000)
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        #expect(try size(random.map { letters[Int($0 & 63)] }) < 1_200_000)
    }

    @Test(arguments: [Compression.gzip, .zstd])
    func bombsAreStopped(_ compression: Compression) throws {
        let zeros = [UInt8](repeating: 0, count: 32 << 20)
        let bomb: [UInt8]
        if compression == .gzip {
            var sink = try GzipSink(BytesSink(), level: 9)
            try sink.write(zeros)
            try sink.finish()
            bomb = sink.sink.bytes
        } else {
            var sink = try ZstdSink(BytesSink())
            try sink.write(zeros)
            try sink.finish()
            bomb = sink.sink.bytes
        }
        #expect(bomb.count < 100_000)
        let error = try #require(throws: ArchiveError.self) { _ = try self.decompressed(bomb, limit: 1 << 20) }
        #expect(error.code == .limit)
        #expect(try decompressed(bomb, limit: 32 << 20).count == 32 << 20)
    }

    @Test func zerosBehindBzip2AreIgnored() throws {
        #expect(try decompressed(compressed(.bzip2) + [0, 0, 0]) == plain)
    }

    @Test func xzMayNotAskForAnyMemory() throws {
        try AtomicFile.write(plain, to: scratch.file("plain"))
        try Shell.run(["sh", "-c", "cd \(scratch.path); xz --lzma2=dict=512MiB -c < plain > packed"])
        let packed = try bytes(ofFile: scratch.file("packed"))
        let error = try #require(throws: ArchiveError.self) { _ = try self.decompressed(packed) }
        #expect(error.code == .limit)
    }

    @Test func garbage() throws {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        let magics: [[UInt8]] = [
            [0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd], [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
            Array("BZh91AY&SY".utf8),
        ]
        for magic in magics {
            for _ in 0..<500 {
                var bytes = magic
                for _ in 0..<64 {
                    state = state &* 6_364_136_223_846_793_005 &+ 1
                    bytes.append(UInt8(truncatingIfNeeded: state >> 40))
                }
                _ = try? decompressed(bytes, limit: 1 << 22)
            }
        }
    }
}
