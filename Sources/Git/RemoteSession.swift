import CGit2
import FoundationEssentials
import Glibc

/// How far a fetch has come.
package struct FetchProgress: Hashable, Sendable {
    package var receivedObjects: Int
    package var totalObjects: Int
    package var receivedBytes: Int
}

/// What libgit2 calls back during one conversation with a remote, and what it learns there.
///
/// libgit2 holds it as an opaque payload; the owner keeps it alive until the conversation is over. All calls come on the
/// thread that talks to the remote.
final class RemoteSession {
    let url: RemoteURL
    let credentials: GitCredentials
    let progress: ((FetchProgress) -> Void)?
    /// Where objects are stored that come.
    var storage: String?
    /// The sockets of the conversation.
    let watch: SocketWatch
    /// Why a callback refused to go on; more precise than what libgit2 then reports.
    var failure: GitError?
    /// What the server had to say, bounded.
    private(set) var serverText: [UInt8] = []
    /// The server's verdict on the pushed reference.
    private(set) var update: (isAccepted: Bool, reason: String)?
    /// Means of authentication not tried yet: libgit2 asks again after each refusal, without end.
    private var untried: [Means] = [.basic, .agent, .key, .password]

    enum Means { case basic, agent, key, password }

    /// What leads to the repository; `nil` where libgit2 does by itself.
    private let program: ServiceProgram?
    private(set) var service: ServiceProcess?

    init(
        url: RemoteURL, credentials: GitCredentials, progress: ((FetchProgress) -> Void)? = nil,
        program: ServiceProgram? = nil
    ) {
        self.url = url
        self.credentials = credentials
        watch = SocketWatch(silenceLimit: credentials.silenceLimit, keepsHandshakes: url.kind == .https)
        self.progress = progress
        self.program = program
    }

    /// The callbacks, with this object as payload. They hold no reference.
    func callbacks() -> git_remote_callbacks {
        var callbacks = git_remote_callbacks()
        git_remote_init_callbacks(&callbacks, UInt32(GIT_REMOTE_CALLBACKS_VERSION))
        callbacks.payload = Unmanaged.passUnretained(self).toOpaque()
        callbacks.credentials = { out, _, user, allowed, payload in
            guard let session = RemoteSession.from(payload), let out else { return GIT_EAUTH.rawValue }
            return session.provideCredential(out, user: user.map { String(cString: $0) }, allowed: allowed)
        }
        callbacks.certificate_check = { certificate, isValid, host, payload in
            guard let session = RemoteSession.from(payload), let certificate else { return GIT_ECERTIFICATE.rawValue }
            return session.judge(
                certificate, isValid: isValid != 0, host: host.map { String(cString: $0) } ?? "")
        }
        callbacks.transfer_progress = { progress, payload in
            guard let session = RemoteSession.from(payload), let progress else { return 0 }
            return session.report(progress.pointee)
        }
        callbacks.sideband_progress = { text, length, payload in
            guard let session = RemoteSession.from(payload), let text else { return 0 }
            session.hear(UnsafeRawBufferPointer(start: text, count: max(0, Int(length))))
            return Task.isCancelled ? GIT_EUSER.rawValue : 0
        }
        callbacks.push_update_reference = { _, status, payload in
            guard let session = RemoteSession.from(payload) else { return 0 }
            session.update = (status == nil, status.map { String(cString: $0) } ?? "")
            return 0
        }
        if program != nil {
            callbacks.transport = { ServiceTransport.make($0, owner: $1, payload: $2) }
        }
        return callbacks
    }

    /// Starts the program for the other side of the conversation; `false` with the failure noted.
    func startService(_ service: ServiceCommand.Service) -> Bool {
        start(service) { () throws(GitError) in try program?.command(service, url: url, credentials: credentials) }
    }

    /// - Parameter service: as which its end is waited for.
    func start(
        _ service: ServiceCommand.Service, _ command: () throws(GitError) -> ServiceCommand?
    ) -> Bool {
        do throws(GitError) {
            guard let command = try command() else { return false }
            self.service = try ServiceProcess(command, service: service, watch: watch)
            return true
        } catch {
            failure = error
            return false
        }
    }

    /// What the program printed, where it is not git's on this machine.
    var sshComplaint: SSHComplaint? {
        guard case .ssh = url.transport, let service else { return nil }
        return SSHComplaint(service.complaints)
    }

    func finishService() { service?.finish() }

    static func from(_ payload: UnsafeMutableRawPointer?) -> RemoteSession? {
        payload.map { Unmanaged<RemoteSession>.fromOpaque($0).takeUnretainedValue() }
    }

    private func report(_ state: git_indexer_progress) -> Int32 {
        if Task.isCancelled { return GIT_EUSER.rawValue }
        if state.received_bytes > credentials.fetchLimit {
            failure = GitError(
                .tooLarge, "the git server sends more than \(credentials.fetchLimit) bytes of objects",
                place: url.description)
            return GIT_EUSER.rawValue
        }
        if let storage, let lack = DiskSpace.lack(of: DiskSpace.reserve, in: storage, "cannot store what was fetched") {
            failure = lack
            return GIT_EUSER.rawValue
        }
        progress?(
            FetchProgress(
                receivedObjects: Int(state.received_objects), totalObjects: Int(state.total_objects),
                receivedBytes: state.received_bytes))
        return 0
    }

    private func hear(_ bytes: UnsafeRawBufferPointer) {
        serverText += bytes.prefix(max(0, 8192 - serverText.count))
    }

    // MARK: Credentials

    private func provideCredential(
        _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_credential>?>, user: String?, allowed: UInt32
    ) -> Int32 {
        func isAllowed(_ kind: git_credential_t) -> Bool { allowed & kind.rawValue != 0 }
        let name = user ?? credentials.username ?? url.username ?? "git"
        if isAllowed(GIT_CREDENTIAL_USERNAME) { return git_credential_username_new(out, name) }
        while let means = untried.first {
            untried.removeFirst()
            switch means {
            case .basic:
                guard case .http = url.transport, isAllowed(GIT_CREDENTIAL_USERPASS_PLAINTEXT),
                    let pair = basicPair
                else { continue }
                return git_credential_userpass_plaintext_new(out, pair.username, pair.password)
            case .key:
                guard isAllowed(GIT_CREDENTIAL_SSH_KEY), let path = credentials.sshKeyPath else { continue }
                guard access(path, R_OK) == 0 else {
                    let cause = String(cString: strerror(errno))
                    failure = GitError(
                        .authentication, "cannot read the SSH key", place: path, cause: cause,
                        hint: "the key's file must exist and be readable for this user")
                    return GIT_EAUTH.rawValue
                }
                return git_credential_ssh_key_new(out, name, nil, path, credentials.sshKeyPassphrase)
            case .agent:
                guard isAllowed(GIT_CREDENTIAL_SSH_KEY), credentials.usesSSHAgent, getenv("SSH_AUTH_SOCK") != nil,
                    // A key that is named is meant; the agent is asked only without one.
                    credentials.sshKeyPath == nil
                else { continue }
                return git_credential_ssh_key_from_agent(out, name)
            case .password:
                guard case .ssh = url.transport, isAllowed(GIT_CREDENTIAL_USERPASS_PLAINTEXT),
                    let password = credentials.password ?? url.password
                else { continue }
                return git_credential_userpass_plaintext_new(out, name, password)
            }
        }
        failure = failure ?? refusal()
        return GIT_EAUTH.rawValue
    }

    private var basicPair: (username: String, password: String)? { url.basic(with: credentials) }

    /// Nothing is left to try: say what was missing, or that it was wrong.
    ///
    /// - Parameter agent: what is wrong with the agent behind SSH_AUTH_SOCK.
    func refusal(agent: String? = nil) -> GitError {
        guard case .ssh = url.transport else { return httpRefusal }
        let asksAgent = credentials.sshKeyPath == nil && credentials.usesSSHAgent && getenv("SSH_AUTH_SOCK") != nil
        if asksAgent, let agent {
            return GitError(
                .authentication, "the SSH server asks for a key, and \(agent)", place: url.description,
                hint: "add one to it (ssh-add FILE), or configure an SSH key")
        }
        let hadSome = credentials.sshKeyPath != nil || credentials.password != nil || url.password != nil || asksAgent
        let isSHA1 = program == nil && !SSHLibrary.linked.signsRSAWithSHA2
        return GitError(
            .authentication,
            hadSome
                ? asksAgent
                    ? "the SSH server refused the keys of the agent behind SSH_AUTH_SOCK"
                    : "the SSH server refused the key"
                : "the SSH server asks for a key, and none is configured",
            place: url.description,
            hint: hadSome
                ? "add the public key to the account or as a deploy key with write access; check the passphrase"
                    + (isSHA1
                        ? "; RSA keys are refused by newer servers here: install openssh-client, or use ed25519 or ECDSA"
                        : "")
                : "configure an SSH key, or start an agent and set SSH_AUTH_SOCK")
    }

    private var httpRefusal: GitError {
        let others = "; some hosts answer the same for a repository that does not exist"
        if basicPair == nil, credentials.headers.isEmpty {
            return GitError(
                .authentication, "the server asks for credentials, and none are configured", place: url.description,
                hint:
                    "set 'tokenFile', or GIT_USERNAME and GIT_PASSWORD, or GIT_TOKEN, to credentials that may read and write "
                    + "the repository" + others)
        }
        if let file = credentials.secretFile {
            return GitError(
                .authentication, "the server refused the credentials of \(file)", place: url.description,
                hint: "check that they have not expired and may read and write the repository" + others)
        }
        return GitError(
            .authentication, "the server refused the credentials", place: url.description,
            hint:
                "set GIT_USERNAME and GIT_PASSWORD, or GIT_TOKEN, to credentials that may read and write the repository"
                + others)
    }
}
