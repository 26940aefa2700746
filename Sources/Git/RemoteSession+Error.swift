import CGit2

extension RemoteSession {
    /// The error of a conversation's step: what a callback found out, or what libgit2 or the program says, made understandable.
    func error(_ status: Int32, _ summary: String) -> GitError {
        if Task.isCancelled { return GitError(.cancelled, "cancelled", place: url.description) }
        if let failure { return failure }
        if watch.isTimedOut {
            return GitError(
                .timeout, "the git server fell silent", place: url.description,
                cause: "nothing was heard for \(watch.silenceLimit / 1000) seconds",
                hint: "check the server's health, and the proxy and firewall between; 'timeout' of git gives it longer")
        }
        if watch.isExhausted {
            return GitError(
                .tooLarge, "the git server sends more than is taken", place: url.description,
                hint:
                    "at most \(credentials.advertisementLimit) bytes of references, and \(credentials.fetchLimit) bytes of objects at once"
            )
        }
        if let refusal = sshRefusal { return refusal }
        var error = GitError.last(status, summary, place: url.description)
        if let service, service.isAtEnd {
            let complaint = sshComplaint?.text ?? Redaction.serverText(service.complaints)
            if !complaint.isEmpty { error.cause = complaint }
        }
        let message = error.cause ?? ""
        if message.contains("failed connecting with agent") {
            return refusal(agent: "nobody answers at SSH_AUTH_SOCK")
        }
        if message.contains("error parsing REF pkt-line") { return unreadableReferences(cause: message) }
        explain(message, in: &error)
        let heard = Redaction.serverText(serverText)
        if ["No space left on device", "Disk quota exceeded"].contains(where: { "\(message) \(heard)".contains($0) }) {
            error.code = .storage
            error.hint = DiskSpace.hint
        }
        if !heard.isEmpty { error.cause = message.isEmpty ? heard : "\(message) (the server says: \(heard))" }
        return error
    }

    /// What `ssh` gave up for.
    private var sshRefusal: GitError? {
        guard let complaint = sshComplaint, service?.isAtEnd == true,
            let recorded = url.recordedHostKeys(in: credentials.knownHostsPaths)
        else { return nil }
        if let verdict = complaint.hostKeyVerdict(recorded: recorded.types) {
            let key = complaint.serverKey
            return hostKeyError(
                verdict, type: key?.type ?? "a key", fingerprint: key?.fingerprint ?? "(no fingerprint)", isAsked: true)
        }
        guard complaint.isRefusal else { return nil }
        if let path = credentials.sshKeyPath, complaint.isOfUnusableKey {
            return GitError(
                .authentication, "the SSH key cannot be read", place: path,
                hint: "check the passphrase, and that the file is a private key in OpenSSH or PEM form")
        }
        return refusal(agent: complaint.agent)
    }

    /// Says what a message stands for, and what to do.
    private func explain(_ message: String, in error: inout GitError) {
        func mentions(_ words: String...) -> Bool { words.contains { message.firstRange(ofASCII: $0) != nil } }
        let isLocal = if case .local = url.transport { true } else { false }
        if mentions(
            "status code: 404", "epository not found", "does not appear to be a git repository",
            "access denied or repository not exported", "not found: did you run git update-server-info")
        {
            error.code = .notFound
            error.summary = "there is no such repository, or these credentials may not see it"
            error.hint = "check the URL's spelling; private repositories answer the same without the right credentials"
        } else if mentions("dubious ownership") {
            error.code = .refused
            error.summary = "the repository belongs to another user, and git serves it to nobody else"
            error.cause = isLocal ? nil : error.cause
            error.hint =
                isLocal
                ? "its hooks would run as this user. Give it to this user (chown -R), or trust it: git config --system --add "
                    + "safe.directory \(url.description)"
                : "the server's operator has to give it to the account that serves it, or to name it as safe.directory there"
        } else if mentions("proxy") {
            error.code = mentions("authentication") ? .authentication : .network
            error.summary = "the proxy does not let us through"
            error.hint = "check the proxy's address, user and password"
        } else if mentions("status code: 401", "status code: 403", "ERROR: Permission", "read only", "not allowed to") {
            error.code = .authentication
            error.summary = "the server does not allow this with these credentials"
            error.hint = "the account needs write access to push"
        } else if mentions("nable to exchange encryption keys") {
            error.hint =
                "the server and libssh2 share no algorithm; often the server's only recorded host key is RSA: record its "
                + "ed25519 or ECDSA key in known_hosts, or install openssh-client"
        } else if mentions("Unable to negotiate with") {
            error.code = .network
            error.hint = "the server is older than this ssh takes; it has to be brought up to date"
        } else if mentions("Wrong passphrase", "Unable to open private key", "invalid/unrecognized private key") {
            error.code = .authentication
            error.summary = "the SSH key cannot be read"
            error.hint = "check the passphrase, and that the file is a private key in OpenSSH or PEM form"
        } else if mentions("failed to resolve address", "Could not resolve hostname") {
            error.code = .network
            error.hint = "check the host name, and the machine's DNS"
        } else if mentions(
            "failed to connect", "imed out", "Connection refused", "No route to host", "kex_exchange_identification",
            "Connection closed by")
        {
            error.code = .network
            error.hint = "check that the server is up, and the proxy and firewall between"
        } else if mentions("corruption on the remote side") {
            error.code = .invalid
            error.summary = "the remote repository is damaged"
            error.hint = "run git fsck in it, and restore what it misses"
        } else if mentions("status code: 429") {
            error.code = .network
            error.summary = "the server gets too many requests"
            error.hint = "give the repositories of this host longer intervals; the next cycle tries again"
        } else if mentions("status code: 5") {
            error.code = .network
            error.summary = "the server is in trouble"
            error.hint = "the next cycle tries again; when it stays so, look at the server's log"
        } else if mentions("too many redirects") {
            error.code = .network
            error.summary = "the server redirects without end, or asks for the same credentials again and again"
            error.hint = "use the repository's final URL; curl -IL shows where the redirections lead"
        } else if mentions("SSL error", "TLS", "SSL") && error.code != .authentication {
            error.code = .network
            error.summary = "no TLS connection comes about"
            error.hint =
                "check that the port is one for HTTPS: a server without TLS is reached by http://, which shows everybody between "
                + "the credentials. The server must offer TLS 1.2"
        } else if mentions("invalid content-type: 'application/octet-stream'", "invalid content-type: 'text/plain") {
            error.summary = "the address gives files, but is not a git server"
            error.hint =
                "a repository that lies on a web server as files (git's dumb protocol) cannot be fetched: serve it by git "
                + "http-backend or a git host; otherwise check the URL's path"
        } else if mentions("invalid content-type") {
            error.code = .notFound
            error.summary = "the address answers, but not as a git server"
            error.hint = "check the URL's path; it must be the one that git clone takes"
        }
    }

    /// libgit2 reads neither of the two, and says the same for both.
    private func unreadableReferences(cause: String) -> GitError {
        guard let service else {
            return GitError(
                .unsupported, "the remote is a shallow clone or has SHA-256 objects, and neither can be read",
                place: url.description, cause: cause,
                hint:
                    "complete a shallow clone by git fetch --unshallow there; of SHA-256 objects, push the content to one with SHA-1"
            )
        }
        if String(decoding: service.opening, as: UTF8.self).contains("object-format=sha256") {
            return .sha256(place: url.description)
        }
        return GitError(
            .unsupported, "the remote is a shallow clone, which lacks a part of its history", place: url.description,
            cause: cause,
            hint: "complete it by git fetch --unshallow there, or name the repository that it was cloned from")
    }
}

extension GitError {
    /// A repository whose objects are named by SHA-256 (gitformat-hash-function-transition(5)).
    static func sha256(place: String) -> GitError {
        GitError(
            .unsupported, "the repository has SHA-256 objects, which libgit2 does not read", place: place,
            hint: "make a repository with SHA-1 objects (git init --object-format=sha1), and push its content there")
    }
}
