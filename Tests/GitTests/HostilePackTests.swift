import Foundation
import TestSupport
import Testing

@testable import Git

/// Packs that no git would write, byte by byte.
@Suite("Hostile packs", .tags(.unit), .thorough) struct HostilePackTests {
    /// An object of a made-up pack.
    struct Object: Sendable {
        enum Base: Sendable {
            case none
            /// By the number of the object, before or after.
            case reference(Int)
            case distance(UInt64)
        }

        var type: UInt8
        /// `nil`: the true one.
        var size: UInt64?
        var base = Base.none
        var content: [UInt8]
        /// Bytes of the compressed stream that are missing.
        var cut = 0

        static func blob(_ content: [UInt8], size: UInt64? = nil, cut: Int = 0) -> Object {
            Object(type: 3, size: size, content: content, cut: cut)
        }

        static func delta(of base: Base, _ content: [UInt8], size: UInt64? = nil) -> Object {
            let isReference = if case .reference = base { true } else { false }
            return Object(type: isReference ? 7 : 6, size: size, base: base, content: content)
        }
    }

    static func number(_ value: UInt64) -> [UInt8] {
        var value = value
        var bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(value & 0x7f) | (value > 0x7f ? 0x80 : 0))
            value >>= 7
        } while value > 0
        return bytes
    }

    /// A zlib stream of stored blocks (RFC 1950, RFC 1951).
    static func stored(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [0x78, 0x01]
        var rest = bytes[...]
        repeat {
            let part = rest.prefix(65_535)
            rest = rest.dropFirst(part.count)
            result += [rest.isEmpty ? 1 : 0, UInt8(part.count & 255), UInt8(part.count >> 8)]
            result += [UInt8(~part.count & 255), UInt8(~part.count >> 8 & 255)] + part
        } while !rest.isEmpty
        var (low, high) = (UInt32(1), UInt32(0))
        for byte in bytes {
            low = (low + UInt32(byte)) % 65_521
            high = (high + low) % 65_521
        }
        let sum = high << 16 | low
        return result + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> UInt32($0)) }
    }

    /// The names are made up: the n-th object is n and zeros.
    static func name(_ number: Int) -> [UInt8] { [UInt8(number)] + [UInt8](repeating: 0, count: 19) }

    private static func write(_ objects: [Object], to directory: String) throws {
        var pack = Array("PACK".utf8) + [0, 0, 0, 2, 0, 0, 0, UInt8(objects.count)]
        var offsets: [Int] = []
        for object in objects {
            offsets.append(pack.count)
            var size = object.size ?? UInt64(object.content.count)
            var byte = object.type << 4 | UInt8(size & 15)
            size >>= 4
            while size > 0 {
                pack.append(byte | 0x80)
                byte = UInt8(size & 0x7f)
                size >>= 7
            }
            pack.append(byte)
            switch object.base {
            case .none: break
            case .reference(let number): pack += name(number)
            case .distance(var distance):
                var bytes = [UInt8(distance & 0x7f)]
                distance >>= 7
                while distance > 0 {
                    distance -= 1
                    bytes.insert(UInt8(distance & 0x7f) | 0x80, at: 0)
                    distance >>= 7
                }
                pack += bytes
            }
            pack += stored(object.content).dropLast(object.cut)
        }
        pack += [UInt8](repeating: 0, count: 20)
        var index: [UInt8] = [0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2]
        for first in 0..<256 { index += [0, 0, 0, UInt8(min(first + 1, objects.count))] }
        for number in objects.indices { index += name(number) }
        index += [UInt8](repeating: 0, count: 4 * objects.count)
        for offset in offsets { index += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: offset >> $0) } }
        index += [UInt8](repeating: 0, count: 40)
        try FileManager.default.createDirectory(
            atPath: directory + "/pack", withIntermediateDirectories: true)
        try Data(pack).write(to: URL(fileURLWithPath: directory + "/pack/pack-1.pack"))
        try Data(index).write(to: URL(fileURLWithPath: directory + "/pack/pack-1.idx"))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let objects: [Object]
        var code = GitError.Code.corrupt
        let words: String
    }

    private static let large = LargeObjectTests.text(bytes: 5 << 20, seed: 3)
    private static let size = UInt64(large.count)
    private static func delta(base: UInt64 = size, result: UInt64, _ rest: [UInt8]) -> [UInt8] {
        number(base) + number(result) + rest
    }
    /// Copies 0x10000 bytes from the beginning.
    private static let copy: [UInt8] = [0x80]
    private static func copies(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x80, count: count) }

    private static let cases = [
        Case(
            testDescription: "a delta of itself",
            objects: [.delta(of: .reference(0), delta(result: size, copy))], words: "or of itself"),
        Case(
            testDescription: "deltas of each other",
            objects: [
                .delta(of: .reference(1), delta(result: size, copy)),
                .delta(of: .reference(0), delta(result: size, copy)),
            ], words: "or of itself"),
        Case(
            testDescription: "a base that is not there",
            objects: [.delta(of: .reference(9), delta(result: 1, copy))], words: "base is not in the pack"),
        Case(
            testDescription: "a base before the pack",
            objects: [.delta(of: .distance(1_000), delta(result: 1, copy))], words: "outside of the pack"),
        Case(
            testDescription: "a distance of nothing",
            objects: [.delta(of: .distance(0), delta(result: 1, copy))], words: "outside of the pack"),
        Case(
            testDescription: "a distance beyond all measure",
            objects: [.delta(of: .distance(.max / 2), delta(result: 1, copy))], words: "base is not valid"),
        Case(
            testDescription: "longer than it says", objects: [.blob(large, size: size - 1)],
            words: "longer than it says"),
        Case(
            testDescription: "shorter than it says", objects: [.blob(large, size: size + 1)],
            words: "shorter than it says"),
        Case(
            testDescription: "a size beyond all measure", objects: [.blob(large, size: 1 << 62)],
            words: "size is not valid"),
        Case(
            testDescription: "more than may be read", objects: [.blob(large, size: 1 << 40)], code: .tooLarge,
            words: "more than"),
        Case(
            testDescription: "cut off", objects: [.blob(large, cut: 2_000_000)], words: "compressed data"),
        Case(
            testDescription: "another name's content", objects: [.blob(large)], words: "not what its name says"),
        Case(
            testDescription: "a delta for an object of another size",
            objects: [.delta(of: .reference(1), delta(base: size - 1, result: 0x50000, copies(5))), .blob(large)],
            words: "another size"),
        Case(
            testDescription: "a copy behind the base's end",
            objects: [
                .delta(of: .reference(1), delta(result: size, [0x88 | 0x04, 0xff, 0xff])), .blob(large),
            ], words: "base has not got"),
        Case(
            testDescription: "more than the result has",
            objects: [.delta(of: .reference(1), delta(result: 0x10000, copies(2))), .blob(large)],
            words: "base has not got"),
        Case(
            testDescription: "less than the result has",
            objects: [.delta(of: .reference(1), delta(result: 0x50000, copies(4))), .blob(large)],
            words: "another size than it says"),
        Case(
            testDescription: "an instruction that is none",
            objects: [.delta(of: .reference(1), delta(result: 0x50000, [0])), .blob(large)],
            words: "does not exist"),
        Case(
            testDescription: "new bytes that are missing",
            objects: [.delta(of: .reference(1), delta(result: 0x50000, [0x7f, 1, 2])), .blob(large)],
            words: "ends too early"),
        Case(
            testDescription: "a delta without sizes", objects: [.delta(of: .reference(1), []), .blob(large)],
            words: "size is not valid"),
        Case(
            testDescription: "a delta with an endless size",
            objects: [.delta(of: .reference(1), [UInt8](repeating: 0xff, count: 30)), .blob(large)],
            words: "size is not valid"),
        Case(
            testDescription: "a delta longer than it says",
            objects: [
                .delta(of: .reference(1), delta(result: 0x50000, copies(5)), size: 8), .blob(large),
            ], words: "longer than it says"),
        Case(
            testDescription: "a result that is more than may be read",
            objects: [.delta(of: .reference(1), delta(result: 1 << 40, copies(5))), .blob(large)], code: .tooLarge,
            words: "more than"),
        Case(
            testDescription: "a base that unpacks to more than may be read",
            objects: [
                .delta(of: .reference(1), delta(base: 1 << 40, result: 0x10000, copy)),
                .delta(of: .reference(2), delta(result: 1 << 40, copies(9))), .blob(large),
            ], code: .tooLarge, words: "more than"),
        Case(
            testDescription: "a delta of something of no kind",
            objects: [
                .delta(of: .reference(1), delta(result: 0x50000, copies(5))), Object(type: 5, content: large),
            ], words: "no known kind"),
        Case(
            testDescription: "a tree", objects: [Object(type: 2, content: large)], code: .invalid, words: "not a blob"),
    ]

    @Test(arguments: cases) func `a pack that lies is refused`(test: Case) throws {
        let directory = try TemporaryDirectory("git-hostile-pack")
        try Self.write(test.objects, to: directory.path)
        let id = ObjectID(name: Self.name(0)[...])
        let error = #expect(throws: GitError.self) {
            try ObjectStream(directory: directory.path, id: id, limit: 1 << 30).read { _ in true }
        }
        #expect(error?.code == test.code)
        let text = "\(error?.summary ?? "") \(error?.cause ?? "")"
        #expect(text.contains(test.words), "\(text)")
    }

    /// Numbers at the end of what 64 bits hold, where nobody bounds the sizes.
    @Test(arguments: [UInt64(1) << 62, UInt64(Int64.max)]) func `sizes beyond all measure stop nobody`(size: UInt64)
        throws
    {
        let directory = try TemporaryDirectory("git-hostile-size")
        try Self.write(
            [
                .delta(of: .reference(1), Self.delta(base: size, result: 0x10000, Self.copy)),
                .delta(of: .reference(2), Self.delta(result: size, Self.copies(9))), .blob(Self.large),
            ], to: directory.path)
        let id = ObjectID(name: Self.name(0)[...])
        let error = #expect(throws: GitError.self) {
            try ObjectStream(directory: directory.path, id: id, limit: .max).read { _ in true }
        }
        #expect(error?.code == .storage || error?.code == .tooLarge || error?.code == .corrupt)
    }

    /// None of the objects is too large by itself.
    @Test func `the work that a chain asks for is bounded`() throws {
        let directory = try TemporaryDirectory("git-hostile-chain")
        let count = 200
        var objects: [Object] = (0..<count).map {
            .delta(of: .reference($0 + 1), Self.delta(result: Self.size, []))
        }
        objects.append(.blob(Self.large))
        try Self.write(objects, to: directory.path)
        let id = ObjectID(name: Self.name(0)[...])
        let error = #expect(throws: GitError.self) {
            try ObjectStream(directory: directory.path, id: id, limit: Int64(Self.size) + 10).read { _ in true }
        }
        #expect(error?.code == .tooLarge)
    }
}
