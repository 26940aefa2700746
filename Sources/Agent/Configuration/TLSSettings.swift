/// The certificate that the agent shows where it listens: `tls:` of the configuration.
package struct TLSSettings: Sendable, Equatable {
    /// PEM: the server's certificate, and those between it and its authority.
    package var certFile: String
    /// PEM, without a passphrase.
    package var keyFile: String

    package init(certFile: String, keyFile: String) {
        self.certFile = certFile
        self.keyFile = keyFile
    }
}
