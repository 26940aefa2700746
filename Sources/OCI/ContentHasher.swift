internal import CCrypto

/// Tells files of a build context apart: BLAKE2b, cut to 256 bits.
///
/// For digests that never leave Slipway's own keys. Where a processor has no instructions for SHA-256, as on many virtual
/// machines, this is twice as fast.
package struct ContentHasher: ~Copyable {
    package static let byteCount = 32
    private let context: OpaquePointer

    package init() {
        // Fails only without memory or with a libcrypto that lacks BLAKE2: nothing to recover.
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_blake2b512(), nil) == 1 else {
            fatalError("libcrypto gives no BLAKE2b")
        }
        self.context = context
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
        EVP_DigestUpdate(context, base, bytes.count)
    }

    /// `byteCount` bytes.
    package consuming func finalize() -> [UInt8] {
        var hash = [UInt8](repeating: 0, count: 64)
        EVP_DigestFinal_ex(context, &hash, nil)
        return Array(hash[..<Self.byteCount])
    }

    deinit { EVP_MD_CTX_free(context) }
}
