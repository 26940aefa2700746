import Text

/// Where images are kept: a repository of a registry, or an OCI image layout on disk.
///
/// Who may write a layout's path reads and writes files of this machine, so this is for what the operator says: flags and the
/// agent's configuration. What a watched repository says is a `RegistryRepository` or a `Reference`.
package enum RepositoryLocation: Hashable, Sendable, CustomStringConvertible {
    /// `host` may have a port; `path` is the repository's full name (`library/nginx`).
    case registry(host: String, path: String)
    /// The directory that holds `oci-layout` and `index.json`.
    case layout(path: String)

    /// Parses `[HOST/]PATH` or `oci:DIRECTORY`, without tag and digest.
    package init(_ text: String) throws(OCIError) {
        let image = try ImageLocation(text)
        guard image.tag == nil, image.digest == nil else { throw Self.namesAnImage(text) }
        self = image.repository
    }

    package var description: String {
        switch self {
        case .registry(let host, let path): "\(host)/\(path)"
        case .layout(let path): "oci:\(path)"
        }
    }

    /// The short form that people write: without `docker.io/` and `library/`.
    package var familiar: String {
        switch self {
        case .registry(let host, let path): familiarName(registry: host, repository: path)
        case .layout: description
        }
    }
}

/// An image in a place: `nginx:1.25`, `localhost:5000/app@sha256:…`, `oci:/var/lib/images/app:v1`.
///
/// `oci:` always begins a layout, even where the rest could be read as a port; what follows the last colon after the
/// last slash is the tag.
package struct ImageLocation: Hashable, Sendable, CustomStringConvertible {
    package var repository: RepositoryLocation
    package var tag: String?
    package var digest: Digest?

    package init(repository: RepositoryLocation, tag: String? = nil, digest: Digest? = nil) {
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// The only way from what a repository may name to what the operator may.
    package init(_ reference: Reference) {
        self.init(
            repository: .registry(host: reference.registry, path: reference.repository), tag: reference.tag,
            digest: reference.digest)
    }

    package init(_ text: String) throws(OCIError) {
        if text.hasPrefix("oci:") {
            try self.init(layout: text)
        } else {
            self.init(try Reference(text))
        }
    }

    private init(layout text: String) throws(OCIError) {
        var rest = text.dropFirst("oci:".count)
        var digest: Digest?
        if let at = rest.utf8.lastIndex(of: UInt8(ascii: "@")),
            let parsed = try? Digest(String(rest[rest.utf8.index(after: at)...]))
        {
            digest = parsed
            rest = rest[..<at]
        }
        var tag: String?
        if let colon = rest.utf8.lastIndex(of: UInt8(ascii: ":")), !rest[colon...].contains("/") {
            tag = String(rest[rest.utf8.index(after: colon)...])
            rest = rest[..<colon]
        }
        guard !rest.isEmpty, !rest.utf8.contains(0) else {
            throw OCIError(
                .invalidReference, "'\(printable(text))' names no layout", hint: "write oci:/DIRECTORY[:TAG][@DIGEST]")
        }
        if let tag { try validate(tag: tag) }
        self.init(repository: .layout(path: Self.tidy(rest)), tag: tag, digest: digest)
    }

    package var description: String {
        "\(repository)" + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// The short form that people write: without `docker.io/` and `library/`.
    package var familiar: String {
        repository.familiar + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// The same with `:latest` when it is a registry's image and neither tag nor digest is given. A layout's default is
    /// its only image, so nothing is added there.
    package var withDefaultTag: ImageLocation {
        guard case .registry = repository, tag == nil, digest == nil else { return self }
        return ImageLocation(repository: repository, tag: "latest")
    }

    /// One spelling for one directory: no doubled or trailing slashes, no `.` parts. `..` stays: links decide there.
    private static func tidy(_ path: Substring) -> String {
        let parts = path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
        if path.hasPrefix("/") { return "/" + parts }
        return parts.isEmpty ? "." : parts
    }
}
