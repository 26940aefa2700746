import Archive
import TestSupport
import Testing

@Suite(.tags(.unit))
struct TarHostileTests {
    /// A header with a right checksum whatever was put into it.
    private func sealed(_ block: [UInt8]) -> [UInt8] {
        var block = block
        for index in 148..<156 { block[index] = 0x20 }
        let sum = block[..<512].reduce(0) { $0 + Int($1) }
        let digits = Array(String(sum, radix: 8).utf8)
        for (index, digit) in ([UInt8](repeating: 0x30, count: 6 - digits.count) + digits).enumerated() {
            block[148 + index] = digit
        }
        block[154] = 0
        return block
    }

    private func pax(_ records: String, type: UInt8 = UInt8(ascii: "x")) throws -> [UInt8] {
        var archive = try tar([.file("p", records)])
        archive[156] = type
        return sealed(archive).dropLast(1_024) + (try tar([.file("f", "x")]))
    }

    @Test(arguments: [
        "30 size=9223372036854775807\n", "29 size=1152921504606846977\n", "13 size=-55\n\n", "11 path=a",
        "99999999999 a=b\n",
        "0 a=b\n", "3 a", " a=b\n", "8 abcde\n", "12 uid=blue\n", "24 uid=99999999999999\n", "12 path=a\0b\n",
        "22 mtime=1.2.3.4.5.6\n", "14 mtime=1e5\n", "1",
    ])
    func paxRecords(_ records: String) throws {
        let archive = try pax(records)
        #expect(throws: ArchiveError.self) { _ = try entries(archive) }
    }

    @Test func binaryNumbers() throws {
        let plain = try tar([.file("f")])
        // Sizes of 2^95, of 2^62 and below zero; an owner beyond 32 bits.
        for (offset, bytes) in [
            (124, [0x80, 0x80] + [UInt8](repeating: 0, count: 10)),
            (124, [0x80, 0, 0, 0, 0x40] + [UInt8](repeating: 0, count: 7)),
            (124, [UInt8](repeating: 0xff, count: 12)), (108, [0x80, 0, 1, 0, 0, 0, 0, 0]),
            (108, [UInt8](repeating: 0xff, count: 8)),
        ] {
            var archive = plain
            for (index, byte) in bytes.enumerated() { archive[offset + index] = byte }
            #expect(throws: ArchiveError.self) { _ = try entries(self.sealed(archive)) }
        }
    }

    @Test func damage() throws {
        let whole = try tar([
            .directory("d"), .file("d/f", "hello"), .symlink("l", "d"),
            .file("g", "x").with { $0.xattrs = ["user.a": [1]] },
        ])
        #expect(try entries(whole).count == 4)
        // Cut anywhere: either an error, or fewer entries where the cut is between two.
        for end in stride(from: 0, to: whole.count - 1_024, by: 37) {
            let count = (try? entries(Array(whole[..<end])).count) ?? 0
            #expect(count < 4)
        }
        // Each byte changed: never a trap. The generator is fixed, so that a failure can be repeated.
        var state: UInt64 = 88_172_645_463_325_252
        for _ in 0..<4_000 {
            var damaged = whole
            for _ in 0..<3 {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                let block = Int(state >> 33) % (damaged.count / 512) * 512
                damaged[block + Int(state >> 17) % 512] = UInt8(truncatingIfNeeded: state)
                if state & 1 == 0 {
                    var header = Array(damaged[block..<block + 512])
                    header = sealed(header)
                    damaged.replaceSubrange(block..<block + 512, with: header)
                }
            }
            _ = try? entries(damaged)
        }
    }

    @Test func limits() throws {
        let archive = try tar((0..<20).map { .file("f\($0)") })
        let few = try #require(throws: ArchiveError.self) { _ = try entries(archive, limits: TarLimits(entries: 10)) }
        #expect(few.code == .limit)
        let long = try tar([.file(String(repeating: "n", count: 100_000))])
        let named = try #require(throws: ArchiveError.self) { _ = try entries(long) }
        #expect(named.code == .limit)
        let large = try tar([.file(String(repeating: "n", count: 2 << 20))])
        #expect(throws: ArchiveError.self) { _ = try entries(large) }
    }

    @Test func notAnArchive() throws {
        let error = try #require(throws: ArchiveError.self) { _ = try entries([UInt8](repeating: 0x41, count: 1_024)) }
        #expect(error.code == .malformed)
        #expect(try entries([]).isEmpty)
        #expect(try entries([UInt8](repeating: 0, count: 512)).isEmpty)
    }

    @Test func writerNoticesChangedFiles() throws {
        var writer = TarWriter(BytesSink())
        try writer.append(Item.file("f", "abc").entry)
        #expect(throws: ArchiveError.self) {
            try [UInt8](repeating: 0, count: 4).withUnsafeBytes { try writer.write($0) }
        }
        #expect(throws: ArchiveError.self) { try writer.append(Item.file("g").entry) }
        #expect(throws: ArchiveError.self) { try writer.finish() }
    }
}
