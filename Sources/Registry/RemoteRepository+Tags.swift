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
        let place = "\(location)"
        let call = call("GET", "tags/list?n=1000", scopes: pull, place: place)
        let exists = try await host.pages(call, "the tags cannot be listed") { (response) throws(RegistryError) in
            let page: TagPage
            do throws(OCIError) {
                page = try CanonicalJSON.decode(TagPage.self, from: response.body)
            } catch {
                throw RegistryError(
                    .invalidContent, "the list of tags cannot be read", place: place, cause: error.cause)
            }
            let before = result.count
            for tag in page.tags ?? [] where seen.insert(tag).inserted { result.append(tag) }
            guard result.count <= Limits.tags else {
                throw RegistryError(.tooLarge, "the repository has more than \(Limits.tags) tags", place: place)
            }
            return result.count - before
        }
        return exists ? result : nil
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
