/// What a sender says has changed. It is a hint where to look, and nothing more: no commit, tag or digest is taken from it.
package enum WebhookEvent: Sendable, Hashable {
    case git(GitEvent)
    case image(ImageEvent)
    /// Something that the body does not name.
    case unnamed
}

/// A branch or a tag of a git repository was written, or is gone.
package struct GitEvent: Sendable, Hashable {
    /// Every address that the body has for the repository, as it is written there.
    package var urls: [String]
    /// `PROJECT/NAME`, from senders that give no address.
    package var path: String?
    /// `refs/heads/main`; `nil` where the body does not say it.
    package var ref: String?
    /// Commits, in hexadecimal digits; `nil` for none.
    package var before: String?
    package var after: String?
    package var isDeleted: Bool

    package init(
        urls: [String], path: String? = nil, ref: String? = nil, before: String? = nil, after: String? = nil,
        isDeleted: Bool = false
    ) {
        self.urls = urls
        self.path = path
        self.ref = ref
        self.before = Self.commit(before)
        self.after = Self.commit(after)
        self.isDeleted = isDeleted
    }

    /// Zeros stand for no commit.
    private static func commit(_ text: String?) -> String? {
        guard let text, text.utf8.contains(where: { $0 != UInt8(ascii: "0") }) else { return nil }
        return text
    }
}

/// A tag or a digest of a registry's repository was written.
package struct ImageEvent: Sendable, Hashable {
    /// With its port.
    package let registry: String
    package let repository: String
    package let tag: String?
    package let digest: String?

    /// - Parameter tag: one that is a digest counts as that.
    package init(registry: String, repository: String, tag: String? = nil, digest: String? = nil) {
        self.registry = registry.lowercased()
        self.repository = repository
        let isDigest = tag?.contains(":") ?? false
        self.tag = isDigest ? nil : tag
        self.digest = digest ?? (isDigest ? tag : nil)
    }
}
