import Archive
import CZlib
import TestSupport
import Testing

/// The decoder against zlib's: streams as other encoders write them, damaged ones, and pieces of every size.
@Suite(.tags(.unit), .thorough) struct GzipDecoderTests {
    /// Gives a source's bytes in pieces of changing sizes.
    private struct Pieces: ByteSource {
        var bytes: [UInt8]
        var position = 0
        var size: Int

        mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
            let count = min(size, buffer.count, bytes.count - position)
            buffer.copyBytes(from: bytes[position..<position + count])
            position += count
            size = size * 7 % 4_093 + 1
            return count
        }
    }

    private static func unpacked(_ bytes: [UInt8], pieces: Int, output: Int) throws -> [UInt8] {
        var source = try DecompressingSource(Pieces(bytes: bytes, size: pieces), compression: .gzip)
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: output)
        while true {
            let count = try source.read(into: &buffer)
            if count == 0 { return result }
            result += buffer[..<count]
        }
    }

    /// As zlib packs it, flushed now and then in different ways.
    private static func packed(
        _ plain: [UInt8], level: Int32, window: Int32, strategy: Int32, flush: Int32, withName: Bool
    ) -> [UInt8] {
        var stream = z_stream()
        precondition(slipway_deflate_init(&stream, level, window, 8, strategy) == Z_OK)
        defer { deflateEnd(&stream) }
        var name = Array("a file's name".utf8) + [0]
        var comment = Array(repeating: UInt8(ascii: "c"), count: 70_000) + [0]
        var extra = Array(repeating: UInt8(7), count: 3_000)
        var plain = plain
        var result: [UInt8] = []
        name.withUnsafeMutableBufferPointer { name in
            comment.withUnsafeMutableBufferPointer { comment in
                extra.withUnsafeMutableBufferPointer { extra in
                    var header = gz_header()
                    header.name = name.baseAddress
                    header.comment = comment.baseAddress
                    header.extra = extra.baseAddress
                    header.extra_len = UInt32(extra.count)
                    header.hcrc = 1
                    if withName { deflateSetHeader(&stream, &header) }
                    var buffer = [UInt8](repeating: 0, count: 1 << 16)
                    plain.withUnsafeMutableBufferPointer { plain in
                        var position = 0
                        repeat {
                            let count = min(10_000, plain.count - position)
                            stream.next_in = plain.baseAddress.map { $0 + position }
                            stream.avail_in = UInt32(count)
                            position += count
                            let mode = position == plain.count ? Z_FINISH : flush
                            repeat {
                                buffer.withUnsafeMutableBufferPointer { buffer in
                                    stream.next_out = buffer.baseAddress
                                    stream.avail_out = UInt32(buffer.count)
                                    _ = deflate(&stream, mode)
                                }
                                result += buffer[..<(buffer.count - Int(stream.avail_out))]
                            } while stream.avail_out == 0
                        } while position < plain.count
                    }
                }
            }
        }
        return result
    }

    /// What zlib makes of it; `nil` when it finds a fault or no end.
    private static func inflated(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
        var stream = z_stream()
        precondition(slipway_inflate_init(&stream) == Z_OK)
        defer { inflateEnd(&stream) }
        var input = bytes
        var result = [UInt8](repeating: 0, count: limit)
        let status = input.withUnsafeMutableBufferPointer { input in
            result.withUnsafeMutableBufferPointer { result in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = result.baseAddress
                stream.avail_out = UInt32(result.count)
                return inflate(&stream, Z_FINISH)
            }
        }
        guard status == Z_STREAM_END, stream.avail_in == 0 else { return nil }
        return Array(result[..<Int(stream.total_out)])
    }

    private static func content(_ size: Int, _ seed: UInt64) -> [UInt8] {
        var state = seed
        var run = 0
        var value: UInt8 = 0
        return (0..<size).map { _ in
            if run == 0 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                run = Int(state >> 59) + 1
                value = UInt8(truncatingIfNeeded: state >> 40)
            }
            run -= 1
            return value &+ UInt8(truncatingIfNeeded: run & 1)
        }
    }

    @Test(arguments: [Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED])
    func everyEncoding(strategy: Int32) throws {
        for (number, flush) in [Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK, Z_PARTIAL_FLUSH].enumerated() {
            for level: Int32 in [0, 1, 6, 9] {
                let size = [0, 1, 9_999, 70_000, 200_000][number]
                let plain = Self.content(size, UInt64(number) << 8 + UInt64(level))
                let bytes = Self.packed(
                    plain, level: level, window: number % 2 == 0 ? 15 : 9, strategy: strategy, flush: flush,
                    withName: level == 6)
                for (pieces, output) in [(1, 70_000), (4_000, 1), (977, 512), (1 << 20, 1 << 18)] {
                    let isRight = try Self.unpacked(bytes, pieces: pieces, output: output) == plain
                    #expect(isRight, "level \(level), flush \(flush), pieces \(pieces), output \(output)")
                }
                #expect(try Self.unpacked(bytes + bytes + [0, 0], pieces: 99, output: 333) == plain + plain)
            }
        }
    }

    /// Whatever zlib refuses is refused; whatever it takes comes out the same.
    @Test func damagedStreams() throws {
        let plain = Self.content(3_000, 5)
        let bytes = Self.packed(
            plain, level: 6, window: 15, strategy: Z_DEFAULT_STRATEGY, flush: Z_NO_FLUSH, withName: false)
        var taken = 0
        for place in 0..<bytes.count {
            for change: UInt8 in [1, 0x10, 0x80, 0xff] {
                var broken = bytes
                broken[place] ^= change
                let expected = Self.inflated(broken, limit: 1 << 20)
                let found = try? Self.unpacked(broken, pieces: 1 << 16, output: 1 << 16)
                if expected != nil { taken += 1 }
                // A flag of the header that adds a field which the rest happens to be is one for both.
                #expect(found == expected, "byte \(place) changed by \(change)")
            }
            #expect(throws: ArchiveError.self) {
                try Self.unpacked(Array(bytes[..<place]), pieces: 1 << 16, output: 1 << 16)
            }
        }
        // The header's time, system and extra flags are anything.
        #expect(taken >= 4 * 5)
    }
}
