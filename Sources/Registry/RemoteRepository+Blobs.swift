import Blocking
package import ContentStore
import HTTP
package import OCI

extension RemoteRepository {
    package func blob(_ descriptor: Descriptor, limit: Int) async throws(RegistryError) -> [UInt8] {
        let place = place(.digest(descriptor.digest))
        guard descriptor.size >= 0, descriptor.size <= Int64(limit) else {
            throw RegistryError(
                .tooLarge, "the blob is larger than allowed", place: place,
                cause: "\(descriptor.size) bytes where at most \(limit) are expected")
        }
        var call = call("GET", "blobs/\(descriptor.digest)", scopes: pull, place: place)
        call.limit = Int(descriptor.size)
        let request = call
        return try await host.retry.run { () async throws(RegistryError) in
            let response = try await host.send(request)
            guard response.head.isSuccess else { throw host.failure(response, "the blob cannot be read", place) }
            var hasher = DigestHasher(descriptor.digest.algorithm)
            hasher.update(response.body)
            let found = hasher.finalize()
            guard found == descriptor.digest else {
                throw RegistryError(
                    .digestMismatch, "the blob has the wrong content", place: place,
                    cause: "\(response.body.count) bytes arrived, which are \(found)")
            }
            return response.body
        }
    }

    package func fetchBlob(
        _ descriptor: Descriptor, into store: ContentStore, progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) {
        let place = place(.digest(descriptor.digest))
        let isThere = await runBlocking { store.size(of: descriptor.digest) == descriptor.size }
        if isThere { return }
        let download = try await runBlocking { () throws(RegistryError) in
            try BlobDownload(descriptor, into: store, place: place, progress: progress)
        }
        // What arrived before the connection broke is kept: the next attempt asks for the rest.
        try await host.retry.run { () async throws(RegistryError) in
            var call = call("GET", "blobs/\(descriptor.digest)", scopes: pull, place: place)
            let offset = download.count
            if offset > 0 && offset < descriptor.size { call.headers["Range"] = "bytes=\(offset)-" }
            do throws(RegistryError) {
                let response = try await host.send(call, into: download)
                guard response.head.isSuccess else { throw host.failure(response, "the blob cannot be read", place) }
            } catch {
                throw download.failure ?? error
            }
            try download.checkIsWhole()
        }
        try await runBlocking { () throws(RegistryError) in try download.commit() }
    }

    package func hasBlob(_ digest: Digest) async throws(RegistryError) -> Bool {
        try await hasBlob(digest, scopes: pull)
    }

    private func hasBlob(_ digest: Digest, scopes: [String]) async throws(RegistryError) -> Bool {
        let place = place(.digest(digest))
        let call = call("HEAD", "blobs/\(digest)", scopes: scopes, place: place)
        return try await host.retry.run { () async throws(RegistryError) in
            let response = try await host.send(call)
            if response.status == 404 { return false }
            guard response.head.isSuccess else { throw host.failure(response, "the blob cannot be looked up", place) }
            return true
        }
    }

    package func pushBlob(
        _ descriptor: Descriptor, from store: ContentStore, mountFrom sources: [RepositoryLocation],
        progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> PushOutcome {
        // Every attempt begins anew, with the question whether the one before arrived after all.
        try await host.retry.run { () async throws(RegistryError) in
            if try await hasBlob(descriptor.digest, scopes: push) { return .existed }
            var session: HTTPURL?
            for source in mountable(sources) {
                switch try await mount(descriptor.digest, from: source) {
                case .mounted:
                    if let session { await abandon(session) }
                    return .mounted
                // An upload that was opened instead of the mount is used, if nothing better comes.
                case .session(let url?):
                    if session == nil { session = url } else { await abandon(url) }
                case .session(nil): break
                }
            }
            try await upload(descriptor, from: store, to: session, progress: progress)
            return .uploaded
        }
    }

    /// Repositories of this registry among the sources, by their names here.
    private func mountable(_ sources: [RepositoryLocation]) -> [String] {
        var result: [String] = []
        for location in sources.flatMap({ configuration.mapped($0) + [$0] }) {
            guard case .registry(let other, let name) = location,
                RegistryConfiguration.canonical(other) == host.name, name != path, !result.contains(name)
            else { continue }
            result.append(name)
        }
        return result
    }

    private enum MountAnswer {
        case mounted
        case session(HTTPURL?)
    }

    private func mount(_ digest: Digest, from source: String) async throws(RegistryError) -> MountAnswer {
        let place = place(.digest(digest))
        let call = call(
            "POST", "blobs/uploads/?mount=\(digest)&from=\(source)", scopes: push + ["repository:\(source):pull"],
            place: place)
        let response = try await host.send(call)
        switch response.status {
        case 201: return .mounted
        case 202: return .session(try session(response, place))
        // Mounting is an economy: without the right to the source, the blob is uploaded.
        case 400...499 where response.status != 429: return .session(nil)
        default: throw host.failure(response, "the blob cannot be mounted from \(source)", place)
        }
    }

    /// Tells the registry that an upload will not be continued. It forgets it by itself as well, only later.
    private func abandon(_ session: HTTPURL) async {
        var call = call("DELETE", "", scopes: push, place: "\(location)")
        call.url = session
        _ = try? await host.send(call)
    }

    private func upload(
        _ descriptor: Descriptor, from store: ContentStore, to session: HTTPURL?,
        progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) {
        let place = place(.digest(descriptor.digest))
        let size = await runBlocking { store.size(of: descriptor.digest) }
        guard size == descriptor.size else {
            throw RegistryError(
                .contentMissing, "the blob cannot be uploaded", place: place,
                cause: size.map { "the store has \($0) bytes of it instead of \(descriptor.size)" }
                    ?? "neither the repository nor the local store has it")
        }
        var target = session
        if target == nil {
            let response = try await host.send(call("POST", "blobs/uploads/", scopes: push, place: place))
            guard response.status == 202 else {
                throw host.failure(response, "the registry takes no upload", place)
            }
            target = try self.session(response, place)
        }
        guard let target else {
            throw RegistryError(.invalidContent, "the registry names no place for the upload", place: place)
        }
        var call = call("PUT", "", scopes: push, place: place)
        do {
            call.url = try HTTPURL("\(target.text)\(target.text.contains("?") ? "&" : "?")digest=\(descriptor.digest)")
        } catch {
            throw RegistryError(error, host: host.name, place: place)
        }
        call.headers = ["Content-Type": "application/octet-stream"]
        call.body = .file(path: store.path(of: descriptor.digest), size: descriptor.size)
        call.sent = progress
        // Registries hash the whole before they answer.
        call.stallTimeout = 300
        let response = try await host.send(call)
        guard response.status == 201 else {
            let failure = host.failure(response, "the blob was not accepted", place)
            // A session may be lost with the server that had it; a new one helps.
            if response.status == 404 {
                throw RegistryError(
                    .unavailable, failure.summary, place: place, cause: failure.cause, status: 404, isTransient: true)
            }
            throw failure
        }
    }

    private func session(_ response: HTTPResponse, _ place: String) throws(RegistryError) -> HTTPURL? {
        guard let location = response.headers["Location"] else { return nil }
        return try host.target(of: location, from: response.head.url, place: place)
    }
}
