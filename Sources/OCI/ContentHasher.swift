internal import Cryptography

/// Tells files of a build context apart: BLAKE2b, cut to 256 bits.
///
/// For digests that never leave Slipway's own keys. Where a processor has no instructions for SHA-256, as on many virtual
/// machines, this is twice as fast.
package struct ContentHasher: ~Copyable {
    package static let byteCount = 32
    private var state = HashState(.blake2b512)

    package init() {}

    package mutating func update(_ bytes: UnsafeRawBufferPointer) { state.update(bytes) }

    /// `byteCount` bytes.
    package consuming func finalize() -> [UInt8] {
        Array(state.finalize()[..<Self.byteCount])
    }
}
