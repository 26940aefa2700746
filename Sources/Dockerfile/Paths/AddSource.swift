/// What a source of ADD names. COPY knows local ones only.
package enum AddSource: Sendable, Equatable {
    case local(String)
    /// `http://` or `https://`, not ending in `.git`.
    case url(String)
    case git(GitSource)

    package struct GitSource: Sendable, Equatable {
        /// What is cloned.
        package var remote: String
        /// A branch, tag or commit; `nil` is the remote's default.
        package var reference: String?
        /// The folder that is taken.
        package var folder: String?
        package var checksum: String?
        package var keepsGitDirectory: Bool?
        package var fetchesSubmodules: Bool?
    }

    package init(_ text: String) {
        let lower = text.lowercased()
        let isWeb = lower.hasPrefix("http://") || lower.hasPrefix("https://")
        guard isWeb || lower.hasPrefix("git://") || lower.hasPrefix("ssh://") || Self.isSCP(text) else {
            self = .local(text)
            return
        }
        var parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let fragment = parts.count == 2 ? parts[1] : ""
        parts = parts[0].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if isWeb, !parts[0].hasSuffix(".git") {
            self = .url(text)
            return
        }
        var git = GitSource(remote: parts[0])
        let pieces = fragment.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        git.reference = pieces.first.flatMap { $0.isEmpty ? nil : $0 }
        git.folder = pieces.count == 2 && !pieces[1].isEmpty ? pieces[1] : nil
        for pair in (parts.count == 2 ? parts[1] : "").split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let value = sides.count == 2 ? sides[1] : ""
            switch sides[0] {
            case "ref", "branch", "tag", "commit": git.reference = value.isEmpty ? nil : value
            case "subdir": git.folder = value.isEmpty ? nil : value
            case "checksum": git.checksum = value
            case "keep-git-dir": git.keepsGitDirectory = value.isEmpty || GoValue.bool(value) ?? false
            case "submodules": git.fetchesSubmodules = value.isEmpty || GoValue.bool(value) ?? true
            default: break
            }
        }
        self = .git(git)
    }

    /// `user@host:path`
    private static func isSCP(_ text: String) -> Bool {
        guard let at = text.firstIndex(of: "@"), let colon = text[at...].firstIndex(of: ":") else { return false }
        let user = text[..<at]
        let host = text[text.index(after: at)..<colon]
        func isPlain(_ byte: UInt8) -> Bool {
            (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2d
        }
        return !user.isEmpty && user.utf8.allSatisfy { isPlain($0) || $0 == 0x5f } && !host.isEmpty
            && host.utf8.allSatisfy { isPlain($0) || $0 == 0x2e }
    }
}
