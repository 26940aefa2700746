package import OCI

/// What a repository holds: the result of one scan.
package struct TagInventory: Sendable, Hashable {
    package var repository: RepositoryLocation
    /// One record a tag, sorted by tag. Signatures and attestations are left out.
    package var tags: [TagRecord]

    package init(repository: RepositoryLocation, tags: [TagRecord] = []) {
        self.repository = repository
        self.tags = tags
    }
}

/// A tag and the image behind it.
package struct TagRecord: Sendable, Hashable {
    package var tag: String
    /// Of what the tag points at: the index of an image for several platforms, else the manifest. `nil` when only the
    /// tags were asked for, or when there is no manifest.
    package var digest: Digest?
    /// Seconds since 1970 as the image's configuration says; the newest one of the wanted platforms.
    package var created: Int64?
    /// Of the manifest, and over them those of the index.
    package var annotations: ImageAnnotations
    /// What the image exists for, as far as it was looked at.
    package var platforms: [Platform]
    /// Why the image cannot be used: no manifest, not an image, not for a wanted platform.
    package var problem: String?

    package init(
        tag: String, digest: Digest? = nil, created: Int64? = nil, annotations: ImageAnnotations = [:],
        platforms: [Platform] = [], problem: String? = nil
    ) {
        self.tag = tag
        self.digest = digest
        self.created = created
        self.annotations = annotations
        self.platforms = platforms
        self.problem = problem
    }
}

extension TagCandidate {
    /// A tag of an inventory, for a policy.
    package init(_ record: TagRecord, rank: Int? = nil) {
        self.init(
            tag: record.tag, created: record.created, digest: record.digest, rank: rank, problem: record.problem)
    }
}
