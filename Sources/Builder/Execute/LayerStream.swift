import Blocking
import ContentStore
import Glibc
import OCI
import Registry
import Synchronization

/// A layer that is sent to its repositories while it is made, once there is enough of it.
final class LayerStream: IngestWatcher {
    private struct State {
        var isBegun = false
        var isEnded = false
        var uploads: [RepositoryLocation: StreamedUpload] = [:]
    }

    private let repositories: [any ImageRepository]
    private let arrival = BlobArrival()
    private let state = Mutex(State())

    /// What is less is made so soon that the repository is better asked first whether it has it.
    private static let least: Int64 = 4 << 20

    init(to repositories: [any ImageRepository]) { self.repositories = repositories }

    func began(_ file: Int32) { arrival.began(file) }

    func wrote(_ count: Int64) {
        arrival.wrote(count)
        guard count >= Self.least else { return }
        state.withLock { state in
            guard !state.isBegun else { return }
            state.isBegun = true
            for repository in repositories {
                state.uploads[repository.location] = repository.stream(ArrivingBody(arrival))
            }
        }
    }

    func restarted() { arrival.restarted() }

    /// It is in the store; or it never will be. What is said first holds.
    func ended(isWhole: Bool) {
        arrival.ended(isWhole: isWhole)
        let wasEnded = state.withLock { state in
            defer { state.isEnded = true }
            return state.isEnded
        }
        if isWhole || wasEnded { return }
        for upload in state.withLock(\.uploads).values { Task { await upload.abandon() } }
    }

    /// The way to a repository, if it was begun; whoever takes it ends it.
    func take(_ location: RepositoryLocation) -> StreamedUpload? {
        state.withLock { $0.uploads.removeValue(forKey: location) }
    }
}

/// One reader of a blob that grows.
private final class ArrivingBody: GrowingBlob {
    private let arrival: BlobArrival
    private let news = Blocking.Semaphore()
    private let isStopped = Atomic(false)

    init(_ arrival: BlobArrival) { self.arrival = arrival }

    func read(at position: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let found = try? arrival.available(behind: position, news) { isStopped.load(ordering: .acquiring) }
        guard let (file, available) = found else { return nil }
        guard available > 0 else { return 0 }
        while true {
            let count = pread(file, buffer.baseAddress, min(buffer.count, Int(available)), off_t(position))
            if count < 0, errno == EINTR { continue }
            return count > 0 ? count : nil
        }
    }

    func cancel() {
        isStopped.store(true, ordering: .releasing)
        news.signal()
    }
}
