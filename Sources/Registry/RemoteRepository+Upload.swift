import Blocking
package import ContentStore
import HTTP
package import OCI

extension RemoteRepository {
    package func pushBlob(
        _ descriptor: Descriptor, from store: ContentStore, mountFrom sources: [RepositoryLocation],
        progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> UploadOutcome {
        try await pushBlob(descriptor, from: store, mountFrom: sources, streamed: nil, progress: progress)
    }

    /// - Parameter streamed: the same blob, on its way here since it was made.
    func pushBlob(
        _ descriptor: Descriptor, from store: ContentStore, mountFrom sources: [RepositoryLocation],
        streamed: StreamedUpload?, progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> UploadOutcome {
        let repository = self
        return try await host.uploads.share("\(path)@\(descriptor.digest)") { () async throws(RegistryError) in
            // Every attempt begins anew, with the question whether the one before arrived after all.
            try await repository.host.retry.run { () async throws(RegistryError) in
                try await repository.push(
                    descriptor, from: store, mountFrom: sources, streamed: streamed, progress: progress)
            }
        }
    }

    private func push(
        _ descriptor: Descriptor, from store: ContentStore, mountFrom sources: [RepositoryLocation],
        streamed: StreamedUpload?, progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> UploadOutcome {
        let place = place(.digest(descriptor.digest))
        if try await isThere(descriptor.digest, scopes: push) { return .existed }
        if let streamed, try await streamed.finish(descriptor, place, progress) { return .uploaded }
        var session: UploadSession?
        for source in mountable(sources) {
            switch try await mount(descriptor.digest, from: source) {
            case .mounted:
                if let session { await abandon(session) }
                return .mounted
            // An upload that was opened instead of the mount is used, if nothing better comes.
            case .session(let opened?):
                if session == nil { session = opened } else { await abandon(opened) }
            case .session(nil): break
            }
        }
        let size = await runBlocking { store.size(of: descriptor.digest) }
        guard size == descriptor.size else {
            if let session { await abandon(session) }
            throw RegistryError(
                .contentMissing, "the blob cannot be uploaded", place: place,
                cause: size.map { "the store has \($0) bytes of it instead of \(descriptor.size)" }
                    ?? "neither the repository nor the local store has it")
        }
        let opened = if let session { session } else { try await open(place) }
        let upload = BlobUpload(
            repository: self, descriptor: descriptor, file: store.path(of: descriptor.digest), place: place,
            progress: progress)
        do throws(RegistryError) {
            try await upload.run(opened)
        } catch {
            guard error.code == .digestMismatch else { throw error }
            throw await blame(error, descriptor, store, place)
        }
        return .uploaded
    }

    /// The registry got other bytes than it should: from a damaged store, which lasts, or over a bad connection, which passes.
    private func blame(
        _ error: RegistryError, _ descriptor: Descriptor, _ store: ContentStore, _ place: String
    ) async -> RegistryError {
        do throws(ContentStoreError) {
            try await runBlocking { () throws(ContentStoreError) in
                try store.read(descriptor.digest) { (_) throws(ContentStoreError) in }
            }
            return RegistryError(
                .digestMismatch, "the blob was damaged on its way", place: place, cause: error.cause,
                status: error.status)
        } catch {
            return RegistryError(error, place: place)
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
        case session(UploadSession?)
    }

    private func mount(_ digest: Digest, from source: String) async throws(RegistryError) -> MountAnswer {
        let place = place(.digest(digest))
        let call = call(
            "POST", "blobs/uploads/?mount=\(digest)&from=\(source)", scopes: push + ["repository:\(source):pull"],
            place: place)
        let response: HTTPResponse
        do throws(RegistryError) {
            response = try await host.send(call)
        } catch {
            // A token service that gives no token for both repositories: the blob is uploaded.
            guard error.code == .unauthorized || error.code == .denied else { throw error }
            return .session(nil)
        }
        switch response.status {
        case 201: return .mounted
        case 202: return .session(try UploadSession(response, host, place))
        // Neither says whether the blob is there now.
        case 200, 203...299:
            if try await isThere(digest, scopes: push) { return .mounted }
            return .session(try UploadSession(response, host, place))
        // Mounting is an economy: without the right to the source, the blob is uploaded.
        case 400...499 where response.status != 429: return .session(nil)
        default: throw host.failure(response, "the blob cannot be mounted from \(source)", place)
        }
    }

    func open(_ place: String) async throws(RegistryError) -> UploadSession {
        let response = try await host.send(call("POST", "blobs/uploads/", scopes: push, place: place))
        // 202, says the specification; some say 200, 201 or 204.
        guard response.head.isSuccess else { throw host.failure(response, "the registry takes no upload", place) }
        guard let session = try UploadSession(response, host, place) else {
            throw RegistryError(.invalidContent, "the registry names no place for the upload", place: place)
        }
        return session
    }

    /// Begins an upload and gives it up: whether the registry would take one.
    package func checkPush() async throws(RegistryError) {
        let repository = self
        try await host.retry.run { () async throws(RegistryError) in
            await repository.abandon(try await repository.open("\(repository.location)"))
        }
    }

    /// Tells the registry that an upload will not be continued. It forgets it by itself as well, only later.
    func abandon(_ session: UploadSession) async {
        _ = try? await host.send(call("DELETE", session, place: "\(location)"))
    }
}
