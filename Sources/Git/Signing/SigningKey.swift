/// The key that the agent's commits are signed with.
package struct SigningKey: Hashable, Sendable {
    package enum Format: String, Hashable, Sendable, CaseIterable {
        /// `gpgsig` holds an SSH signature over the namespace `git`, as with git's `gpg.format=ssh`.
        case ssh
        /// `gpgsig` holds a detached OpenPGP signature, as with git's `gpg.format=openpgp`.
        case openPGP = "openpgp"
    }

    package var format: Format
    /// SSH: a private key in any format that OpenSSH reads, or a public key whose private half the agent behind SSH_AUTH_SOCK
    /// holds. OpenPGP: an exported secret key, armoured or not.
    package var keyFile: String
    /// The file whose first line decrypts the key.
    package var passphraseFile: String?
    /// Which of several OpenPGP keys in the file: a fingerprint, a key id, or an address.
    package var keyID: String?

    package init(format: Format, keyFile: String, passphraseFile: String? = nil, keyID: String? = nil) {
        self.format = format
        self.keyFile = keyFile
        self.passphraseFile = passphraseFile
        self.keyID = keyID
    }

    /// Signs a commit's bytes: what goes into the commit's `gpgsig` header, without a last line end.
    func sign(_ payload: [UInt8]) throws(GitError) -> String {
        guard let key = Storage.read(keyFile, limit: 1 << 20), !key.isEmpty else {
            throw GitError(
                .signing, "cannot read the signing key", place: keyFile,
                hint: "the file must exist and be readable for this user")
        }
        if let passphraseFile, Storage.read(passphraseFile, limit: 1 << 16) == nil {
            throw GitError(.signing, "cannot read the passphrase of the signing key", place: passphraseFile)
        }
        let armour =
            switch format {
            case .ssh: try signWithSSH(payload, key: key)
            case .openPGP: try signWithOpenPGP(payload, key: key)
            }
        let begin = format == .ssh ? "-----BEGIN SSH SIGNATURE-----" : "-----BEGIN PGP SIGNATURE-----"
        var text = String(decoding: armour, as: UTF8.self)
        while let last = text.utf8.last, last == 0x0a || last == 0x0d { text.removeLast() }
        guard text.hasPrefix(begin) else {
            throw GitError(.signing, "the signing program printed no signature", place: keyFile)
        }
        return text
    }

    // MARK: SSH

    private func signWithSSH(_ payload: [UInt8], key: [UInt8]) throws(GitError) -> [UInt8] {
        let directory = try PrivateDirectory()
        // A copy: ssh-keygen refuses keys that others may read, and volumes of secrets often are so.
        let copy = try directory.write(key.last == 0x0a ? key : key + [0x0a], to: "key")
        var environment = ["SSH_ASKPASS_REQUIRE=force", "HOME=\(directory.path)"]
        if let passphraseFile {
            let script = "#!/bin/sh\nIFS= read -r line < \"$SLIPWAY_PASSPHRASE_FILE\"; printf '%s\\n' \"$line\"\n"
            let askpass = try directory.write(Array(script.utf8), to: "askpass", isExecutable: true)
            // The file's name, never what is in it: an environment can be read in /proc.
            environment += ["SSH_ASKPASS=\(askpass)", "SLIPWAY_PASSPHRASE_FILE=\(passphraseFile)"]
        } else {
            environment += ["SSH_ASKPASS=/bin/false"]
        }
        let isPublic = !key.starts(with: Array("-----BEGIN".utf8))
        if isPublic, let socket = Environment.value("SSH_AUTH_SOCK") { environment.append("SSH_AUTH_SOCK=\(socket)") }
        if key.starts(with: Array("-----BEGIN".utf8)), !key.starts(with: Array("-----BEGIN OPENSSH".utf8)) {
            // PEM keys do not carry their public half in the clear, and ssh-keygen wants it before it asks for a passphrase.
            let open = try ChildProgram.sshKeygen.run(["-y", "-f", copy], environment: environment)
            if open.status == 0 { _ = try directory.write(open.output, to: "key.pub") }
        }
        let result = try ChildProgram.sshKeygen.run(
            ["-Y", "sign", "-n", "git", "-f", copy] + (isPublic ? ["-U"] : []), environment: environment, input: payload
        )
        guard result.status == 0 else {
            throw GitError(
                .signing, "the commit could not be signed with the SSH key", place: keyFile,
                cause: result.complaint.replacing(copy, by: keyFile),
                hint: isPublic
                    ? "this is a public key: the agent behind SSH_AUTH_SOCK must hold its private half"
                    : "check that it is a private key as ssh-keygen writes it, and its passphrase")
        }
        return result.output
    }

    // MARK: OpenPGP

    private func signWithOpenPGP(_ payload: [UInt8], key: [UInt8]) throws(GitError) -> [UInt8] {
        let home = try GnuPGHome()
        try home.importKeys(key, place: keyFile)
        let wanted = try home.secretKey(keyID, place: keyFile)
        var arguments = ["--pinentry-mode", "loopback", "--local-user", wanted, "--armor", "--detach-sign"]
        if let passphraseFile { arguments = ["--passphrase-file", passphraseFile] + arguments }
        let result = try home.run(arguments, input: payload)
        guard result.status == 0 else {
            throw GitError(
                .signing, "the commit could not be signed with the OpenPGP key", place: keyFile,
                cause: result.complaint,
                hint: "check the passphrase, and that the key has not expired and may sign")
        }
        return result.output
    }
}

/// A home directory of GnuPG's for one task: it holds the keys that the configuration names and no others.
final class GnuPGHome {
    private let directory: PrivateDirectory

    init() throws(GitError) { directory = try PrivateDirectory() }

    func run(_ arguments: [String], input: [UInt8] = []) throws(GitError) -> ChildProgram.Result {
        try ChildProgram.gpg.run(
            [
                "--batch", "--no-tty", "--no-options", "--trust-model", "always", "--disable-dirmngr",
                "--no-auto-key-retrieve",
            ]
                + arguments,
            environment: ["GNUPGHOME=\(directory.path)", "HOME=\(directory.path)"], input: input)
    }

    func importKeys(_ keys: [UInt8], place: String) throws(GitError) {
        let result = try run(["--import"], input: keys)
        // Status 2 may only mean that one key of several was odd: what counts is whether there are keys.
        let list = String(decoding: try run(["--with-colons", "--list-keys"]).output, as: UTF8.self)
        guard list.split(separator: "\n").contains(where: { $0.hasPrefix("pub:") }) else {
            throw GitError(
                .signing, "the file holds no OpenPGP key that gpg can read", place: place, cause: result.complaint,
                hint: "export it with: gpg --armor --export KEY, or --export-secret-keys for signing")
        }
    }

    /// The fingerprint of the secret key to use.
    func secretKey(_ wanted: String?, place: String) throws(GitError) -> String {
        let result = try run(["--with-colons", "--list-secret-keys"] + (wanted.map { ["--", $0] } ?? []))
        var fingerprints: [String] = []
        var isPrimary = false
        for line in String(decoding: result.output, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields[0] == "sec" { isPrimary = true }
            if fields[0] == "fpr", isPrimary, fields.count > 9 {
                fingerprints.append(String(fields[9]))
                isPrimary = false
            }
        }
        guard let first = fingerprints.first else {
            throw GitError(
                .signing, wanted.map { "the file has no secret key '\($0)'" } ?? "the file holds no secret key",
                place: place,
                hint: "export it with: gpg --armor --export-secret-keys KEY")
        }
        guard fingerprints.count == 1 else {
            throw GitError(
                .signing, "the file holds \(fingerprints.count) secret keys", place: place,
                cause: fingerprints.joined(separator: ", "), hint: "say which one: the key's fingerprint as 'keyID'")
        }
        return first
    }

    /// Writes a file that a command names.
    func write(_ bytes: [UInt8], to name: String) throws(GitError) -> String { try directory.write(bytes, to: name) }

    // The agent that gpg starts for secret keys would outlive us.
    deinit {
        _ = try? ChildProgram.gpgconf.run(
            ["--kill", "gpg-agent"], environment: ["GNUPGHOME=\(directory.path)", "HOME=\(directory.path)"],
            timeout: .seconds(10))
    }
}
