import Blocking
package import ContentStore
package import OCI

/// An OCI image layout on disk as a repository: tags are the entries of `index.json` by their
/// `org.opencontainers.image.ref.name`. It does not exist until something is pushed; until then it is empty.
package struct LayoutRepository: ImageRepository {
    package let path: String
    private let configuration: RegistryConfiguration
    private let index: LayoutIndex

    package init(path: String, configuration: RegistryConfiguration = RegistryConfiguration()) {
        self.path = path
        self.configuration = configuration
        index = LayoutIndex(path: path)
    }

    package var location: RepositoryLocation { .layout(path: path) }

    private func place(_ selector: ManifestSelector) -> String {
        switch selector {
        case .tag(let tag): "\(location):\(tag)"
        case .digest(let digest): "\(location)@\(digest)"
        }
    }

    // MARK: Manifests

    package func manifest(_ selector: ManifestSelector) async throws(RegistryError) -> RawManifest? {
        try await runBlocking { () throws(RegistryError) in
            let entries = try index.read().manifests
            switch selector {
            case .tag(let tag):
                guard let entry = entry(tag, in: entries) else { return nil }
                return try load(entry, place(selector))
            case .digest(let digest):
                let path = Self.blobPath(path, digest)
                let type = entries.first { $0.digest == digest }?.mediaType
                guard let bytes = try SmallFile.read(path, limit: Limits.manifest) else { return nil }
                return try ManifestDocument.check(bytes, declared: type, expected: digest, place: place(selector))
            }
        }
    }

    package func defaultManifest() async throws(RegistryError) -> RawManifest? {
        try await runBlocking { () throws(RegistryError) in
            let entries = try index.read().manifests
            // One image under several names is still one image.
            let digests = Set(entries.map(\.digest))
            guard let chosen = digests.count == 1 ? entries.first : entry("latest", in: entries) else {
                if entries.isEmpty { return nil }
                let tags = Self.tags(of: entries)
                throw RegistryError(
                    .ambiguous, "the layout holds \(digests.count) images and none was named", place: "\(location)",
                    cause: tags.isEmpty
                        ? "they have no tags" : "its tags are \(tags.prefix(20).joined(separator: ", "))",
                    hint: "write \(location):TAG or \(location)@DIGEST")
            }
            return try load(chosen, "\(location)")
        }
    }

    package func digest(ofTag tag: String) async throws(RegistryError) -> Digest? {
        try await runBlocking { () throws(RegistryError) in entry(tag, in: try index.read().manifests)?.digest }
    }

    package func pushManifest(
        _ bytes: [UInt8], mediaType: MediaType, tag: String?
    ) async throws(RegistryError) -> Digest {
        try await runBlocking { () throws(RegistryError) in
            let digest = Digest.sha256(of: bytes)
            _ = try write(RawManifest(bytes: bytes, mediaType: mediaType, digest: digest), tag: tag) { _ in false }
            return digest
        }
    }

    /// Asked and written under one lock: here nobody comes in between.
    package func claim(
        _ tag: String, for image: RawManifest, unless isKept: @escaping @Sendable (TagHolder) -> Bool
    ) async throws(RegistryError) -> TagClaim {
        try await runBlocking { () throws(RegistryError) in
            try write(image, tag: tag, unless: isKept).map { .kept($0, isLost: false) } ?? .given
        }
    }

    /// - Returns: the image that keeps the tag, where one does.
    private func write(
        _ image: RawManifest, tag: String?, unless isKept: (TagHolder) -> Bool
    ) throws(RegistryError) -> TagHolder? {
        let place = place(tag.map { .tag($0) } ?? .digest(image.digest))
        if let tag, !Reference.isValidTag(tag) {
            throw RegistryError(
                .invalidContent, "the tag is not valid", place: place,
                hint: "a tag has up to 128 letters, digits, '_', '.' and '-'")
        }
        _ = try ManifestDocument.check(
            image.bytes, declared: image.mediaType, expected: image.digest, place: place)
        let references = try ManifestDocument.references(in: image.bytes, mediaType: image.mediaType, place: place)
        let blobs = try store()
        for reference in references where !blobs.contains(reference.digest) {
            throw RegistryError(
                .contentMissing, "the manifest was not accepted", place: place,
                cause: "the layout has no blob \(reference.digest)")
        }
        do throws(ContentStoreError) {
            try blobs.add(image.bytes)
        } catch {
            throw RegistryError(error, place: place)
        }
        var keeper: TagHolder?
        try index.change { (index) in
            var entry = image.descriptor
            if let tag {
                if let old = self.entry(tag, in: index.manifests), old.digest != image.digest {
                    let holder = TagHolder(old.digest, try? load(old, place))
                    if isKept(holder) {
                        keeper = holder
                        return
                    }
                }
                entry.annotations = [Annotation.refName: tag]
                index.manifests.removeAll {
                    Self.name(of: $0) == tag || ($0.digest == image.digest && Self.isBare($0))
                }
            } else if index.manifests.contains(where: { $0.digest == image.digest }) {
                return
            }
            // The parts of an index are found through it, and are no images of their own beside it.
            if image.mediaType.isIndex {
                let parts = Set(references.map(\.digest))
                index.manifests.removeAll { Self.isBare($0) && parts.contains($0.digest) }
            }
            index.manifests.append(entry)
        }
        return keeper
    }

    package func tags() async throws(RegistryError) -> [String] {
        try await runBlocking { () throws(RegistryError) in Self.tags(of: try index.read().manifests) }
    }

    package func tagList() async throws(RegistryError) -> [String]? {
        try await runBlocking { () throws(RegistryError) in
            index.exists ? Self.tags(of: try index.read().manifests) : nil
        }
    }

    /// Takes every other name out of the index, so that there is one image.
    package func forgetOthers(than digest: Digest, tag: String?) async throws(RegistryError) {
        try await runBlocking { () throws(RegistryError) in
            try index.change { (index) in
                index.manifests.removeAll { $0.digest != digest || (tag != nil && Self.name(of: $0) != tag) }
            }
        }
    }

    // MARK: Deletion

    package func deleteTag(_ tag: String) async throws(RegistryError) {
        let place = place(.tag(tag))
        try await runBlocking { () throws(RegistryError) in
            guard index.exists else { throw missing("tag", place) }
            try index.change { (index) throws(RegistryError) in
                guard let name = entry(tag, in: index.manifests).flatMap(Self.name) else { throw missing("tag", place) }
                index.manifests.removeAll { Self.name(of: $0) == name }
            }
        }
    }

    package func deleteManifest(_ digest: Digest) async throws(RegistryError) {
        let place = place(.digest(digest))
        // Read first: the digest of a layer would name a blob as well.
        guard try await manifest(.digest(digest)) != nil, index.exists else { throw missing("manifest", place) }
        try await runBlocking { () throws(RegistryError) in
            try index.change { (index) in index.manifests.removeAll { $0.digest == digest } }
            do throws(ContentStoreError) {
                try ContentStore(layout: path).remove(digest)
            } catch {
                throw RegistryError(error, place: place)
            }
        }
    }

    package func referrers(
        of digest: Digest, artifactType: String? = nil
    ) async throws(RegistryError) -> [Descriptor] {
        try await runBlocking { () throws(RegistryError) in
            var found: [Descriptor] = []
            for entry in try index.read().manifests where !found.contains(where: { $0.digest == entry.digest }) {
                let place = place(.digest(entry.digest))
                let raw = try load(entry, place)
                guard
                    let (subject, listed) = try RemoteRepository.reference(raw.bytes, raw.mediaType, raw.digest, place),
                    subject == digest, artifactType == nil || listed.artifactType == artifactType
                else { continue }
                found.append(listed)
            }
            return found
        }
    }

    private func missing(_ what: String, _ place: String) -> RegistryError {
        RegistryError(.notFound, "there is no such \(what)", place: place)
    }

    // MARK: Blobs

    package func blob(_ descriptor: Descriptor, limit: Int) async throws(RegistryError) -> [UInt8] {
        try await runBlocking { () throws(RegistryError) in
            let place = place(.digest(descriptor.digest))
            guard descriptor.size >= 0, descriptor.size <= Int64(limit) else {
                throw RegistryError(
                    .tooLarge, "the blob is larger than allowed", place: place,
                    cause: "\(descriptor.size) bytes where at most \(limit) are expected")
            }
            let bytes = try SmallFile.read(Self.blobPath(path, descriptor.digest), limit: limit)
            guard let bytes else {
                throw RegistryError(.notFound, "the layout has no such blob", place: place)
            }
            var hasher = DigestHasher(descriptor.digest.algorithm)
            hasher.update(bytes)
            guard hasher.finalize() == descriptor.digest, Int64(bytes.count) == descriptor.size else {
                throw RegistryError(.digestMismatch, "the blob has the wrong content", place: place)
            }
            return bytes
        }
    }

    package func fetchBlob(
        _ descriptor: Descriptor, into store: ContentStore, progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) {
        try await runBlocking { () throws(RegistryError) in
            if store.size(of: descriptor.digest) == descriptor.size { return }
            let place = place(.digest(descriptor.digest))
            guard let size = Self.blobSize(path, descriptor.digest) else {
                throw RegistryError(.notFound, "the layout has no such blob", place: place)
            }
            guard size == descriptor.size else {
                throw RegistryError(
                    .digestMismatch, "the blob has the wrong size", place: place,
                    cause: "\(size) bytes where \(descriptor.size) were promised")
            }
            try Self.copy(descriptor, from: try self.store(), into: store, place, progress)
        }
    }

    package func hasBlob(_ digest: Digest) async throws(RegistryError) -> Bool {
        await runBlocking { Self.blobSize(path, digest) != nil }
    }

    package func pushBlob(
        _ descriptor: Descriptor, from store: ContentStore, mountFrom sources: [RepositoryLocation],
        progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> UploadOutcome {
        try await runBlocking { () throws(RegistryError) in
            let place = place(.digest(descriptor.digest))
            if Self.blobSize(path, descriptor.digest) == descriptor.size { return .existed }
            try index.create()
            let own = try self.store()
            for source in sources.flatMap({ configuration.mapped($0) + [$0] }) {
                guard case .layout(let other) = source, other != path,
                    Self.blobSize(other, descriptor.digest) == descriptor.size
                else { continue }
                try Self.copy(descriptor, from: try Self.store(other), into: own, place, progress)
                return .mounted
            }
            try Self.copy(descriptor, from: store, into: own, place, progress)
            return .uploaded
        }
    }

    private static func copy(
        _ descriptor: Descriptor, from source: ContentStore, into target: ContentStore, _ place: String,
        _ progress: (@Sendable (Int64) -> Void)?
    ) throws(RegistryError) {
        do throws(ContentStoreError) {
            var ingest = try target.ingest(descriptor.digest.algorithm)
            try source.read(descriptor.digest) { (bytes) throws(ContentStoreError) in
                try ingest.write(bytes)
                progress?(ingest.count)
            }
            _ = try ingest.commit(expected: descriptor)
        } catch {
            throw RegistryError(error, place: place)
        }
    }

    // MARK: Entries

    /// The entry of a tag. Some tools write the image's whole name where others write its tag.
    private func entry(_ tag: String, in entries: [Descriptor]) -> Descriptor? {
        entries.last { Self.name(of: $0) == tag }
            ?? entries.last { entry in
                guard let name = Self.name(of: entry), name.contains(":") || name.contains("/") else { return false }
                return (try? Reference(name))?.tag == tag
            }
    }

    private func load(_ entry: Descriptor, _ place: String) throws(RegistryError) -> RawManifest {
        let bytes = try SmallFile.read(Self.blobPath(path, entry.digest), limit: Limits.manifest)
        guard let bytes else {
            throw RegistryError(
                .notFound, "index.json names a manifest that is not in the layout", place: place,
                cause: "\(entry.digest)")
        }
        return try ManifestDocument.check(bytes, declared: entry.mediaType, expected: entry.digest, place: place)
    }

    private static func name(of entry: Descriptor) -> String? { entry.annotations?[Annotation.refName] }

    private static func isBare(_ entry: Descriptor) -> Bool { name(of: entry) == nil }

    private static func tags(of entries: [Descriptor]) -> [String] {
        let names = entries.compactMap { entry -> String? in
            guard let name = name(of: entry) else { return nil }
            return Reference.isValidTag(name) ? name : (try? Reference(name))?.tag
        }
        return Set(names).sorted()
    }

    // MARK: Files

    private func store() throws(RegistryError) -> ContentStore { try Self.store(path) }

    private static func store(_ path: String) throws(RegistryError) -> ContentStore {
        do {
            return try ContentStore(layout: path)
        } catch {
            throw RegistryError(error, place: "oci:\(path)")
        }
    }

    private static func blobPath(_ path: String, _ digest: Digest) -> String {
        "\(path)/blobs/\(digest.algorithm.rawValue)/\(digest.encoded)"
    }

    private static func blobSize(_ path: String, _ digest: Digest) -> Int64? {
        SmallFile.size(blobPath(path, digest))
    }
}
