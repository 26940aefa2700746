internal import CCrypto
import Diagnostics

/// A key that cannot be used.
package struct CryptographyError: Diagnostic, Equatable {
    package let summary: String
    package let hint: String?

    init(_ summary: String, hint: String? = nil) {
        self.summary = summary
        self.hint = hint
    }
}

package enum SHA256 {
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var state = HashState(.sha256)
        state.update(bytes)
        return state.finalize()
    }
}

/// For git's object names and the hashed host names of known_hosts, which have no other.
package enum SHA1 {
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var state = HashState(.sha1)
        state.update(bytes)
        return state.finalize()
    }
}

package enum HMAC {
    /// RFC 2104 with SHA-1: 20 bytes.
    package static func sha1(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        code(message, key: key, EVP_sha1(), size: 20)
    }

    /// RFC 2104 with SHA-256: 32 bytes.
    package static func sha256(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        code(message, key: key, EVP_sha256(), size: 32)
    }

    /// RFC 2104 with SHA-512: 64 bytes.
    package static func sha512(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        code(message, key: key, EVP_sha512(), size: 64)
    }

    private static func code(
        _ message: [UInt8], key: [UInt8], _ method: OpaquePointer?, size: Int
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            var length: UInt32 = 0
            // libcrypto wants a key's address even when the key is empty.
            let keyBytes = key.isEmpty ? [0] : key
            let result = CCrypto.HMAC(
                method, keyBytes, Int32(key.count), message, message.count, buffer.baseAddress, &length)
            precondition(result != nil, "libcrypto gives no HMAC")
            count = Int(length)
        }
    }
}

/// An RSA key of a PEM text, for signatures as JSON Web Tokens have them.
package struct RSAPrivateKey: ~Copyable {
    private let key: OpaquePointer

    /// - Parameter pem: PKCS #8 or PKCS #1, without a passphrase.
    package init(pem: String) throws(CryptographyError) {
        let bytes = Array(pem.utf8)
        guard bytes.count <= 1 << 16, let source = BIO_new_mem_buf(bytes, Int32(bytes.count)) else {
            throw CryptographyError("the private key cannot be read")
        }
        defer { BIO_free(source) }
        // An empty passphrase, because without one libcrypto would ask at the terminal.
        let key = "".withCString { PEM_read_bio_PrivateKey(source, nil, nil, UnsafeMutableRawPointer(mutating: $0)) }
        guard let key else {
            ERR_clear_error()
            throw CryptographyError(
                "the private key cannot be read", hint: "it is a PEM text that begins with -----BEGIN PRIVATE KEY-----")
        }
        guard EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA else {
            EVP_PKEY_free(key)
            throw CryptographyError("the private key is not an RSA key")
        }
        self.key = key
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256: `RS256` of RFC 7518.
    package func signature(of message: [UInt8]) throws(CryptographyError) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { throw CryptographyError("no memory for a signature") }
        defer { EVP_MD_CTX_free(context) }
        var length = 0
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            EVP_DigestSign(context, nil, &length, message, message.count) == 1, length <= 1 << 16
        else {
            ERR_clear_error()
            throw CryptographyError("the private key cannot sign")
        }
        var signature = [UInt8](repeating: 0, count: length)
        guard EVP_DigestSign(context, &signature, &length, message, message.count) == 1 else {
            ERR_clear_error()
            throw CryptographyError("the private key cannot sign")
        }
        return Array(signature.prefix(length))
    }

    deinit { EVP_PKEY_free(key) }
}
