package import ContentStore
package import HTTP
package import OCI
import Synchronization

/// A blob that is made while it is sent.
package typealias GrowingBlob = BodySource

/// A blob on its way into a repository while it is made. What it is, is said at its end, and then the repository may turn out
/// to have it: until then only the way was used, which nothing else would have used meanwhile.
///
/// One body of unknown length (`PATCH`) and the digest behind it (`PUT`), which is how docker sends its layers. Where that does
/// not succeed, the blob goes the usual way.
package final class StreamedUpload: Sendable {
    private struct Sent {
        /// For whoever ends the upload; `nil` where none was opened.
        var session: UploadSession?
        /// What the repository has, if it has all; `nil` where it went wrong.
        var count: Int64?
    }

    private struct Progress {
        var count: Int64 = 0
        var told: (@Sendable (Int64) -> Void)?
    }

    private let repository: RemoteRepository
    private let task: Task<Sent, Never>
    private let progress: SharedProgress
    private let body: StoppableBlob
    private let isOver = Mutex(false)

    /// What the thread that sends tells, to whoever wants to know by then.
    private final class SharedProgress: Sendable {
        private let state = Mutex(Progress())

        func sent(_ count: Int64) {
            let told = state.withLock { state in
                state.count = count
                return state.told
            }
            told?(count)
        }

        var count: Int64 { state.withLock(\.count) }

        func follow(_ told: (@Sendable (Int64) -> Void)?) {
            let count = state.withLock { state in
                state.told = told
                return state.count
            }
            if count > 0 { told?(count) }
        }
    }

    /// Ends sooner when nobody wants it any more: an upload whose connection broke is not soon forgotten by every registry.
    private final class StoppableBlob: GrowingBlob {
        private let blob: any GrowingBlob
        private let isEnough = Atomic(false)

        init(_ blob: any GrowingBlob) { self.blob = blob }

        func stop() { isEnough.store(true, ordering: .relaxed) }

        func read(at position: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
            isEnough.load(ordering: .relaxed) ? 0 : blob.read(at: position, into: buffer)
        }

        func cancel() { blob.cancel() }
    }

    init(_ blob: any GrowingBlob, to repository: RemoteRepository) {
        let progress = SharedProgress()
        let blob = StoppableBlob(blob)
        body = blob
        self.repository = repository
        self.progress = progress
        task = Task {
            var sent = Sent()
            do throws(RegistryError) {
                try await Self.send(blob, to: repository, progress, &sent)
            } catch {
                repository.host.learnFromStream(error)
            }
            return sent
        }
    }

    deinit { task.cancel() }

    private static func send(
        _ blob: any GrowingBlob, to repository: RemoteRepository, _ progress: SharedProgress, _ sent: inout Sent
    ) async throws(RegistryError) {
        let host = repository.host
        let place = "\(repository.location)"
        let opened = try await repository.open(place)
        sent.session = opened
        var call = repository.call("PATCH", opened, place: place)
        call.headers = ["Content-Type": "application/octet-stream"]
        call.body = .stream(blob)
        call.sent = progress.sent
        let response = try await host.send(call)
        guard response.head.isSuccess else { throw host.failure(response, "the blob was not accepted", place) }
        let count = progress.count
        guard let session = try UploadSession(response, host, place),
            UploadSession.received(response) ?? count == count
        else { throw RegistryError(.invalidContent, "the registry lost a part of the blob", place: place) }
        sent = Sent(session: session, count: count)
    }

    /// Says what was sent. Brings the blob there in the usual way if it did not get there so.
    package func push(
        _ descriptor: Descriptor, from store: ContentStore, progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> UploadOutcome {
        do throws(RegistryError) {
            let outcome = try await repository.pushBlob(
                descriptor, from: store, mountFrom: [], streamed: self, progress: progress)
            await abandon()
            return outcome
        } catch {
            await abandon()
            throw error
        }
    }

    /// Whether the repository has the blob now.
    func finish(
        _ descriptor: Descriptor, _ place: String, _ told: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> Bool {
        guard !isOver.withLock({ $0 }) else { return false }
        progress.follow(told)
        defer { progress.follow(nil) }
        let sent = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        isOver.withLock { $0 = true }
        guard let session = sent.session else { return false }
        guard sent.count == descriptor.size else {
            await repository.abandon(session)
            return false
        }
        do throws(RegistryError) {
            try await repository.finish(session, descriptor.digest, place)
            return true
        } catch {
            if error.code == .cancelled { throw error }
            repository.host.learnFromStream(error)
            return false
        }
    }

    /// Gives up what was sent, unless that has become a blob. What was made so far must be all, or be given up by its maker.
    package func abandon() async {
        let wasOver = isOver.withLock { isOver in
            defer { isOver = true }
            return isOver
        }
        guard !wasOver else { return }
        body.stop()
        if let session = await task.value.session { await repository.abandon(session) }
    }
}

extension RegistryHost {
    /// What will not pass is not tried again.
    fileprivate nonisolated func learnFromStream(_ error: RegistryError) {
        if error.code != .cancelled, !error.isTransient { refusesStreams.withLock { $0 = true } }
    }
}

extension RemoteRepository {
    package func stream(_ blob: any GrowingBlob) -> StreamedUpload? {
        guard host.options.uploadChunk == nil, !host.refusesStreams.withLock({ $0 }) else { return nil }
        return StreamedUpload(blob, to: self)
    }
}
