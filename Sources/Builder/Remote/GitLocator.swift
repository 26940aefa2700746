import Dockerfile

/// A git repository with what is wanted of it: `https://host/repo.git#ref:folder`, `git@host:repo?ref=…&subdir=…`.
/// https://docs.docker.com/build/concepts/context/#git-repositories
package struct GitLocator: Hashable, Sendable {
    /// What is cloned: no fragment, no query.
    package private(set) var remote: String
    /// A branch, a tag, a full reference or a commit's id; `nil` is the remote's default branch.
    package var reference: String?
    /// The folder that is taken, cleaned and relative; empty for all.
    package private(set) var folder = ""
    /// What the commit's id must begin with.
    package var checksum: String?
    package private(set) var keepsGitDirectory: Bool?
    package var fetchesSubmodules = true
    /// Files get the commit's time instead of the build's.
    package private(set) var usesCommitTime = false

    /// Whether a text names a git repository rather than a file or a page.
    package static func isGit(_ text: String) -> Bool {
        if case .git = AddSource(text) { true } else { false }
    }

    package init(remote: String, reference: String?, folder: String = "", fetchesSubmodules: Bool = true) {
        self.remote = remote
        self.reference = reference
        self.folder = PathRules.source(folder)
        self.fetchesSubmodules = fetchesSubmodules
    }

    package init(_ text: String) throws(BuildError) {
        let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let sides = parts[0].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        remote = sides[0]
        try RemoteName.refuseCredentials(in: remote)
        if parts.count == 2 {
            let pieces = parts[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if let first = pieces.first, !first.isEmpty { reference = String(first) }
            if pieces.count == 2 { folder = PathRules.source(String(pieces[1])) }
        }
        if sides.count == 2 { try apply(query: sides[1]) }
        if let checksum { try Self.validate(checksum: checksum) }
    }

    static func validate(checksum: String) throws(BuildError) {
        guard (1...64).contains(checksum.utf8.count), checksum.utf8.allSatisfy(RemoteName.isHexadecimal) else {
            throw BuildError(
                .dockerfile, "the checksum '\(checksum)' of a git source is not the id of a commit",
                hint: "write the commit's id, or how it begins, in hexadecimal")
        }
    }

    private func wrong(_ what: String) -> BuildError {
        BuildError(.dockerfile, "the git source \(RemoteName.shown(remote)) \(what)")
    }

    private mutating func apply(query: String) throws(BuildError) {
        var values: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let (name, value) = (sides[0], sides.count == 2 ? RemoteName.decoded(sides[1]) : "")
            guard values.updateValue(value, forKey: name) == nil else { throw wrong("says '\(name)' twice") }
            switch name {
            case "ref": try take(reference: value, name)
            case "tag": try take(reference: value.hasPrefix("refs/tags/") ? value : "refs/tags/" + value, name)
            case "branch": try take(reference: value.hasPrefix("refs/heads/") ? value : "refs/heads/" + value, name)
            case "subdir":
                let path = PathRules.source(try given(value, name))
                guard folder.isEmpty || folder == path else { throw wrong("names two folders, \(folder) and \(path)") }
                folder = path
            case "checksum", "commit": checksum = try given(value, name)
            case "keep-git-dir": keepsGitDirectory = try flag(value, name)
            case "submodules": fetchesSubmodules = try flag(value, name)
            case "fetch-by-commit": if try flag(value, name) { fetchesByCommit = true }
            case "mtime":
                guard value == "commit" || value == "checkout" else {
                    throw wrong("has an mtime of '\(value)'; it is commit or checkout")
                }
                usesCommitTime = value == "commit"
            default: throw wrong("has the unknown query '\(name)'")
            }
        }
        if values["tag"] != nil, values["branch"] != nil { throw wrong("names a tag and a branch") }
        guard fetchesByCommit else { return }
        guard let checksum, checksum.utf8.count == 40 || checksum.utf8.count == 64 else {
            throw wrong("needs the whole id of the commit for fetch-by-commit, as checksum=ID")
        }
        reference = checksum
    }

    private var fetchesByCommit = false

    private mutating func take(reference wanted: String, _ name: String) throws(BuildError) {
        _ = try given(wanted.hasSuffix("/") ? "" : wanted, name)
        if let reference, reference != wanted { throw wrong("names two references, \(reference) and \(wanted)") }
        reference = wanted
    }

    private func given(_ value: String, _ name: String) throws(BuildError) -> String {
        guard !value.isEmpty else { throw wrong("has no value for '\(name)'") }
        return value
    }

    private func flag(_ value: String, _ name: String) throws(BuildError) -> Bool {
        switch value {
        case "", "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw wrong("has '\(value)' for '\(name)', which is neither true nor false")
        }
    }
}
