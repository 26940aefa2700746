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
        do throws(RegistryError) {
            try await download(descriptor, into: store, place, progress)
        } catch {
            // Wrong bytes may have come by a bad connection: once more, from the beginning.
            guard error.code == .digestMismatch else { throw error }
            try await download(descriptor, into: store, place, progress)
        }
    }

    private func download(
        _ descriptor: Descriptor, into store: ContentStore, _ place: String, _ progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) {
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
        try await isThere(digest, scopes: pull)
    }

    func isThere(_ digest: Digest, scopes: [String]) async throws(RegistryError) -> Bool {
        let place = place(.digest(digest))
        let call = call("HEAD", "blobs/\(digest)", scopes: scopes, place: place)
        return try await host.retry.run { () async throws(RegistryError) in
            let response = try await host.send(call)
            if response.status == 404 { return false }
            guard response.head.isSuccess else { throw host.failure(response, "the blob cannot be looked up", place) }
            return true
        }
    }
}
