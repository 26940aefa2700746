import Foundation

/// Certificates of an authority of a test's own.
package enum TestCertificates {
    /// Writes an authority (`ca.pem`) and a certificate for 127.0.0.1 and localhost (`server.pem`, `server.key`).
    ///
    /// - Parameter days: how long it lasts; negative for one that has expired.
    package static func make(in directory: String, days: Int = 2) throws {
        let extensions = "subjectAltName=IP:127.0.0.1,DNS:localhost\n"
        try extensions.write(toFile: "\(directory)/extensions", atomically: true, encoding: .utf8)
        let new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        try Shell.run(
            new + ["-x509", "-days", "2", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem"], in: directory)
        try Shell.run(
            new + ["-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr"], in: directory)
        try Shell.run(
            [
                "openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "\(days)", "-extfile", "extensions", "-out", "server.pem",
            ], in: directory)
    }
}
