import CGit2
import Cryptography

/// The SHA-1 name of a git object.
package struct ObjectID: Hashable, Sendable, Comparable, CustomStringConvertible {
    private var high: UInt64
    private var middle: UInt64
    private var low: UInt32

    /// Reads 40 hexadecimal digits, in either case.
    package init(hex: String) throws(GitError) {
        guard let id = ObjectID(validating: hex) else {
            throw GitError(.invalid, "'\(hex.prefix(60))' is not a git object id: 40 hexadecimal digits are needed")
        }
        self = id
    }

    private init?(validating hex: String) {
        guard hex.utf8.count == 40 else { return nil }
        var digits: [UInt8] = []
        for byte in hex.utf8 {
            switch byte {
            case 0x30...0x39: digits.append(byte - 0x30)
            case 0x41...0x46: digits.append(byte - 0x41 + 10)
            case 0x61...0x66: digits.append(byte - 0x61 + 10)
            default: return nil
            }
        }
        let bytes = stride(from: 0, to: 40, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        self.init(bytes: bytes)
    }

    /// From the 20 bytes of a name.
    init(name: ArraySlice<UInt8>) { self.init(bytes: name) }

    private init(bytes: some RandomAccessCollection<UInt8>) {
        high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        middle = bytes.dropFirst(8).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes.dropFirst(16).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    init(_ oid: git_oid) {
        self = withUnsafeBytes(of: oid.id) { raw in
            var copy = ObjectID(high: 0, middle: 0, low: 0)
            copy.high = UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
            copy.middle = UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            copy.low = UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
            return copy
        }
    }

    private init(high: UInt64, middle: UInt64, low: UInt32) {
        self.high = high
        self.middle = middle
        self.low = low
    }

    /// The same name as libgit2 takes it.
    var oid: git_oid {
        var oid = git_oid()
        withUnsafeMutableBytes(of: &oid.id) { raw in
            raw.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
            raw.storeBytes(of: middle.bigEndian, toByteOffset: 8, as: UInt64.self)
            raw.storeBytes(of: low.bigEndian, toByteOffset: 16, as: UInt32.self)
        }
        return oid
    }

    /// The 20 bytes of the name.
    package var bytes: [UInt8] {
        withUnsafeBytes(of: oid.id) { Array($0.prefix(20)) }
    }

    /// The 40 lower-case digits.
    package var description: String { Encoding.hexadecimal(bytes) }

    /// The first seven digits, as git shows them.
    package var short: String { String(description.prefix(7)) }

    /// All zeros: how the protocol says "no object".
    var isZero: Bool { high == 0 && middle == 0 && low == 0 }

    package static func < (a: ObjectID, b: ObjectID) -> Bool {
        (a.high, a.middle, a.low) < (b.high, b.middle, b.low)
    }
}
