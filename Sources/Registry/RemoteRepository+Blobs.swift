import Blocking
package import ContentStore
import HTTP
package import OCI
import Synchronization

extension RemoteRepository {
    package func blob(_ descriptor: Descriptor, limit: Int) async throws(RegistryError) -> [UInt8] {
        let place = place(.digest(descriptor.digest))
        guard descriptor.size >= 0, descriptor.size <= Int64(limit) else {
            throw RegistryError(
                .tooLarge, "the blob is larger than allowed", place: place,
                cause: "\(descriptor.size) bytes where at most \(limit) are expected")
        }
        var call = call("GET", "blobs/\(descriptor.digest)", scopes: pull, place: place)
        // A coding makes a small blob longer.
        call.limit = Int(descriptor.size) + 1_024
        let request = call
        return try await host.retry.run { () async throws(RegistryError) in
            var response = try await host.send(request)
            guard response.head.isSuccess else { throw host.failure(response, "the blob cannot be read", place) }
            var found = Self.digest(of: response, descriptor)
            if found != descriptor.digest, response.head.isEncoded {
                var decoding = request
                decoding.decodesAnswer = true
                response = try await host.send(decoding)
                guard response.head.isSuccess else { throw host.failure(response, "the blob cannot be read", place) }
                found = Self.digest(of: response, descriptor)
            }
            guard found == descriptor.digest, Int64(response.body.count) == descriptor.size else {
                throw RegistryError(
                    .digestMismatch, "the blob has the wrong content", place: place,
                    cause:
                        "\(response.body.count) bytes arrived, which are \(found); \(descriptor.size) bytes were said")
            }
            return response.body
        }
    }

    private static func digest(of response: HTTPResponse, _ descriptor: Descriptor) -> Digest {
        var hasher = DigestHasher(descriptor.digest.algorithm)
        hasher.update(response.body)
        return hasher.finalize()
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
            call.decodesAnswer = download.wantsDecoding
            let offset = call.decodesAnswer ? 0 : download.count
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
            if response.head.refusesMethod { return try await beginsToSend(digest, scopes: scopes, place) }
            guard response.head.isSuccess else { throw host.failure(response, "the blob cannot be looked up", place) }
            return true
        }
    }

    /// The same where the registry does not take `HEAD`: whether it would send the blob, of which no more is taken than how the
    /// answer begins.
    private func beginsToSend(
        _ digest: Digest, scopes: [String], _ place: String
    ) async throws(RegistryError) -> Bool {
        var call = call("GET", "blobs/\(digest)", scopes: scopes, place: place)
        call.headers["Range"] = "bytes=0-0"
        let beginning = AnswerBeginning()
        do throws(RegistryError) {
            let response = try await host.send(call, into: beginning)
            if response.status == 404 { return false }
            guard response.head.isSuccess else { throw host.failure(response, "the blob cannot be looked up", place) }
        } catch {
            guard beginning.isThere else { throw error }
        }
        return true
    }
}

/// Takes nothing of a body but that it comes.
private final class AnswerBeginning: BodyReceiver {
    private let state = Mutex(false)

    var isThere: Bool { state.withLock { $0 } }

    func begin(_ head: HTTPHead) -> Bool {
        guard head.isSuccess else { return true }
        state.withLock { $0 = true }
        return false
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool { true }
}
