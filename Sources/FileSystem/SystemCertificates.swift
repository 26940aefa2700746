/// Where systems have the certificates that they trust.
package enum SystemCertificates {
    /// Files in PEM; the first that is there counts.
    package static let bundles = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
    ]
}
