package import Diagnostics
import YAML

/// Something in a configuration that would not work.
package struct ConfigurationProblem: Diagnostic, Hashable {
    /// What kind of problem it is. The texts are stable: scripts may look for them.
    package enum Code: String, Sendable, CaseIterable {
        // What the file says.
        case syntax
        case unknownKey = "unknown-key"
        case missingKey = "missing-key"
        case duplicateKey = "duplicate-key"
        case wrongType = "wrong-type"
        case invalidValue = "invalid-value"
        case invalidAddress = "invalid-address"

        // Files that it names.
        case missingFile = "missing-file"
        case unreadableFile = "unreadable-file"
        case emptyFile = "empty-file"
        case wrongFormat = "wrong-format"
        case stateDirectory = "state-directory"

        // SSH.
        case noKey = "no-key"
        case unusableKey = "unusable-key"
        case missingPassphrase = "missing-passphrase"
        case sha1Signature = "sha1-signature"
        case unknownHostKey = "unknown-host-key"
        case rsaHostKey = "rsa-host-key"

        // Signatures, pull requests, statuses.
        case cannotSign = "cannot-sign"
        case ownKeyNotTrusted = "own-key-not-trusted"
        case pullRequest = "pull-request"
        case status
    }

    package enum Severity: String, Sendable {
        case error
        /// It may work, but most likely not as it is meant.
        case warning
    }

    package let code: Code
    package let severity: Severity
    /// The path of keys, `repositories[0].git.sshKey`; empty for the file as a whole.
    package let key: String
    package let location: SourceLocation?
    /// The guilty line with a caret, of what cannot be read.
    package let excerpt: String?
    package let summary: String
    package let cause: String?
    package let hint: String?

    package init(
        _ code: Code, _ summary: String, severity: Severity = .error, key: String, location: SourceLocation? = nil,
        excerpt: String? = nil, cause: String? = nil, hint: String? = nil
    ) {
        self.code = code
        self.severity = severity
        self.key = key
        self.location = location
        self.excerpt = excerpt
        self.summary = summary
        self.cause = cause
        self.hint = hint
    }

    /// What the reader refused.
    init(_ error: YAMLError) {
        let code: Code =
            switch error.code {
            case .syntax, .encoding, .limit, .alias: .syntax
            case .duplicateKey: .duplicateKey
            case .unknownKey: .unknownKey
            case .missingKey: .missingKey
            case .type: .wrongType
            case .value: .invalidValue
            }
        // The path stands before the summary already.
        let prefix = error.path.isEmpty ? "" : error.path + ": "
        let summary = error.summary.hasPrefix(prefix) ? String(error.summary.dropFirst(prefix.count)) : error.summary
        self.init(
            code, summary, key: error.path, location: error.location, excerpt: error.excerpt, hint: error.hint)
    }

    package var place: String? { location?.description }

    package var description: String {
        var text = place.map { "\($0): " } ?? ""
        if severity == .warning { text += "warning: " }
        if !key.isEmpty { text += "\(key): " }
        text += summary
        if let cause, !cause.isEmpty { text += ": \(cause)" }
        if let excerpt { text += "\n\(excerpt)" }
        if let hint, !hint.isEmpty { text += "\n  hint: \(hint)" }
        return text
    }
}
