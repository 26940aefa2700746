import CLinux
import Glibc

/// OpenSSH's `ssh` (ssh(1), ssh_config(5)), which leads to git on a server, as git itself uses it.
///
/// libssh2 1.10, Debian 12's, asks a server for its ECDSA key whichever is recorded, signs with RSA keys by SHA-1 only, and knows no
/// certificates of hosts. It is used where `ssh` is not installed.
struct SSHProgram: Sendable {
    let path: String

    static func find(in searchPath: String? = nil) -> SSHProgram? {
        // ssh ends at once for a user without a name ("No user exists for uid …"), as pods have them.
        guard getpwuid(geteuid()) != nil else { return nil }
        return ServiceProgram.path(of: "ssh", in: searchPath).map(SSHProgram.init)
    }

    /// No file of the machine's or the user's counts, but for the host keys that are recorded; nothing is asked, recorded or forwarded.
    private static let options = [
        "StrictHostKeyChecking=yes", "UpdateHostKeys=no", "GlobalKnownHostsFile=none", "CheckHostIP=no",
        "IdentitiesOnly=yes", "ConnectTimeout=30", "ConnectionAttempts=1", "NumberOfPasswordPrompts=1",
        "ServerAliveInterval=20", "ServerAliveCountMax=3", "ClearAllForwardings=yes", "ForwardAgent=no",
        "ForwardX11=no",
        "PermitLocalCommand=no", "ControlMaster=no", "ControlPath=none", "EscapeChar=none",
        // What was offered and refused, and the server's key, are told at this level only.
        "LogLevel=DEBUG1",
    ]

    func command(
        _ service: ServiceCommand.Service, url: RemoteURL, credentials: GitCredentials
    ) throws(GitError) -> ServiceCommand? {
        guard let repository = url.sshPath else { return nil }
        return try command(
            "git-\(service.rawValue) \(Self.shellQuoted(repository))", url: url, credentials: credentials)
    }

    /// - Parameter line: what the server's shell is to run.
    func command(
        _ line: String, url: RemoteURL, credentials: GitCredentials
    ) throws(GitError) -> ServiceCommand? {
        guard case .ssh(let user, let host, let port) = url.transport else { return nil }
        var options = Self.options
        var environment = ["LC_ALL=C", "PATH=\(ServiceProgram.searchPath)"]
        if let home = Environment.value("HOME") { environment.append("HOME=\(home)") }
        let files = (credentials.knownHostsPaths ?? KnownHosts.standardFiles).map(Self.quoted)
        options.append("UserKnownHostsFile=\(files.isEmpty ? "none" : files.joined(separator: " "))")

        var held: [AnyObject] = []
        var means: [String] = []
        let password = credentials.password ?? url.password
        if let key = credentials.sshKeyPath {
            // A copy that only this user may read: ssh takes no other, and volumes of secrets often are readable by more.
            let copy = try SecretFile(try Self.key(at: key))
            held.append(copy)
            options += ["IdentityFile=\(copy.path)", "IdentityAgent=none"]
            means.append("publickey")
        } else if credentials.usesSSHAgent, let socket = Environment.value("SSH_AUTH_SOCK") {
            environment.append("SSH_AUTH_SOCK=\(socket)")
            // The keys of the agent, and no file.
            options += ["IdentityFile=none", "IdentitiesOnly=no"]
            means.append("publickey")
        } else {
            options += ["IdentityFile=none", "IdentityAgent=none"]
        }
        if password != nil { means += ["password", "keyboard-interactive"] }
        options.append("PreferredAuthentications=\(means.isEmpty ? "none" : means.joined(separator: ","))")

        let answers = try Self.answers(passphrase: credentials.sshKeyPassphrase, password: password)
        if let answers {
            held.append(answers)
            environment += ["SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS=\(answers.program)"]
        } else {
            options.append("BatchMode=yes")
        }
        return ServiceCommand(
            program: path,
            arguments: ["-F", "none", "-T"] + options.reversed().flatMap { ["-o", $0] }
                + [
                    "-p", "\(port)", "-l", user ?? credentials.username ?? "git", "--", host, line,
                ],
            environment: environment, held: held, name: "ssh")
    }

    private static func key(at path: String) throws(GitError) -> [UInt8] {
        guard let bytes = Storage.read(path, limit: 1 << 20) else {
            throw GitError(
                .authentication, "cannot read the SSH key", place: path, cause: String(cString: strerror(errno)),
                hint: "the key's file must exist and be readable for this user")
        }
        // An editor that leaves the last line's end away makes no other key of it.
        return bytes.last == 0x0a ? bytes : bytes + [0x0a]
    }

    private static func answers(passphrase: String?, password: String?) throws(GitError) -> Answers? {
        passphrase == nil && password == nil ? nil : try Answers(passphrase: passphrase, password: password)
    }

    /// A file's name in an option: blanks do not end it, and `%` stands for itself.
    private static func quoted(_ path: String) -> String { "\"\(path.replacing("%", by: "%%"))\"" }

    /// A word for the server's shell, as git quotes it.
    static func shellQuoted(_ text: String) -> String {
        "'" + text.replacing("'", by: "'\\''").replacing("!", by: "'\\!'") + "'"
    }

    /// What ssh gets when it asks: the passphrase of the key, and the password of the account.
    private final class Answers {
        private let directory: PrivateDirectory
        private let files: [SecretFile]
        let program: String

        init(passphrase: String?, password: String?) throws(GitError) {
            directory = try PrivateDirectory()
            let first = try SecretFile(Array((passphrase ?? "").utf8) + [0x0a])
            let second = try SecretFile(Array((password ?? "").utf8) + [0x0a])
            files = [first, second]
            // The files' places, never what is in them.
            let script = """
                #!/bin/sh
                case "$1" in
                *passphrase*) exec cat '\(first.path)' ;;
                *) exec cat '\(second.path)' ;;
                esac

                """
            program = try directory.write(Array(script.utf8), to: "askpass", isExecutable: true)
        }
    }
}

/// A secret as a file in memory, for a program that takes a file's name. It goes with this process, however that ends, and only
/// this user may read it.
final class SecretFile {
    private let descriptor: Int32
    /// Where other programs of this user find it.
    let path: String

    init(_ bytes: [UInt8]) throws(GitError) {
        descriptor = linux_memory_file("slipway-secret")
        path = "/proc/\(getpid())/fd/\(descriptor)"
        var rest = bytes[...]
        while descriptor >= 0, !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        guard descriptor >= 0, rest.isEmpty, fchmod(descriptor, 0o600) == 0 else {
            throw GitError(.storage, "cannot hold a secret in memory", cause: String(cString: strerror(errno)))
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}

extension RemoteURL {
    /// The repository's path on an SSH server, as git sends it there.
    var sshPath: String? {
        guard case .ssh = transport, let path = pathText else { return nil }
        // git decodes what an ssh:// URL says, and nothing of the scp-like form; "/~user" is the home of a user.
        guard address.contains("://") else { return String(path) }
        let decoded = Self.decoded(path)
        return decoded.hasPrefix("/~") ? String(decoded.dropFirst()) : decoded
    }
}
