internal import CCrypto

/// A running SHA-1 (for git), SHA-2 or BLAKE2b, through libcrypto (1 GB/s for SHA-256 where plain Swift does a tenth).
package struct HashState: ~Copyable {
    package enum Algorithm: Sendable {
        case sha1, sha256, sha384, sha512, blake2b512

        /// Bytes of the hash.
        var size: Int {
            switch self {
            case .sha1: 20
            case .sha256: 32
            case .sha384: 48
            case .sha512, .blake2b512: 64
            }
        }
    }

    private let context: OpaquePointer
    private let algorithm: Algorithm

    package init(_ algorithm: Algorithm) {
        let method =
            switch algorithm {
            case .sha1: EVP_sha1()
            case .sha256: EVP_sha256()
            case .sha384: EVP_sha384()
            case .sha512: EVP_sha512()
            case .blake2b512: EVP_blake2b512()
            }
        // Both fail only without memory or with a libcrypto that lacks these: nothing to recover.
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, method, nil) == 1 else {
            fatalError("libcrypto gives no \(algorithm)")
        }
        self.context = context
        self.algorithm = algorithm
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
        EVP_DigestUpdate(context, base, bytes.count)
    }

    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    package consuming func finalize() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: algorithm.size) { buffer, count in
            EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            count = algorithm.size
        }
    }

    deinit {
        EVP_MD_CTX_free(context)
    }
}
