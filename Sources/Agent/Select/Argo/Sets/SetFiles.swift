import Diagnostics
import Git
import ManifestUpdater
import RegistryPoller

/// Directories and files of a revision as the git generator of ApplicationSets finds them.
struct SetFiles: Sendable {
    let tree: RevisionTree
    let remote: any GitRemote

    func read(_ entry: TreeEntry) async throws(AgentError) -> [UInt8] { try await remote.read(entry, limit: 1 << 20) }

    /// In the order of a walk. Directories with a dot in front, and what is below them, are never seen; an exclusion wins.
    func directories(_ patterns: [(path: String, isExcluded: Bool)]) throws(SetFailure) -> [String] {
        var directories: Set<String> = []
        for entry in tree.entries {
            let parts = entry.path.split(separator: "/").dropLast()
            guard !parts.contains(where: { $0.hasPrefix(".") }) else { continue }
            for count in parts.indices { directories.insert(parts[...count].joined(separator: "/")) }
        }
        let matchers = try matchers(patterns, crossesSlashes: false)
        func matches(_ path: String, _ isExcluded: Bool) -> Bool {
            matchers.contains { $0.isExcluded == isExcluded && $0.pattern.matches(path) }
        }
        return directories.filter { matches($0, false) && !matches($0, true) }.sorted { left, right in
            left.split(separator: "/").lexicographicallyPrecedes(right.split(separator: "/"))
        }
    }

    /// By `git ls-files`: a pattern is a file, a directory with all in it, or has `*` that stands for slashes, too.
    func files(_ patterns: [(path: String, isExcluded: Bool)]) throws(SetFailure) -> [TreeEntry] {
        let matchers = try matchers(patterns, crossesSlashes: true)
        func matches(_ path: String, _ isExcluded: Bool) -> Bool {
            matchers.contains { matcher in
                matcher.isExcluded == isExcluded
                    && (matcher.pattern.matches(path) || path.hasPrefix(matcher.pattern.text + "/"))
            }
        }
        return tree.entries.filter { entry in
            (entry.mode == .file || entry.mode == .executable) && matches(entry.path, false)
                && !matches(entry.path, true)
        }
    }

    private func matchers(
        _ patterns: [(path: String, isExcluded: Bool)], crossesSlashes: Bool
    ) throws(SetFailure) -> [(pattern: WildcardPattern, isExcluded: Bool)] {
        var result: [(pattern: WildcardPattern, isExcluded: Bool)] = []
        for (path, isExcluded) in patterns {
            do {
                let text = path.hasSuffix("/") ? String(path.dropLast()) : path
                result.append((try WildcardPattern(text, crossesSlashes: crossesSlashes), isExcluded))
            } catch {
                throw .wrong("the path '\(path)' of its generator is malformed")
            }
        }
        return result
    }
}

/// What templates see of a path: `path`, `path.basename`, `path[0]` and their kin.
struct SetPath {
    private let directory: String
    private let file: String?

    init(_ directory: String) {
        self.directory = directory
        file = nil
    }

    init(file path: String) {
        let parts = path.split(separator: "/")
        directory = parts.count > 1 ? parts.dropLast().joined(separator: "/") : "."
        file = parts.last.map(String.init) ?? path
    }

    func values(isGo: Bool, _ prefix: String?) -> ArgoValue {
        let segments = directory.split(separator: "/").map(String.init)
        let name = segments.last ?? "."
        var fields = [("basename", name), ("basenameNormalized", Self.normalized(name))]
        if let file { fields += [("filename", file), ("filenameNormalized", Self.normalized(file))] }
        if isGo {
            let path = ArgoValue.map(
                [ArgoValue.Pair("path", .text(directory))] + fields.map { ArgoValue.Pair($0.0, .text($0.1)) }
                    + [ArgoValue.Pair("segments", .list(segments.map { .text($0) }))])
            let own = ArgoValue.map([ArgoValue.Pair("path", path)])
            return prefix.map { .map([ArgoValue.Pair($0, own)]) } ?? own
        }
        let key = (prefix.map { "\($0)." } ?? "") + "path"
        return .map(
            [ArgoValue.Pair(key, .text(directory))] + fields.map { ArgoValue.Pair("\(key).\($0.0)", .text($0.1)) }
                + segments.enumerated().map { ArgoValue.Pair("\(key)[\($0)]", .text($1)) })
    }

    /// As a name of Kubernetes.
    private static func normalized(_ text: String) -> String {
        let bytes = text.lowercased().utf8.map { byte -> UInt8 in
            let isKept = (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
            return isKept ? byte : 0x2D
        }.prefix(253)
        func isEdge(_ byte: UInt8) -> Bool { byte == 0x2D || byte == 0x2E }
        var rest = bytes.drop(while: isEdge)
        while let last = rest.last, isEdge(last) { rest.removeLast() }
        return String(decoding: rest, as: UTF8.self)
    }
}
