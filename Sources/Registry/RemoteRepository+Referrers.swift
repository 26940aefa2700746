import HTTP
package import OCI

/// What refers to a manifest: signatures, bills of materials, provenance.
///
/// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers; registries without the
/// interface keep the list as an index under the tag `sha256-<hex>`, which clients maintain
/// (…#unavailable-referrers-api).
extension RemoteRepository {
    package func referrers(
        of digest: Digest, artifactType: String? = nil
    ) async throws(RegistryError) -> [Descriptor] {
        let found =
            if let listed = try await listedReferrers(of: digest) { listed } else {
                try await fallbackIndex(of: digest).manifests
            }
        return found.filter { artifactType == nil || $0.artifactType == artifactType }
    }

    /// As the registry lists them; `nil` when it has no such interface.
    private func listedReferrers(of digest: Digest) async throws(RegistryError) -> [Descriptor]? {
        let place = place(.digest(digest))
        var result: [Descriptor] = []
        var seen: Set<Digest> = []
        var call = call("GET", "referrers/\(digest)", scopes: pull, place: place)
        call.headers = ["Accept": MediaType.ociIndex.rawValue]
        let exists = try await host.pages(call, "the referrers cannot be listed") { (response) throws(RegistryError) in
            let page: ImageIndex
            do throws(OCIError) {
                page = try CanonicalJSON.decode(ImageIndex.self, from: response.body)
            } catch {
                throw RegistryError(error, place: place)
            }
            let before = result.count
            for entry in page.manifests where seen.insert(entry.digest).inserted { result.append(entry) }
            guard result.count <= Limits.referrers else {
                throw RegistryError(.tooLarge, "the manifest has more than \(Limits.referrers) referrers", place: place)
            }
            return result.count - before
        }
        return exists ? result : nil
    }

    // MARK: The tag in place of the interface

    static func fallbackTag(of digest: Digest) -> String {
        "\(digest.algorithm.rawValue)-\(digest.encoded)"
    }

    private func fallbackIndex(of digest: Digest) async throws(RegistryError) -> ImageIndex {
        let tag = Self.fallbackTag(of: digest)
        guard let raw = try await manifest(.tag(tag)) else { return ImageIndex(manifests: []) }
        // Cosign keeps its signatures under names that begin alike.
        guard raw.mediaType.isIndex else {
            throw RegistryError(
                .invalidContent, "the referrers cannot be listed", place: place(.tag(tag)),
                cause: "the tag that should hold the list is no index")
        }
        do throws(OCIError) {
            return try CanonicalJSON.decode(ImageIndex.self, from: raw.bytes)
        } catch {
            throw RegistryError(error, place: place(.tag(tag)))
        }
    }

    /// Enters a pushed manifest into the list of its subject, when the registry did not say that it did so itself.
    func register(
        _ bytes: [UInt8], _ mediaType: MediaType, _ digest: Digest, answer: HTTPResponse
    ) async throws(RegistryError) {
        guard answer.headers["OCI-Subject"] == nil,
            let (subject, listed) = try Self.reference(bytes, mediaType, digest, place(.digest(digest)))
        else { return }
        // An interface without the header: it is there, the header was lost on the way.
        if try await listedReferrers(of: subject) != nil { return }
        try await changeFallback(of: subject) { index in
            if index.manifests.contains(where: { $0.digest == digest }) { return false }
            index.manifests.append(listed)
            return true
        }
    }

    /// Takes a manifest that is deleted out of the list of its subject.
    func unregister(_ manifest: RawManifest) async throws(RegistryError) {
        guard
            let (subject, _) = try Self.reference(
                manifest.bytes, manifest.mediaType, manifest.digest, place(.digest(manifest.digest))),
            try await self.manifest(.tag(Self.fallbackTag(of: subject))) != nil
        else { return }
        try await changeFallback(of: subject) { index in
            let before = index.manifests.count
            index.manifests.removeAll { $0.digest == manifest.digest }
            return index.manifests.count != before
        }
    }

    /// Nothing keeps two clients from writing the tag at the same time, so it is read again until it holds.
    private func changeFallback(
        of subject: Digest, _ change: @escaping @Sendable (inout ImageIndex) -> Bool
    ) async throws(RegistryError) {
        let tag = Self.fallbackTag(of: subject)
        let repository = self
        try await host.referrerLists.run("\(path):\(tag)") { () async throws(RegistryError) in
            for _ in 0..<5 {
                var index = try await repository.fallbackIndex(of: subject)
                guard change(&index) else { return }
                index.mediaType = .ociIndex
                let bytes: [UInt8]
                do throws(OCIError) {
                    bytes = try CanonicalJSON.encode(index)
                } catch {
                    throw RegistryError(error, place: repository.place(.tag(tag)))
                }
                _ = try await repository.pushManifest(bytes, mediaType: .ociIndex, tag: tag)
            }
            throw RegistryError(
                .unavailable, "the list of referrers cannot be written", place: repository.place(.tag(tag)),
                cause: "others keep writing it", isTransient: true)
        }
    }

    /// What a manifest refers to, and its entry in that one's list.
    static func reference(
        _ bytes: [UInt8], _ mediaType: MediaType, _ digest: Digest, _ place: String
    ) throws(RegistryError) -> (subject: Digest, entry: Descriptor)? {
        do throws(OCIError) {
            var entry = Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count))
            if mediaType.isIndex {
                let index = try CanonicalJSON.decode(ImageIndex.self, from: bytes)
                guard let subject = index.subject else { return nil }
                entry.artifactType = index.artifactType
                entry.annotations = index.annotations
                return (subject.digest, entry)
            }
            let manifest = try CanonicalJSON.decode(Manifest.self, from: bytes)
            guard let subject = manifest.subject else { return nil }
            entry.artifactType = manifest.artifactType ?? manifest.config.mediaType.rawValue
            entry.annotations = manifest.annotations
            return (subject.digest, entry)
        } catch {
            throw RegistryError(error, place: place)
        }
    }
}
