import HTTP
package import OCI

extension RemoteRepository {
    private struct TagPage: Decodable {
        var tags: [String]?
    }

    package func tags() async throws(RegistryError) -> [String] { try await tagList() ?? [] }

    package func tagList() async throws(RegistryError) -> [String]? {
        var result: [String] = []
        var seen: Set<String> = []
        let exists = try await tagPages(call("GET", Self.firstPage, scopes: pull, place: "\(location)")) {
            (response) throws(RegistryError) in
            let before = result.count
            for tag in try tags(in: response) where seen.insert(tag).inserted { result.append(tag) }
            return result.count - before
        }
        return exists ? result : nil
    }

    package func tagList(since stamp: TagListStamp?) async throws(RegistryError) -> TagListAnswer {
        var call = call("GET", Self.firstPage, scopes: pull, place: "\(location)")
        // RFC 9110, section 13.1.2.
        if let tag = stamp?.entityTag { call.headers.add("If-None-Match", tag) }
        var result: [String] = []
        var seen: Set<String> = []
        var first: TagListStamp?
        var isUnchanged = false
        var pages = 0
        let exists = try await tagPages(call) { (response) throws(RegistryError) in
            pages += 1
            if response.status == 304 {
                isUnchanged = true
                return 1
            }
            if pages == 1 {
                first = TagListStamp(
                    entityTag: response.headers["ETag"].flatMap { $0.utf8.count <= Limits.entityTag ? $0 : nil },
                    hash: .sha256(of: response.body))
                // The same bytes need not be read again. A list of several pages may differ in its later ones.
                if let stamp, first?.hash == stamp.hash, LinkHeader.next(response.headers.all("Link")) == nil {
                    isUnchanged = true
                    return 1
                }
            }
            let before = result.count
            for tag in try tags(in: response) where seen.insert(tag).inserted { result.append(tag) }
            return result.count - before
        }
        if isUnchanged { return .unchanged }
        return .list(exists ? result : [], pages == 1 && exists ? first : nil)
    }

    private static let firstPage = "tags/list?n=1000"

    private func tagPages(
        _ call: RegistryHost.Call, _ take: (HTTPResponse) throws(RegistryError) -> Int
    ) async throws(RegistryError) -> Bool {
        var count = 0
        return try await host.pages(call, "the tags cannot be listed") { (response) throws(RegistryError) in
            let new = try take(response)
            count += new
            guard count <= Limits.tags else {
                throw RegistryError(
                    .tooLarge, "the repository has more than \(Limits.tags) tags", place: "\(location)")
            }
            return new
        }
    }

    private func tags(in response: HTTPResponse) throws(RegistryError) -> [String] {
        do throws(OCIError) {
            return try CanonicalJSON.decode(TagPage.self, from: response.body).tags ?? []
        } catch {
            throw RegistryError(
                .invalidContent, "the list of tags cannot be read", place: "\(location)", cause: error.cause)
        }
    }

    // MARK: Deletion

    package func deleteTag(_ tag: String) async throws(RegistryError) {
        let place = place(.tag(tag))
        try check(.tag(tag), place)
        try await delete("manifests/\(tag)", "the tag cannot be deleted", place)
    }

    package func deleteManifest(_ digest: Digest) async throws(RegistryError) {
        // Read first, for the list of referrers that it may be in; whether it is there says the deletion.
        let manifest = try? await manifest(.digest(digest))
        try await delete("manifests/\(digest)", "the manifest cannot be deleted", place(.digest(digest)))
        if let manifest { try await unregister(manifest) }
    }

    private func delete(_ rest: String, _ summary: String, _ place: String) async throws(RegistryError) {
        let call = call("DELETE", rest, scopes: ["repository:\(path):pull,push,delete"], place: place)
        var isRepeated = false
        try await host.retry.run { () async throws(RegistryError) in
            defer { isRepeated = true }
            let response = try await host.send(call)
            if response.head.isSuccess { return }
            // The answer to an earlier attempt was lost, not the attempt.
            if response.status == 404 && isRepeated { return }
            let failure = host.failure(response, summary, place)
            // Distribution before version 3 takes a tag here for a digest that is not valid.
            guard response.status == 405 || response.status == 400 else { throw failure }
            throw RegistryError(
                .unsupported, summary, place: place, cause: failure.cause,
                hint:
                    "the registry may forbid deletion; docker-registry allows it with 'storage: delete: enabled: true'",
                status: response.status)
        }
    }
}
