import HTTP
package import OCI

/// The image that a tag leads to, as far as it says who may have the tag.
package struct TagHolder: Sendable, Hashable {
    package let digest: Digest
    /// Of the manifest or the index; none where it cannot be read.
    package let annotations: [String: String]

    package init(digest: Digest, annotations: [String: String]) {
        self.digest = digest
        self.annotations = annotations
    }

    /// - Parameter manifest: `nil` where the tag leads to something that cannot be read.
    init(_ digest: Digest, _ manifest: RawManifest?) {
        struct Annotated: Decodable { var annotations: [String: String]? }
        self.digest = digest
        let parsed = manifest.flatMap { try? CanonicalJSON.decode(Annotated.self, from: $0.bytes) }
        annotations = parsed?.annotations ?? [:]
    }
}

/// What became of a tag that an image was to get.
package enum TagClaim: Sendable, Hashable {
    /// The tag leads to the image.
    case given
    /// Another image keeps it.
    ///
    /// - Parameter isLost: whether the image had it for a moment: another writer asked at the same time, and wrote later.
    case kept(TagHolder, isLost: Bool)
}

extension ImageRepository {
    /// What a tag leads to now; `nil` when there is no such tag.
    package func holder(ofTag tag: String) async throws(RegistryError) -> TagHolder? {
        guard let digest = try await digest(ofTag: tag) else { return nil }
        return try await holder(digest)
    }

    fileprivate func holder(_ digest: Digest) async throws(RegistryError) -> TagHolder {
        do throws(RegistryError) {
            return TagHolder(digest, try await manifest(.digest(digest)))
        } catch {
            guard !error.isTransient, error.code != .cancelled else { throw error }
            return TagHolder(digest, nil)
        }
    }
}

extension RemoteRepository {
    /// Registries have no "write only if": the tag is asked for right before each attempt, and again after it. So a
    /// request that is repeated, because its answer was lost or was a failure, overwrites nothing that came in between; and
    /// of two who write at the same moment, the one who wrote first learns that it lost.
    package func claim(
        _ tag: String, for image: RawManifest, unless isKept: @escaping @Sendable (TagHolder) -> Bool
    ) async throws(RegistryError) -> TagClaim {
        var failures = 0
        var accepted = 0
        while true {
            let digest = try await digest(ofTag: tag)
            if digest == image.digest { return .given }
            if digest == nil, accepted > 0 {
                // Accepted, and not shown yet: some registries take their time.
                return .given
            }
            if let digest {
                let holder = try await holder(digest)
                if isKept(holder) { return .kept(holder, isLost: accepted > 0) }
                // Whoever moves a tag that may be moved moves it after us again and again.
                guard accepted < Self.mostMoves else { return .kept(holder, isLost: true) }
            }
            let answer: HTTPResponse
            do throws(RegistryError) {
                answer = try await put(image.bytes, image.mediaType, image.digest, .tag(tag))
            } catch {
                failures += 1
                guard try await mayRepeat(after: error, failures, tag: tag, digest) else { throw error }
                continue
            }
            accepted += 1
            try await register(image.bytes, image.mediaType, image.digest, answer: answer)
        }
    }

    /// Times that a tag is moved in one call.
    private static let mostMoves = 3

    /// Whether to ask again after an attempt that failed: when it may pass, and when the tag has changed hands meanwhile,
    /// as where a registry lets no tag be moved.
    private func mayRepeat(
        after error: RegistryError, _ failures: Int, tag: String, _ before: Digest?
    ) async throws(RegistryError) -> Bool {
        guard failures < host.retry.attempts else { return false }
        guard error.isTransient else {
            guard error.code != .cancelled, let now = try? await digest(ofTag: tag) else { return false }
            return now != before
        }
        guard let delay = host.retry.delay(after: failures, error) else { return false }
        do { try await Task.sleep(for: delay) } catch {
            throw RegistryError(.cancelled, "the call was cancelled", place: "\(location):\(tag)")
        }
        return true
    }
}
