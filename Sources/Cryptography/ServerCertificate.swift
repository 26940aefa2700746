import CCrypto
import Glibc

/// Certificates of TLS servers, verified by libcrypto (RFC 5280), for who uses a TLS library that does less.
package enum ServerCertificate {
    /// Looks at a server that is reached by its IP address: the chain must lead to an authority that is trusted, be valid now and
    /// be for servers, and the certificate must name the address as `iPAddress` in subjectAltName (RFC 9525 section 6.3). Other names count
    /// for nothing.
    ///
    /// - Parameters:
    ///   - chain: as the server sent it, DER, its own first.
    ///   - address: IPv4 or IPv6, without brackets.
    ///   - bundles: authorities, PEM.
    /// - Returns: libcrypto's reason to refuse; `nil` when all is as it should be.
    package static func refusal(
        of chain: [[UInt8]], at address: String, trusting bundles: [[UInt8]]
    ) -> String? {
        guard let leaf = chain.first.flatMap(certificate) else { return "the certificate cannot be read" }
        defer { X509_free(leaf) }
        guard let store = X509_STORE_new(), let context = X509_STORE_CTX_new(), let others = OPENSSL_sk_new_null()
        else {
            return "no memory"
        }
        defer {
            X509_STORE_CTX_free(context)
            X509_STORE_free(store)
        }
        var intermediates: [OpaquePointer] = []
        defer {
            OPENSSL_sk_free(others)
            for one in intermediates { X509_free(one) }
        }
        for bytes in chain.dropFirst() {
            guard let one = certificate(bytes) else { continue }
            intermediates.append(one)
            OPENSSL_sk_push(others, UnsafeRawPointer(one))
        }
        for bundle in bundles { add(bundle, to: store) }
        guard X509_STORE_CTX_init(context, store, leaf, others) == 1,
            X509_STORE_CTX_set_default(context, "ssl_server") == 1,
            let parameters = X509_STORE_CTX_get0_param(context)
        else { return "libcrypto cannot verify" }
        guard X509_VERIFY_PARAM_set1_ip_asc(parameters, address) == 1 else {
            return "'\(address)' is not an IP address"
        }
        // What is trusted may be any part of the chain, as it is for mbedTLS and curl.
        X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        if X509_verify_cert(context) == 1 { return nil }
        let reason = X509_STORE_CTX_get_error(context)
        ERR_clear_error()
        return X509_verify_cert_error_string(Int(reason)).map { String(cString: $0) } ?? "reason \(reason)"
    }

    private static func certificate(_ bytes: [UInt8]) -> OpaquePointer? {
        bytes.withUnsafeBufferPointer { buffer in
            var pointer = buffer.baseAddress
            return d2i_X509(nil, &pointer, buffer.count)
        }
    }

    private static func add(_ pem: [UInt8], to store: OpaquePointer) {
        pem.withUnsafeBytes { bytes in
            guard let input = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return }
            defer { BIO_free(input) }
            while let authority = PEM_read_bio_X509(input, nil, nil, nil) {
                X509_STORE_add_cert(store, authority)
                X509_free(authority)
            }
            // The end of the text is an error to libcrypto.
            ERR_clear_error()
        }
    }
}
