/// One `RUN --mount`.
package struct RunMount: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable { case bind, cache, tmpfs, secret, ssh }
    package enum Sharing: String, Sendable, CaseIterable { case shared, `private`, locked }

    package var kind: Kind = .bind
    /// A stage, a named context or an image; `nil` for the build context (bind) or nothing (cache).
    package var from: String?
    package var source: String = ""
    package var target: String = ""
    package var isReadOnly = true
    /// Bytes; `nil` is no limit.
    package var size: Int64?
    package var id: String?
    package var sharing: Sharing = .shared
    package var isRequired = false
    /// The variable that a secret is put into.
    package var environment: String?
    package var mode: UInt32?
    package var uid: UInt32?
    package var gid: UInt32?

    package init() {}

    /// The secret's id: as given, else by the target's name.
    package var secretID: String {
        if let id, !id.isEmpty { return id }
        return source.isEmpty ? PathRules.base(target) : source
    }

    /// Where a secret's file goes; `nil` when it only goes into a variable.
    package var secretTarget: String? {
        if !target.isEmpty { return target }
        return environment == nil ? "/run/secrets/" + PathRules.base(secretID) : nil
    }

    /// A cache's id: as given, else its target.
    package var cacheID: String {
        if let id, !id.isEmpty { return id }
        return PathRules.clean(target)
    }

    /// The absolute target.
    ///
    /// - Throws: `.mount` for the root itself, without a place.
    package func target(in workingDirectory: String) throws(DockerfileError) -> String {
        let path = PathRules.clean(
            target.utf8.first == 0x2f ? target : PathRules.join("/", workingDirectory, target))
        guard path != "/" else {
            throw DockerfileError(
                .mount, "the root of the file system cannot be a mount's target",
                near: target.isEmpty ? "--mount" : target,
                hint: "give the mount a target=/PATH")
        }
        return path
    }
}

extension RunMount {
    private static let keys = [
        "type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw", "id",
        "sharing", "required", "size", "mode", "uid", "gid", "env",
    ]

    /// The `from` alone, which must not hold variables.
    static func from(of text: String) throws(DockerfileError) -> String? {
        var from: String?
        for field in try fields(text) {
            let (key, value) = split(field)
            guard key == "from", let value else { continue }
            if let dollar = value.utf8.firstIndex(of: 0x24), dollar != value.utf8.index(before: value.utf8.endIndex) {
                throw DockerfileError(
                    .mount, "the mount's 'from' cannot hold variables", near: value,
                    hint: "define a stage with FROM \(value) AS NAME, and use its name")
            }
            from = value
        }
        return from.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// - Parameter expand: applied to every value.
    static func parse(
        _ text: String, expand: (String) throws(DockerfileError) -> String
    ) throws(DockerfileError) -> RunMount {
        _ = try from(of: text)
        var mount = RunMount()
        var reader = Reader()
        for field in try fields(text) {
            let (key, raw) = split(field)
            guard let raw else {
                try reader.flag(key, field, &mount)
                continue
            }
            try reader.option(key, try expand(raw), &mount)
        }
        try reader.finish(&mount)
        return mount
    }

    private static func split(_ field: String) -> (key: String, value: String?) {
        let parts = field.utf8.split(separator: 0x3d, maxSplits: 1, omittingEmptySubsequences: false)
        return (String(Substring(parts[0])).lowercased(), parts.count == 2 ? String(Substring(parts[1])) : nil)
    }

    /// Comma-separated values, in double quotes where they hold a comma.
    static func fields(_ text: String) throws(DockerfileError) -> [String] {
        func malformed() -> DockerfileError {
            DockerfileError(
                .mount, "the quotes of the mount \(quoted(text)) are wrong", near: "--mount",
                hint: "a value with a comma is written as '\"key=a,b\"', all of it in double quotes")
        }
        var fields: [String] = []
        var rest = Array(text.utf8)[...]
        while true {
            if rest.first == 0x22 {
                var field: [UInt8] = []
                rest = rest.dropFirst()
                while true {
                    guard let byte = rest.popFirst() else { throw malformed() }
                    if byte != 0x22 {
                        field.append(byte)
                    } else if rest.first == 0x22 {
                        field.append(byte)
                        rest = rest.dropFirst()
                    } else {
                        break
                    }
                }
                guard rest.isEmpty || rest.first == 0x2c else { throw malformed() }
                fields.append(String(decoding: field, as: UTF8.self))
            } else {
                let field = rest.prefix { $0 != 0x2c }
                guard !field.contains(0x22) else { throw malformed() }
                fields.append(String(decoding: field, as: UTF8.self))
                rest = rest[field.endIndex...]
            }
            guard !rest.isEmpty else { return fields }
            rest = rest.dropFirst()
        }
    }

    /// Puts options into a mount; what depends on the type is judged at the end, whatever the order.
    private struct Reader {
        private var isAccessGiven = false
        private var isSharingGiven = false
        private var isRequiredGiven = false

        mutating func flag(_ key: String, _ field: String, _ mount: inout RunMount) throws(DockerfileError) {
            switch key {
            case "readonly", "ro", "readwrite", "rw":
                mount.isReadOnly = key.hasPrefix("reado") || key == "ro"
                isAccessGiven = true
            case "required":
                mount.isRequired = true
                isRequiredGiven = true
            default:
                throw DockerfileError(
                    .mount, "the mount's option \(quoted(field)) has no value", near: field,
                    hint: Suggestion.hint(for: key, among: RunMount.keys) ?? "write \(key)=VALUE")
            }
        }

        mutating func option(_ key: String, _ value: String, _ mount: inout RunMount) throws(DockerfileError) {
            switch key {
            case "type":
                guard let kind = Kind(rawValue: value.lowercased()) else {
                    throw DockerfileError(
                        .mount, "unknown mount type \(quoted(value))", near: value,
                        hint: Suggestion.hint(for: value, among: Kind.allCases.map(\.rawValue))
                            ?? "the types are bind, cache, tmpfs, secret and ssh")
                }
                mount.kind = kind
            case "from": mount.from = value.isEmpty ? nil : value
            case "source", "src": mount.source = value
            case "target", "dst", "destination": mount.target = value
            case "readonly", "ro":
                mount.isReadOnly = try bool(key, value)
                isAccessGiven = true
            case "readwrite", "rw":
                mount.isReadOnly = !(try bool(key, value))
                isAccessGiven = true
            case "required":
                mount.isRequired = try bool(key, value)
                isRequiredGiven = true
            case "size":
                guard let size = GoValue.binarySize(value) else { throw invalid(key, value, "a size such as 64m") }
                mount.size = size
            case "id": mount.id = value
            case "sharing":
                guard let sharing = Sharing(rawValue: value.lowercased()) else {
                    throw DockerfileError(
                        .mount, "unknown sharing \(quoted(value))", near: value,
                        hint: Suggestion.hint(for: value, among: Sharing.allCases.map(\.rawValue))
                            ?? "it is one of shared, private and locked")
                }
                mount.sharing = sharing
                isSharingGiven = true
            case "mode":
                guard let mode = GoValue.unsigned(value, radix: 8) else {
                    throw invalid(key, value, "an octal number such as 0400")
                }
                mount.mode = mode
            case "uid", "gid":
                guard let id = GoValue.unsigned(value) else { throw invalid(key, value, "a number") }
                if key == "uid" { mount.uid = id } else { mount.gid = id }
            case "env": mount.environment = value
            default:
                throw DockerfileError(
                    .mount, "unknown mount option \(quoted(key))", near: key,
                    hint: Suggestion.hint(for: key, among: RunMount.keys))
            }
        }

        private func bool(_ key: String, _ value: String) throws(DockerfileError) -> Bool {
            guard let flag = GoValue.bool(value) else { throw invalid(key, value, "true or false") }
            return flag
        }

        private func invalid(_ key: String, _ value: String, _ wanted: String) -> DockerfileError {
            DockerfileError(
                .mount, "the mount's \(key) must be \(wanted), not \(quoted(value))", near: value.isEmpty ? key : value)
        }

        private func misplaced(_ key: String, _ mount: RunMount) -> DockerfileError {
            DockerfileError(
                .mount, "'\(key)' is not an option of \(mount.kind.rawValue) mounts", near: key)
        }

        func finish(_ mount: inout RunMount) throws(DockerfileError) {
            let kind = mount.kind
            if !isAccessGiven { mount.isReadOnly = kind != .cache && kind != .tmpfs }
            if mount.size != nil, kind != .tmpfs { throw misplaced("size", mount) }
            if isRequiredGiven, kind != .secret, kind != .ssh { throw misplaced("required", mount) }
            if isSharingGiven, kind != .cache { throw misplaced("sharing", mount) }
            if kind == .bind || kind == .tmpfs {
                if mount.mode != nil { throw misplaced("mode", mount) }
                if mount.uid != nil { throw misplaced("uid", mount) }
                if mount.gid != nil { throw misplaced("gid", mount) }
            }
            guard kind == .secret else { return }
            if mount.from != nil { throw misplaced("from", mount) }
            if mount.source.isEmpty, mount.target.isEmpty, (mount.id ?? "").isEmpty {
                throw DockerfileError(
                    .mount, "the secret mount names no secret", near: "secret", hint: "add id=NAME")
            }
            if !mount.source.isEmpty, !(mount.id ?? "").isEmpty {
                throw DockerfileError(
                    .mount, "the secret mount has both 'id' and 'source', which mean the same", near: "source")
            }
        }
    }
}
