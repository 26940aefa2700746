/// An image reference as a manifest writes it, cut into its parts without normalising any of them: `nginx` stays
/// `nginx`.
package struct ImageText: Hashable, Sendable, CustomStringConvertible {
    /// Registry and repository as written.
    package var name: String
    package var tag: String?
    /// With its algorithm: `sha256:…`.
    package var digest: String?

    package init(name: String, tag: String? = nil, digest: String? = nil) {
        self.name = name
        self.tag = tag
        self.digest = digest
    }

    /// Cuts only; whether the parts are valid is the reference grammar's question.
    package init(_ text: String) {
        var rest = text[...]
        if let at = rest.firstIndex(of: "@") {
            digest = String(rest[rest.index(after: at)...])
            rest = rest[..<at]
        }
        // A colon before a slash belongs to the registry's port.
        let component = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
        if let colon = rest[component...].firstIndex(of: ":") {
            tag = String(rest[rest.index(after: colon)...])
            rest = rest[..<colon]
        }
        name = String(rest)
    }

    package var description: String {
        name + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// The reference with another tag on the name exactly as written. A digest in it named the old image and goes,
    /// unless the new one's is given.
    package static func replacingTag(of image: String, by tag: String, digest: String? = nil) -> String {
        ImageText(name: ImageText(image).name, tag: tag, digest: digest).description
    }
}
