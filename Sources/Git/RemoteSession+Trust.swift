import CGit2
import Cryptography
import FoundationEssentials
import Glibc

/// Verifying that the remote is the one that we mean.
extension RemoteSession {
    func judge(_ certificate: UnsafeMutablePointer<git_cert>, isValid: Bool, host: String) -> Int32 {
        if certificate.pointee.cert_type == GIT_CERT_HOSTKEY_LIBSSH2 {
            return certificate.withMemoryRebound(to: git_cert_hostkey.self, capacity: 1) { judgeHostKey($0.pointee) }
        }
        let shown = watch.takeCertificates()
        // libgit2 gives the credentials to whatever host a redirect names.
        if credentials.hasHTTPSecrets || url.password != nil, let own = url.host, own.lowercased() != host.lowercased()
        {
            failure = GitError(
                .network, "the server redirects to another host, \(host); credentials are not sent there",
                place: url.description, hint: "use the repository's final URL")
            return GIT_ECERTIFICATE.rawValue
        }
        if credentials.insecureSkipTLSVerify { return 0 }
        var cause: String?
        if let address = IPLiteral(host) {
            // Debian's libgit2 uses mbedTLS, which finds no address in a certificate.
            cause = refusal(of: certificate, among: shown, at: address)
            if cause == nil { return 0 }
        } else if isValid {
            return 0
        }
        failure = GitError(
            .certificate, "the TLS certificate of \(host) could not be verified", place: url.description, cause: cause,
            hint:
                "name the PEM file of a private authority by SSL_CERT_FILE, --git-ca-file or 'caFile' (a build's context may "
                + "also be fetched with --git insecure-skip-tls=true); the certificate must name the host as the URL does, "
                + "by DNS name or, for an address, by an IP entry in subjectAltName")
        return GIT_ECERTIFICATE.rawValue
    }

    /// Why a server's certificate is not accepted for an address.
    ///
    /// - Parameter shown: the chain that it is the first of, where that is known.
    private func refusal(
        of certificate: UnsafeMutablePointer<git_cert>, among shown: [[UInt8]], at address: IPLiteral
    ) -> String? {
        guard certificate.pointee.cert_type == GIT_CERT_X509 else { return "the server presented none" }
        let own = certificate.withMemoryRebound(to: git_cert_x509.self, capacity: 1) { certificate in
            [UInt8](UnsafeRawBufferPointer(start: certificate.pointee.data, count: certificate.pointee.len))
        }
        return ServerCertificate.refusal(
            of: shown.first == own ? shown : [own], at: address.text, trusting: TrustStore.bundles(for: credentials))
    }

    private func judgeHostKey(_ certificate: git_cert_hostkey) -> Int32 {
        guard case .ssh(_, let host, let port) = url.transport, let start = certificate.hostkey,
            certificate.type.rawValue & GIT_CERT_SSH_RAW.rawValue != 0
        else {
            failure = GitError(.hostKeyUnknown, "the SSH server presented no key", place: url.description)
            return GIT_ECERTIFICATE.rawValue
        }
        let key = [UInt8](UnsafeRawBufferPointer(start: start, count: certificate.hostkey_len))
        let files = knownHostsFiles
        var known = KnownHosts()
        for file in files {
            if let bytes = Storage.read(file, limit: 16 << 20) { known.append(String(decoding: bytes, as: UTF8.self)) }
        }
        let verdict = known.verdict(host: host, port: port, key: key)
        if verdict == .known { return 0 }
        failure = hostKeyError(
            verdict, type: KnownHosts.type(ofKey: key), fingerprint: Self.fingerprint(certificate))
        return GIT_ECERTIFICATE.rawValue
    }

    /// Where the server's keys are recorded.
    private var knownHostsFiles: [String] {
        credentials.knownHostsPaths ?? KnownHosts.standardFiles
    }

    /// - Parameter isAsked: the server was asked for keys of the recorded kinds first, as ssh does and libssh2 does not.
    func hostKeyError(
        _ verdict: KnownHosts.Verdict, type: String, fingerprint: String, isAsked: Bool = false
    ) -> GitError {
        guard case .ssh(_, let host, let port) = url.transport else { return GitError(.hostKeyUnknown, "no SSH host") }
        let name = KnownHosts.name(host: host, port: port)
        let scan = KnownHosts.scanCommand(host: host, port: port)
        let list = knownHostsFiles.joined(separator: ", ")
        let first = knownHostsFiles.first ?? "known_hosts"
        let add = "after comparing the fingerprint with the one that the server's operator publishes, add the key: "
        switch verdict {
        case .otherTypes(let types) where !isAsked:
            return GitError(
                .hostKeyUnknown,
                "the SSH server's \(type) key is not recorded for \(name), only \(types.joined(separator: ", "))",
                place: url.description,
                cause: "it presented \(fingerprint); libssh2 does not ask for the recorded kind",
                hint: "install the package openssh-client, whose ssh asks for it. Or, " + add + "\(scan) >> \(first)")
        case .mismatch, .otherTypes:
            var recorded = ""
            if case .otherTypes(let types) = verdict { recorded = "; \(types.joined(separator: ", ")) is recorded" }
            return GitError(
                .hostKeyMismatch, "the SSH server's key is not the one that is recorded for \(name)",
                place: url.description,
                cause: "it presented \(type) \(fingerprint)\(recorded)",
                hint:
                    "somebody may be listening in. If the server's key was changed on purpose, replace the lines of \(name) in "
                    + "\(list)")
        case .revoked:
            return GitError(
                .hostKeyMismatch, "the SSH server's key is marked as revoked for \(name)", place: url.description,
                cause: "it presented \(type) \(fingerprint)", hint: "see the @revoked lines in \(list)")
        case .unknown, .known:
            return GitError(
                .hostKeyUnknown, "the SSH server's key is not known", place: url.description,
                cause: "\(name) is not in \(list); it presented \(type) \(fingerprint)",
                hint: add + "\(scan) >> \(first)")
        }
    }

    /// The key's digest as ssh shows it.
    private static func fingerprint(_ certificate: git_cert_hostkey) -> String {
        guard certificate.type.rawValue & GIT_CERT_SSH_SHA256.rawValue != 0 else { return "(no fingerprint)" }
        let digest = withUnsafeBytes(of: certificate.hash_sha256) { Data($0) }
        var text = digest.base64EncodedString()
        while text.hasSuffix("=") { text.removeLast() }
        return "SHA256:" + text
    }
}

/// A host that is an address and no name.
struct IPLiteral {
    /// Without the brackets that a URL puts around IPv6.
    let text: String

    init?(_ host: String) {
        let text = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        var address = in6_addr()
        guard inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        self.text = text
    }
}
