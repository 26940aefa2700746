internal import Cryptography

/// Hashes a stream with one of the digest algorithms.
package struct DigestHasher: ~Copyable {
    private var state: HashState
    private let algorithm: Digest.Algorithm

    package init(_ algorithm: Digest.Algorithm) {
        switch algorithm {
        case .sha256: state = HashState(.sha256)
        case .sha384: state = HashState(.sha384)
        case .sha512: state = HashState(.sha512)
        }
        self.algorithm = algorithm
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) { state.update(bytes) }

    package mutating func update(_ bytes: [UInt8]) { state.update(bytes) }

    package consuming func finalize() -> Digest {
        let algorithm = algorithm
        return Digest(algorithm: algorithm, verified: Encoding.hexadecimal(state.finalize()))
    }
}

/// `DigestHasher` for the algorithm that everything made here uses.
package struct SHA256Hasher: ~Copyable {
    private var hasher = DigestHasher(.sha256)

    package init() {}

    package mutating func update(_ bytes: UnsafeRawBufferPointer) { hasher.update(bytes) }

    package mutating func update(_ bytes: [UInt8]) { hasher.update(bytes) }

    package consuming func finalize() -> Digest { hasher.finalize() }
}
