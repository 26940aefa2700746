import HTTP
import OCI
import Synchronization

/// The bytes of one blob on their way into an upload session.
///
/// At first all at once (`PUT`); where that is answered by 404, as a `PATCH` and a `PUT`. When the connection breaks, the registry is asked what it has and gets the rest in chunks
/// (`PATCH`); likewise when a server before it refuses bodies of that size, or when chunks are configured. Where the session is
/// lost, the caller begins a new one.
struct BlobUpload: Sendable {
    let repository: RemoteRepository
    let descriptor: Descriptor
    let file: String
    let place: String
    let progress: (@Sendable (Int64) -> Void)?

    /// When a body was too large for a server in between, and nothing else is configured.
    private static let smallChunk: Int64 = 32 << 20
    /// Continuations without a further byte, one after the other.
    private static let mostIdle = 3

    private var host: RegistryHost { repository.host }

    func run(_ session: UploadSession) async throws(RegistryError) {
        var session = session
        if let chunk = host.options.uploadChunk, descriptor.size > chunk {
            return try await chunks(&session, from: 0, chunk)
        }
        if host.refusesWholeBlobs.withLock({ $0 }) { return try await chunks(&session, from: 0, .max) }
        do throws(RegistryError) {
            try await repository.finish(
                session, descriptor.digest, place, body: .file(path: file, size: descriptor.size), progress)
        } catch {
            // A session that was lost, or a registry that takes a blob by PATCH only.
            if error.status == 404, descriptor.size > 0 {
                var other = try await repository.open(place)
                try await chunks(&other, from: 0, .max)
                host.refusesWholeBlobs.withLock { $0 = true }
                return
            }
            if error.status == 413, descriptor.size > Self.smallChunk {
                return try await chunks(&session, from: 0, Self.smallChunk)
            }
            // Without an answer the registry may have a part, and may still wait for the rest.
            guard error.isTransient, error.status == nil,
                let offset = try await state(&session), offset < descriptor.size
            else { throw error }
            try await chunks(&session, from: offset, host.options.uploadChunk ?? .max)
        }
    }

    // MARK: Chunks

    private func chunks(
        _ session: inout UploadSession, from start: Int64, _ wanted: Int64
    ) async throws(RegistryError) {
        var offset = start
        var idle = 0
        while offset < descriptor.size {
            let length = min(max(wanted, session.leastChunk), descriptor.size - offset)
            do throws(RegistryError) {
                let next = try await chunk(&session, offset..<(offset + length))
                idle = next > offset ? 0 : idle + 1
                offset = next
            } catch {
                idle += 1
                guard error.isTransient || error.status == 416, idle < Self.mostIdle,
                    let delay = host.retry.delay(after: idle, error)
                else { throw error }
                try await host.pause(delay, place)
                // Refused before it was read: the same chunk again.
                if error.status == 429 || error.status == 503 { continue }
                guard let known = try await state(&session) else { throw error }
                if known > offset { idle = 0 }
                offset = known
            }
            guard idle < Self.mostIdle else {
                throw RegistryError(
                    .unavailable, "the blob was not accepted", place: place,
                    cause: "the registry takes no more than \(offset) of its \(descriptor.size) bytes",
                    isTransient: true)
            }
        }
        guard offset == descriptor.size else {
            throw RegistryError(
                .unavailable, "the blob was not accepted", place: place,
                cause: "the registry has more bytes than were sent", isTransient: true)
        }
        try await repository.finish(session, descriptor.digest, place)
    }

    /// Sends a part; returns how many bytes the registry has then.
    private func chunk(_ session: inout UploadSession, _ range: Range<Int64>) async throws(RegistryError) -> Int64 {
        var call = repository.call("PATCH", session, place: place)
        call.headers = [
            "Content-Type": "application/octet-stream",
            "Content-Range": "\(range.lowerBound)-\(range.upperBound - 1)",
        ]
        call.body = .fileRange(path: file, range: range)
        if let progress {
            let start = range.lowerBound
            call.sent = { progress(start + $0) }
        }
        let response = try await host.send(call)
        guard response.head.isSuccess else { throw host.uploadFailure(response, place) }
        try follow(response, &session)
        return UploadSession.received(response) ?? range.upperBound
    }

    /// What the registry has of an upload, and where it goes on; `nil` when it knows nothing of it.
    private func state(_ session: inout UploadSession) async throws(RegistryError) -> Int64? {
        let request = repository.call("GET", session, place: place)
        let response = try await host.retry.run { () async throws(RegistryError) in
            let response = try await host.send(request)
            if response.status >= 500 || response.status == 429 { throw host.uploadFailure(response, place) }
            return response
        }
        guard response.head.isSuccess, let received = UploadSession.received(response) else { return nil }
        try follow(response, &session)
        return received
    }

    private func follow(_ response: HTTPResponse, _ session: inout UploadSession) throws(RegistryError) {
        guard var next = try UploadSession(response, host, place) else { return }
        if next.leastChunk == 0 { next.leastChunk = session.leastChunk }
        session = next
    }
}

extension RemoteRepository {
    /// A call to where an upload goes on.
    func call(_ method: String, _ session: UploadSession, place: String) -> RegistryHost.Call {
        var call = call(method, "", scopes: push, place: place)
        call.url = session.url
        return call
    }

    /// Says what was sent, or sends all of it with that.
    func finish(
        _ session: UploadSession, _ digest: Digest, _ place: String, body: HTTPRequest.Body = .none,
        _ progress: (@Sendable (Int64) -> Void)? = nil
    ) async throws(RegistryError) {
        var call = call("PUT", session, place: place)
        call.url = try host.answers.url(session.url, adding: "digest=\(digest)", place: place)
        call.headers = ["Content-Type": "application/octet-stream"]
        call.body = body
        call.sent = progress
        call.stallTimeout = configuration.uploadTimeout
        let response = try await host.send(call)
        guard response.head.isSuccess else { throw host.uploadFailure(response, place) }
        // Some registries say 200, 202 or 204 where 201 is meant. Whether it is, is asked.
        guard response.status != 201 else { return }
        guard try await isThere(digest, scopes: push) else {
            throw RegistryError(
                .unavailable, "the blob was not accepted", place: place,
                cause: "the registry answered \(response.status), and does not have the blob", status: response.status,
                isTransient: true)
        }
    }
}

extension RegistryHost {
    nonisolated func uploadFailure(_ response: HTTPResponse, _ place: String) -> RegistryError {
        let failure = failure(response, "the blob was not accepted", place)
        // A session may be lost with the server that had it; a new one helps.
        guard response.status == 404 else { return failure }
        return RegistryError(
            .unavailable, failure.summary, place: place, cause: failure.cause, status: 404, isTransient: true)
    }
}
