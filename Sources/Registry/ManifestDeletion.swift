package import OCI

/// What a deletion took away.
package struct ManifestDeletion: Sendable, Hashable {
    /// What the name pointed at.
    package let digest: Digest
    /// The tags that are gone, as far as they are known.
    package let tags: [String]
    /// Whether the manifest itself is gone, and not only a tag.
    package let isManifestDeleted: Bool
}

extension ImageRepository {
    /// Deletes a manifest by its digest, or a tag.
    ///
    /// Where a registry cannot take a single tag away, the manifest is deleted, which takes all its tags; unless
    /// `allTags` allows that, it is refused (`ambiguous`) when there are others.
    package func delete(
        _ selector: ManifestSelector, allTags: Bool = false
    ) async throws(RegistryError) -> ManifestDeletion {
        switch selector {
        case .digest(let digest):
            try await deleteManifest(digest)
            return ManifestDeletion(digest: digest, tags: [], isManifestDeleted: true)
        case .tag(let tag):
            guard let digest = try await digest(ofTag: tag) else {
                throw RegistryError(.notFound, "there is no such tag", place: "\(location):\(tag)")
            }
            do throws(RegistryError) {
                try await deleteTag(tag)
                return ManifestDeletion(digest: digest, tags: [tag], isManifestDeleted: false)
            } catch {
                guard error.code == .unsupported else { throw error }
            }
            let tags = try await self.tags(of: digest)
            let others = tags.filter { $0 != tag }
            guard others.isEmpty || allTags else {
                throw RegistryError(
                    .ambiguous, "the tag cannot be deleted alone", place: "\(location):\(tag)",
                    cause: "the registry deletes manifests only, and this one is also tagged "
                        + others.prefix(20).joined(separator: ", ") + (others.count > 20 ? " …" : ""),
                    hint: "delete it with all its tags: --all-tags, or by its digest \(digest)")
            }
            try await deleteManifest(digest)
            return ManifestDeletion(digest: digest, tags: Set(tags + [tag]).sorted(), isManifestDeleted: true)
        }
    }

    /// The tags that point at a manifest; each costs a request.
    private func tags(of wanted: Digest) async throws(RegistryError) -> [String] {
        let tags = try await self.tags()
        var found: [String] = []
        for chunk in stride(from: 0, to: tags.count, by: 16) {
            let results = await withTaskGroup(of: TagPointer.self) { group in
                for tag in tags[chunk..<min(chunk + 16, tags.count)] { group.addTask { await pointer(of: tag) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for pointer in results where try pointer.digest.get() == wanted { found.append(pointer.tag) }
        }
        return found
    }

    private func pointer(of tag: String) async -> TagPointer {
        do throws(RegistryError) {
            return TagPointer(tag: tag, digest: .success(try await digest(ofTag: tag)))
        } catch {
            return TagPointer(tag: tag, digest: .failure(error))
        }
    }
}

/// What a tag points at.
private struct TagPointer: Sendable {
    let tag: String
    let digest: Result<Digest?, RegistryError>
}
