import HTTP
package import OCI

/// A repository of a registry that speaks the distribution API.
///
/// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
package struct RemoteRepository: ImageRepository {
    let host: RegistryHost
    let path: String
    let configuration: RegistryConfiguration

    package var location: RepositoryLocation { .registry(host: host.name, path: path) }

    var pull: [String] { ["repository:\(path):pull"] }
    var push: [String] { ["repository:\(path):pull,push"] }

    func call(_ method: String, _ rest: String, scopes: [String], place: String) -> RegistryHost.Call {
        RegistryHost.Call(method: method, path: "\(path)/\(rest)", repository: path, scopes: scopes, place: place)
    }

    func place(_ selector: ManifestSelector) -> String {
        switch selector {
        case .tag(let tag): "\(location):\(tag)"
        case .digest(let digest): "\(location)@\(digest)"
        }
    }

    // MARK: Manifests

    private static let accept: HTTPHeaders = [
        "Accept": MediaType.manifests.map(\.rawValue).joined(separator: ", ")
    ]

    package func manifest(_ selector: ManifestSelector) async throws(RegistryError) -> RawManifest? {
        let place = place(selector)
        try check(selector, place)
        var call = call("GET", "manifests/\(selector)", scopes: pull, place: place)
        call.headers = Self.accept
        call.limit = Limits.manifest
        let request = call
        return try await host.retry.run { () async throws(RegistryError) in
            var response = try await host.send(request)
            if response.head.isSuccess, response.head.isEncoded, (try? document(response, selector, place)) == nil {
                var decoding = request
                decoding.decodesAnswer = true
                response = try await host.send(decoding)
            }
            if response.status == 404 { return nil }
            guard response.head.isSuccess else {
                throw host.failure(response, "the manifest cannot be read", place)
            }
            return try document(response, selector, place)
        }
    }

    private func document(
        _ response: HTTPResponse, _ selector: ManifestSelector, _ place: String
    ) throws(RegistryError) -> RawManifest {
        var expected: Digest?
        switch selector {
        case .digest(let digest): expected = digest
        case .tag: expected = response.headers["Docker-Content-Digest"].flatMap { try? Digest($0) }
        }
        return try ManifestDocument.check(
            response.body, declared: response.headers["Content-Type"].map(MediaType.init(header:)), expected: expected,
            place: place)
    }

    package func defaultManifest() async throws(RegistryError) -> RawManifest? {
        try await manifest(.tag("latest"))
    }

    package func digest(ofTag tag: String) async throws(RegistryError) -> Digest? {
        let place = place(.tag(tag))
        try check(.tag(tag), place)
        var call = call("HEAD", "manifests/\(tag)", scopes: pull, place: place)
        call.headers = Self.accept
        let request = call
        let response = try await host.retry.run { () async throws(RegistryError) in
            let response = try await host.send(request)
            guard response.head.isSuccess || response.status == 404 || response.head.refusesMethod else {
                throw host.failure(response, "the tag cannot be looked up", place)
            }
            return response
        }
        if response.head.refusesMethod { return try await manifest(.tag(tag))?.digest }
        if response.status == 404 { return nil }
        if let digest = response.headers["Docker-Content-Digest"].flatMap({ try? Digest($0) }) { return digest }
        // The header is optional: some registries make one read the manifest.
        return try await manifest(.tag(tag))?.digest
    }

    package func pushManifest(
        _ bytes: [UInt8], mediaType: MediaType, tag: String?
    ) async throws(RegistryError) -> Digest {
        let digest = Digest.sha256(of: bytes)
        let selector = tag.map { ManifestSelector.tag($0) } ?? .digest(digest)
        // The same bytes under the same name: safe to repeat.
        let answer = try await host.retry.run { () async throws(RegistryError) in
            try await put(bytes, mediaType, digest, selector)
        }
        try await register(bytes, mediaType, digest, answer: answer)
        return digest
    }

    /// Writes a manifest; one attempt.
    func put(
        _ bytes: [UInt8], _ mediaType: MediaType, _ digest: Digest, _ selector: ManifestSelector
    ) async throws(RegistryError) -> HTTPResponse {
        let place = place(selector)
        try check(selector, place)
        var call = call("PUT", "manifests/\(selector)", scopes: push, place: place)
        call.headers = ["Content-Type": mediaType.rawValue]
        call.body = .bytes(bytes)
        let response = try await host.send(call)
        guard response.head.isSuccess else {
            throw host.failure(response, "the manifest was not accepted", place)
        }
        if let stored = response.headers["Docker-Content-Digest"].flatMap({ try? Digest($0) }),
            stored.algorithm == .sha256, stored != digest
        {
            throw RegistryError(
                .digestMismatch, "the registry stored another manifest than it was given", place: place,
                cause: "\(stored) instead of \(digest)")
        }
        return response
    }

    func check(_ selector: ManifestSelector, _ place: String) throws(RegistryError) {
        guard case .tag(let tag) = selector, !Reference.isValidTag(tag) else { return }
        throw RegistryError(
            .invalidContent, "the tag is not valid", place: place,
            hint: "a tag has up to 128 letters, digits, '_', '.' and '-'")
    }
}

extension HTTPHead {
    /// Whether the server does not know the method here, such as `HEAD`.
    var refusesMethod: Bool { status == 405 || status == 501 }
}
