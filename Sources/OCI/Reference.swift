import Text

/// The name of an image in a registry, read as Docker reads it and kept in its full form.
///
///     reference := name [ ":" tag ] [ "@" digest ]
///     name      := [ domain "/" ] path
///     domain    := host [ ":" port ]            host: domain name, IPv4, "[" IPv6 "]"
///     path      := component *( "/" component ) component: [a-z0-9]+ joined by . _ __ -+
///     tag       := [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
///
/// The first part of a name is a domain when it holds a dot, a colon or an upper-case letter or is `localhost`; without
/// a domain the name is Docker Hub's, and one of a single component there belongs to `library/`.
///
/// https://github.com/distribution/reference/blob/v0.6.0/normalize.go
package struct Reference: Hashable, Sendable, CustomStringConvertible {
    /// The registry that a name without one belongs to.
    package static let defaultRegistry = "docker.io"

    /// `docker.io`, `localhost:5000`.
    package let registry: String
    /// `library/nginx`.
    package let repository: String
    package let tag: String?
    package let digest: Digest?

    /// - Throws: also for `oci:…`, which begins a layout's path wherever layouts are allowed; it is a host's name nowhere.
    package init(_ text: String) throws(OCIError) {
        guard !text.hasPrefix("oci:") else {
            throw Self.invalid(
                text, "it is the path of an OCI layout on this machine, and only an image of a registry can stand here",
                hint: "push the image to a registry and write HOST/PATH:TAG")
        }
        var rest = text[...]
        if let at = rest.utf8.firstIndex(of: UInt8(ascii: "@")) {
            do {
                digest = try Digest(String(rest[rest.utf8.index(after: at)...]))
            } catch {
                throw Self.invalid(text, error.cause ?? error.summary, hint: error.hint)
            }
            rest = rest[..<at]
        } else {
            digest = nil
        }
        let (domain, remainder) = Self.splitDomain(rest)
        if text.contains("://") {
            throw Self.invalid(text, "it has a URL's scheme", hint: "remove the scheme: write HOST/PATH:TAG")
        }
        guard ReferenceGrammar.isDomain(domain) else {
            throw Self.invalid(text, "'\(printable(String(domain)))' is no registry host")
        }
        var path = remainder
        if let colon = remainder.utf8.firstIndex(of: UInt8(ascii: ":")) {
            let tag = remainder[remainder.utf8.index(after: colon)...]
            guard ReferenceGrammar.isTag(tag) else {
                throw Self.invalid(
                    text, "'\(printable(String(tag)))' is no tag",
                    hint: "a tag has up to 128 letters, digits, '_', '.' and '-', and starts with none of the last two")
            }
            self.tag = String(tag)
            path = remainder[..<colon]
        } else {
            tag = nil
        }
        if path.isEmpty { throw Self.invalid(text, "the repository is missing") }
        if path.utf8.contains(where: { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) {
            throw Self.invalid(text, "a repository's name is in lower case")
        }
        guard ReferenceGrammar.isPath(path) else {
            throw Self.invalid(
                text, "'\(printable(String(path)))' is no repository",
                hint: "its parts are lower-case letters and digits, joined by '.', '_', '__' or dashes")
        }
        registry = domain == "index.docker.io" ? Self.defaultRegistry : String(domain)
        repository = registry == Self.defaultRegistry && !path.contains("/") ? "library/\(path)" : String(path)
        guard repository.utf8.count <= 255 else {
            throw Self.invalid(text, "the repository's name is longer than 255 characters")
        }
        if tag == nil, digest == nil, text.utf8.count == 64, text.utf8.allSatisfy(isLowerHexadecimal) {
            throw Self.invalid(text, "64 hexadecimal digits name an image by its id, not in a registry")
        }
    }

    private init(registry: String, repository: String, tag: String?, digest: Digest?) {
        self.registry = registry
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// The full form: nothing is left to defaults.
    package var description: String {
        "\(registry)/\(repository)" + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// The short form that people write: without `docker.io/` and `library/`.
    package var familiar: String {
        familiarName(registry: registry, repository: repository)
            + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// The same repository with another tag and no digest.
    package func with(tag: String) throws(OCIError) -> Reference {
        try validate(tag: tag)
        return Reference(registry: registry, repository: repository, tag: tag, digest: nil)
    }

    /// The same name, pinned to a digest.
    package func with(digest: Digest) -> Reference {
        Reference(registry: registry, repository: repository, tag: tag, digest: digest)
    }

    /// The same with `:latest` when neither tag nor digest is given.
    package var withDefaultTag: Reference {
        guard tag == nil, digest == nil else { return self }
        return Reference(registry: registry, repository: repository, tag: "latest", digest: nil)
    }

    /// Whether text can be a tag.
    package static func isValidTag(_ text: String) -> Bool { ReferenceGrammar.isTag(text[...]) }

    private static func splitDomain(_ text: Substring) -> (domain: Substring, remainder: Substring) {
        let standard = defaultRegistry[...]
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return (standard, text) }
        let first = text[..<slash]
        let isDomain =
            first == "localhost"
            || first.utf8.contains { byte in
                byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            }
        return isDomain ? (first, text[text.utf8.index(after: slash)...]) : (standard, text)
    }

    private static func invalid(_ text: String, _ cause: String, hint: String? = nil) -> OCIError {
        OCIError(.invalidReference, "'\(printable(text))' is no image reference", cause: cause, hint: hint)
    }
}

func familiarName(registry: String, repository: String) -> String {
    guard registry == Reference.defaultRegistry else { return "\(registry)/\(repository)" }
    let parts = repository.split(separator: "/")
    return parts.count == 2 && parts[0] == "library" ? String(parts[1]) : repository
}

func validate(tag: String) throws(OCIError) {
    guard ReferenceGrammar.isTag(tag[...]) else {
        throw OCIError(
            .invalidReference, "'\(printable(tag))' is no tag",
            hint: "a tag has up to 128 letters, digits, '_', '.' and '-', and starts with none of the last two")
    }
}
