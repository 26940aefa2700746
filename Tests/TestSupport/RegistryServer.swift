import Foundation

/// Debian's `docker-registry` on a free loopback port, storing under a directory, with deletion allowed.
package final class RegistryServer: Sendable {
    package struct Options: Sendable {
        /// User names and passwords for Basic authentication.
        package var users: [String: String] = [:]
        /// Serves TLS with a certificate of a certificate authority of its own (`certificateAuthority`).
        package var tls = false
        /// With `tls`: only clients with a certificate of this authority (a PEM file) are let in.
        package var clientAuthority: String?
        /// With `tls`: the certificate ended yesterday.
        package var isExpired = false
        /// Bearer tokens from a token service: realm, service, issuer and the file of certificates that sign.
        package var token: (realm: String, service: String, issuer: String, bundle: String)?

        /// Whether manifests and blobs can be deleted.
        package var allowsDeletion = true

        package init() {}
    }

    /// What the port stands for. `host` is `127.0.0.1:PORT`.
    package let host: String
    package let port: Int
    package let directory: String
    package let isSecure: Bool
    /// The configuration file, which `docker-registry garbage-collect` takes too.
    package let configuration: String
    private let server: LockedServer

    package var url: String { "\(isSecure ? "https" : "http")://\(host)" }

    /// The certificate of the authority that signed the server's, with `Options.tls`.
    package var certificateAuthority: String { "\(directory)/ca.pem" }

    /// Starts a registry; with `htpasswd` (name → password) it asks for Basic authentication.
    package convenience init(directory: String, htpasswd: [String: String] = [:]) async throws {
        var options = Options()
        options.users = htpasswd
        try await self.init(directory: directory, options: options)
    }

    package init(directory: String, options: Options) async throws {
        self.directory = directory
        isSecure = options.tls
        try FileManager.default.createDirectory(atPath: "\(directory)/data", withIntermediateDirectories: true)
        port = try Server.freePort()
        host = "127.0.0.1:\(port)"
        configuration = "\(directory)/config.yml"
        var text = """
            version: 0.1
            log: {level: warn, accesslog: {disabled: true}}
            storage:
              filesystem: {rootdirectory: \(directory)/data}
              delete: {enabled: \(options.allowsDeletion)}
              maintenance: {uploadpurging: {enabled: false}}
            http:
              addr: \(host)

            """
        if options.tls {
            try TestCertificates.make(in: directory, days: options.isExpired ? -1 : 2)
            let clients = options.clientAuthority.map { ", clientcas: [\($0)]" } ?? ""
            text += "  tls: {certificate: \(directory)/server.pem, key: \(directory)/server.key\(clients)}\n"
        }
        if !options.users.isEmpty {
            let lines = try options.users.map { user, password in
                try Shell.run(["htpasswd", "-Bbn", user, password]).stdout.trimmingCharacters(
                    in: .whitespacesAndNewlines)
            }
            try (lines.joined(separator: "\n") + "\n")
                .write(toFile: "\(directory)/htpasswd", atomically: true, encoding: .utf8)
            text += "auth:\n  htpasswd: {realm: test, path: \(directory)/htpasswd}\n"
        }
        if let token = options.token {
            text += """
                auth:
                  token: {realm: "\(token.realm)", service: \(token.service), issuer: \(token.issuer), rootcertbundle: \(token.bundle)}

                """
        }
        try text.write(toFile: configuration, atomically: true, encoding: .utf8)
        server = LockedServer(try Self.start(configuration, directory))
        try await ready()
    }

    package func stop() { server.replace(nil) }

    /// Stops the registry and starts it on the same port and storage.
    package func restart() async throws {
        stop()
        server.replace(try Self.start(configuration, directory))
        try await ready()
    }

    package var log: String {
        (try? String(contentsOfFile: "\(directory)/registry.log", encoding: .utf8)) ?? ""
    }

    private static func start(_ configuration: String, _ directory: String) throws -> Server {
        try Server(["docker-registry", "serve", configuration], log: "\(directory)/registry.log")
    }

    private func ready() async throws {
        try await waitUntil("docker-registry answers on port \(port)") {
            guard server.isRunning else { throw TestSupportError("docker-registry ended: \(log)") }
            return Server.accepts(port: port)
        }
    }
}

/// The process behind a registry; a restart puts another in its place.
///
/// `@unchecked Sendable`: every access holds the lock.
private final class LockedServer: @unchecked Sendable {
    private let lock = NSLock()
    private var server: Server?

    init(_ server: Server) { self.server = server }

    var isRunning: Bool { lock.withLock { server?.isRunning ?? false } }

    func replace(_ new: Server?) {
        lock.withLock {
            server?.stop()
            server = new
        }
    }
}
