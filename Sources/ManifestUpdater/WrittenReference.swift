/// An image's reference as it stands in a file: cut once into its parts, none of which is normalised, so that `nginx` stays
/// `nginx`. From the scan to the edit nothing else stands for an image; its description is the text, byte for byte.
package struct WrittenReference: Hashable, Sendable {
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

    /// Whether nothing is written.
    package var isEmpty: Bool { name.isEmpty && tag == nil && digest == nil }

    /// Another tag on the name exactly as written. A digest named the old image and goes, unless the new one's is given.
    package func with(tag: String, digest: String? = nil) -> WrittenReference {
        WrittenReference(name: name, tag: tag, digest: digest)
    }
}

extension WrittenReference: CustomStringConvertible, ExpressibleByStringInterpolation {
    package var description: String {
        name + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    package init(stringLiteral text: String) { self.init(text) }
}
