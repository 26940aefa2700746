import Text

/// Whose signatures are accepted on incoming commits.
package struct SignatureTrust: Hashable, Sendable {
    /// An allowed-signers file (ssh-keygen(1), "ALLOWED SIGNERS").
    package var allowedSignersFile: String?
    /// Exported OpenPGP public keys; each of them is trusted.
    package var keyringFile: String?
    /// Whether an OpenPGP key that has expired counts for what was signed and committed before it did.
    package var acceptsExpiredKeys = false

    package init(allowedSignersFile: String? = nil, keyringFile: String? = nil) {
        self.allowedSignersFile = allowedSignersFile
        self.keyringFile = keyringFile
    }
}

/// How much of a branch must be signed.
package enum VerificationMode: String, Sendable, CaseIterable {
    /// Nothing is checked.
    case none
    /// The branch's newest commit.
    case head
    /// Every commit that is reachable from it.
    case all
    /// Every commit on the line of first parents: what was pushed or merged to the branch, not what was merged in.
    case firstParent = "first-parent"
}

/// Checks signatures against the keys that the operator trusts.
struct SignatureVerifier {
    private let trust: SignatureTrust
    private let allowedSigners: [UInt8]?
    private let directory: PrivateDirectory
    private let home: GnuPGHome?

    /// What was found of one commit.
    enum Verdict: Equatable {
        case good(signer: String)
        case refused(String)
    }

    init(_ trust: SignatureTrust) throws(GitError) {
        self.trust = trust
        directory = try PrivateDirectory()
        if let file = trust.allowedSignersFile {
            guard let bytes = Storage.read(file, limit: 16 << 20) else {
                throw GitError(.signing, "cannot read the allowed signers", place: file)
            }
            allowedSigners = bytes
        } else {
            allowedSigners = nil
        }
        if let file = trust.keyringFile {
            guard let bytes = Storage.read(file, limit: 16 << 20) else {
                throw GitError(.signing, "cannot read the OpenPGP keyring", place: file)
            }
            let made = try GnuPGHome()
            try made.importKeys(bytes, place: file)
            home = made
        } else {
            home = nil
        }
    }

    /// - Parameters:
    ///   - signature: the commit's `gpgsig` header; `nil` when it has none.
    ///   - payload: the commit without that header.
    ///   - time: the committer's time, for keys that are trusted for some time only.
    func judge(signature: [UInt8]?, payload: [UInt8], time: Int64) throws(GitError) -> Verdict {
        guard let signature else { return .refused("it is not signed") }
        if signature.starts(with: Array("-----BEGIN SSH SIGNATURE-----".utf8)) {
            return try judgeSSH(signature, payload, time)
        }
        if signature.starts(with: Array("-----BEGIN PGP".utf8)) {
            return try judgeOpenPGP(signature, payload, time)
        }
        return .refused("its signature is neither of SSH nor of OpenPGP")
    }

    private func judgeSSH(_ signature: [UInt8], _ payload: [UInt8], _ time: Int64) throws(GitError) -> Verdict {
        guard let file = trust.allowedSignersFile, let allowedSigners else {
            return .refused("it is signed by an SSH key, and no allowed signers are configured")
        }
        let armour = try directory.write(signature + [0x0a], to: "signature")
        // A copy: the file must be the one that the mirror's memory of verified commits is about.
        let signers = try directory.write(allowedSigners, to: "signers")
        let moment = ["-Overify-time=\(UTCDate(secondsSince1970: max(time, 0)).compact)"]
        let found = try ChildProgram.sshKeygen.run(
            ["-Y", "find-principals", "-f", signers, "-s", armour] + moment, environment: ["HOME=\(directory.path)"])
        let principals = String(decoding: found.output, as: UTF8.self).split(whereSeparator: \.isNewline).map(
            String.init)
        guard found.status == 0, !principals.isEmpty else {
            return .refused("it is signed by an SSH key that is not (or was not then) in \(file)")
        }
        for principal in principals.prefix(16) where !principal.hasPrefix("-") {
            let result = try ChildProgram.sshKeygen.run(
                ["-Y", "verify", "-n", "git", "-f", signers, "-I", principal, "-s", armour] + moment,
                environment: ["HOME=\(directory.path)"], input: payload)
            if result.status == 0 { return .good(signer: principal) }
        }
        return .refused("its SSH signature does not fit its content, or the key may not sign for git")
    }

    private func judgeOpenPGP(_ signature: [UInt8], _ payload: [UInt8], _ time: Int64) throws(GitError) -> Verdict {
        guard home != nil else {
            return .refused("it is signed by an OpenPGP key, and no keyring is configured")
        }
        let armour = try directory.write(signature + [0x0a], to: "signature")
        guard let result = try home?.run(["--status-fd", "1", "--verify", armour, "-"], input: payload) else {
            return .refused("no keyring is configured")
        }
        var signer: String?
        var good = 0
        var isValid = false
        var isExpired = false
        // Seconds since 1970: when the key and its subkeys expired, and when the signature was made.
        var expiries: [Int64] = []
        var signedAt = Int64.max
        for line in String(decoding: result.output, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            guard words.count >= 2, words[0] == "[GNUPG:]" else { continue }
            switch words[1] {
            case "GOODSIG":
                good += 1
                signer = words.count > 3 ? words[3] : words.count > 2 ? words[2] : "?"
            case "VALIDSIG":
                isValid = true
                let fields = words.count > 3 ? words[3].split(separator: " ") : []
                signedAt = fields.count > 1 ? Int64(fields[1]) ?? .max : .max
            case "KEYEXPIRED": expiries.append(words.count > 2 ? Int64(words[2]) ?? 0 : 0)
            case "BADSIG": return .refused("its OpenPGP signature does not fit its content")
            case "EXPSIG": return .refused("its OpenPGP signature has expired")
            case "EXPKEYSIG":
                guard trust.acceptsExpiredKeys else { return .refused("its OpenPGP key has expired") }
                isExpired = true
                good += 1
                signer = words.count > 3 ? words[3] : "?"
            case "REVKEYSIG": return .refused("its OpenPGP key was revoked")
            case "ERRSIG", "NO_PUBKEY":
                return .refused("it is signed by an OpenPGP key that is not in \(trust.keyringFile ?? "the keyring")")
            default: break
            }
        }
        guard good == 1, isValid, result.status == 0, let signer else {
            return .refused("gpg does not accept its signature (\(result.complaint))")
        }
        if isExpired, (expiries.min() ?? 0) <= max(signedAt, time) {
            return .refused("its OpenPGP key had expired when it was made")
        }
        return .good(signer: signer)
    }
}
