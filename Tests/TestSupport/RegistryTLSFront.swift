import Foundation

/// nginx, which ends TLS before a server of a test's own that speaks plain HTTP, stopped when dropped.
///
/// What it passes on has the header `X-Slipway-TLS`, so that the server can tell it from what came in the clear.
package final class TLSFront: Sendable {
    package let port: Int
    package var host: String { "127.0.0.1:\(port)" }
    package var url: String { "https://\(host)" }
    /// The authority that signed the certificate (PEM).
    package var certificateAuthority: String { scratch.file("ca.pem") }

    private let scratch: TemporaryDirectory
    private let nginx: Server

    /// - Parameter port: where the server listens on the loopback address.
    package init(before upstream: Int) async throws {
        let scratch = try TemporaryDirectory("tls-front")
        let port = try Server.freePort()
        (self.scratch, self.port) = (scratch, port)
        try TestCertificates.make(in: scratch.path)
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(scratch.file($0));" }.joined(separator: " ")
        let configuration = """
            daemon off; pid \(scratch.file("nginx.pid")); worker_processes 1; error_log stderr;
            \(getuid() == 0 ? "user root;" : "")
            events { worker_connections 64; }
            http {
              access_log off; client_max_body_size 0; \(paths)
              server {
                listen 127.0.0.1:\(port) ssl;
                ssl_certificate \(scratch.file("server.pem")); ssl_certificate_key \(scratch.file("server.key"));
                location / {
                  proxy_pass http://127.0.0.1:\(upstream);
                  proxy_http_version 1.1;
                  proxy_redirect off;
                  proxy_set_header X-Slipway-TLS yes;
                }
              }
            }
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: scratch.file("nginx.conf")))
        nginx = try Server(
            ["nginx", "-p", scratch.path, "-c", scratch.file("nginx.conf")], log: scratch.file("nginx.log"))
        try await waitUntil("nginx listens") { Server.accepts(port: port) }
    }
}
