package import Agent
import Blocking
import NIOCore
import NIOSSL
import Synchronization

/// The certificate that servers show, and its key. Connections that are made after a reload get the new one; those that are open go on.
package final class ServerTLS: Sendable {
    private let context: Mutex<NIOSSLContext>
    /// The bytes that it was made from: files that are touched without another content change nothing.
    private let content: Mutex<Content>

    private struct Content: Sendable, Equatable {
        let certificates: [UInt8]
        let key: [UInt8]
    }

    /// The public keys of this certificate and of the one before it, DER (RFC 5280, SubjectPublicKeyInfo).
    private let keys = Mutex<[[UInt8]]>([])

    private init(_ context: NIOSSLContext, _ content: Content) {
        self.context = Mutex(context)
        self.content = Mutex(content)
        remember(content)
    }

    /// - Throws: when the files hold no certificate with its key.
    package static func load(_ settings: TLSSettings) async throws(AgentError) -> ServerTLS {
        let content = try await read(settings)
        return ServerTLS(try context(of: content, settings), content)
    }

    /// Takes up the files as they are now.
    ///
    /// - Returns: whether another certificate is shown from now on.
    /// - Throws: when they cannot be used; then the old one stays.
    package func reload(_ settings: TLSSettings) async throws(AgentError) -> Bool {
        let content = try await Self.read(settings)
        guard content != self.content.withLock(\.self) else { return false }
        let context = try Self.context(of: content, settings)
        self.context.withLock { $0 = context }
        self.content.withLock { $0 = content }
        remember(content)
        return true
    }

    /// For one connection.
    func handler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: context.withLock(\.self)) }

    private func remember(_ content: Content) {
        guard let key = (try? NIOSSLCertificate.fromPEMBytes(content.certificates))?.first.flatMap(Self.key) else {
            return
        }
        keys.withLock { $0 = Array(([key] + $0.filter { $0 != key }).prefix(2)) }
    }

    private static func key(of certificate: NIOSSLCertificate) -> [UInt8]? {
        try? certificate.extractPublicKey().toSPKIBytes()
    }

    /// For a connection to another replica, which shows the same certificate, or the one before or after it by the same key. Its name is not
    /// compared: replicas know each other by IP addresses, which certificates do not have.
    func clientHandler() throws -> NIOSSLClientHandler {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .noHostnameVerification
        configuration.minimumTLSVersion = .tlsv12
        let keys = keys.withLock(\.self)
        return try NIOSSLClientHandler(
            context: try NIOSSLContext(configuration: configuration), serverHostname: nil
        ) { certificates, verdict in
            // The handshake proves that the server has the key of the first one.
            let key = certificates.first.flatMap(Self.key)
            verdict.succeed(key.map(keys.contains) == true ? .certificateVerified : .failed)
        }
    }

    private static let limit = 1 << 20

    private static func read(_ settings: TLSSettings) async throws(AgentError) -> Content {
        let read: Result<Content, AgentError> = await runBlocking {
            Result { () throws(AgentError) in
                Content(
                    certificates: try TextFile.read(settings.certFile, limit: limit),
                    key: try TextFile.read(settings.keyFile, limit: limit))
            }
        }
        return try read.get()
    }

    private static func context(of content: Content, _ settings: TLSSettings) throws(AgentError) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMBytes(content.certificates) } catch {
            throw unusable(settings.certFile, "holds no certificate that can be used", error)
        }
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(bytes: content.key, format: .pem) } catch {
            throw unusable(settings.keyFile, "holds no private key that can be used", error)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do { return try NIOSSLContext(configuration: configuration) } catch {
            throw AgentError(
                "the certificate and the key cannot be used together", place: settings.certFile, cause: "\(error)",
                hint: "\(settings.keyFile) must be the key of the first certificate in it")
        }
    }

    private static func unusable(_ file: String, _ what: String, _ error: any Error) -> AgentError {
        AgentError(
            "the file \(what)", place: file, cause: "\(error)",
            hint: "it must be PEM, a key without a passphrase; a chain begins with the server's own certificate")
    }
}
