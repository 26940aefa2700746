import Archive
import Synchronization
import TestSupport
import Testing

@Suite(.tags(.unit)) struct ReadAheadTests {
    /// Counts what was read of it.
    private final class Reads: Sendable {
        private let bytes = Mutex(0)
        func add(_ count: Int) { bytes.withLock { $0 += count } }
        var count: Int { bytes.withLock { $0 } }
    }

    private static func byte(_ position: Int) -> UInt8 { UInt8(truncatingIfNeeded: position &* 31 &+ position >> 8) }

    /// `size` bytes, then the end or an error.
    private static func source(_ size: Int, fails: Bool = false, _ reads: Reads = Reads()) -> ClosureSource {
        let position = Reads()
        return ClosureSource { (buffer) throws(ArchiveError) in
            let start = position.count
            if start == size {
                if fails { throw ArchiveError(.malformed, "broken") }
                return 0
            }
            let count = min(buffer.count, size - start, 100_003)
            for index in 0..<count { buffer[index] = byte(start + index) }
            position.add(count)
            reads.add(count)
            return count
        }
    }

    @Test(arguments: [0, 1, 262_143, 262_144, 262_145, 3_000_000])
    func givesWhatWasMade(size: Int) throws {
        let ahead = ReadAhead { (feed) throws(ArchiveError) in
            var source = Self.source(size)
            try feed.fill(from: &source)
            return size
        }
        var found: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 70_001)
        var source = ahead
        while case let count = try source.read(into: &buffer), count > 0 { found += buffer[..<count] }
        #expect(found == (0..<size).map(Self.byte))
        #expect(try ahead.outcome() == size)
        #expect(try source.read(into: &buffer) == 0)
    }

    @Test func whatIsNotReadIsPassedOver() throws {
        let reads = Reads()
        var ahead = ReadAhead { (feed) throws(ArchiveError) in
            var source = Self.source(5_000_000, reads)
            try feed.fill(from: &source)
            return "all"
        }
        var buffer = [UInt8](repeating: 0, count: 10)
        #expect(try ahead.read(into: &buffer) == 10)
        #expect(try ahead.outcome() == "all")
        #expect(reads.count == 5_000_000)
    }

    @Test func anErrorComesWhereItHappened() throws {
        var ahead = ReadAhead { (feed) throws(ArchiveError) in
            var source = Self.source(300_000, fails: true)
            try feed.fill(from: &source)
        }
        var buffer = [UInt8](repeating: 0, count: 300_000)
        var count = 0
        while count < 300_000 { count += try ahead.read(into: &buffer) }
        let error = #expect(throws: ArchiveError.self) { try ahead.read(into: &buffer) }
        #expect(error?.summary == "broken")
        #expect(throws: ArchiveError.self) { try ahead.outcome() }
    }

    /// The maker of an endless stream ends when nobody reads it any more, and is never far ahead.
    @Test func nobodyReads() async throws {
        let reads = Reads()
        let ended = Reads()
        do {
            var ahead = ReadAhead { (feed) throws(ArchiveError) in
                defer { ended.add(1) }
                var source = Self.source(.max, reads)
                try feed.fill(from: &source)
            }
            var buffer = [UInt8](repeating: 0, count: 10)
            #expect(try ahead.read(into: &buffer) == 10)
            #expect(reads.count <= 6 * Feed.pieceSize)
        }
        try await waitUntil("the maker has ended") { ended.count == 1 }
        #expect(reads.count <= 8 * Feed.pieceSize)
    }
}
