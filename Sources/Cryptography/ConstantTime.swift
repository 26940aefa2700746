internal import CCrypto

/// Comparisons whose time tells nothing of what is compared.
package enum ConstantTime {
    /// Whether two secrets are equal. Both are hashed first, so that their lengths stay unknown, too.
    package static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        let (one, other) = (SHA256.hash(one), SHA256.hash(other))
        return CRYPTO_memcmp(one, other, one.count) == 0
    }
}
