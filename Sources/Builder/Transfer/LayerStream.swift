import Blocking
import ContentStore
import OCI
import Registry
import Synchronization

/// A layer that is sent to its repositories while it is made, once there is enough of it.
final class LayerStream: IngestWatcher {
    private let repositories: [any ImageRepository]
    private let arrival = BlobArrival()
    /// Those that nobody took yet; `nil` until there is enough to begin any.
    private let uploads = Mutex<[RepositoryLocation: StreamedUpload]?>(nil)

    /// What is less is made so soon that the repository is better asked first whether it has it.
    private static let least: Int64 = 4 << 20

    init(to repositories: [any ImageRepository]) { self.repositories = repositories }

    func began(_ file: Int32) { arrival.began(file) }

    func wrote(_ count: Int64) {
        arrival.wrote(count)
        guard count >= Self.least else { return }
        uploads.withLock { uploads in
            guard uploads == nil else { return }
            var begun: [RepositoryLocation: StreamedUpload] = [:]
            for repository in repositories {
                begun[repository.location] = repository.stream(ArrivingBody(arrival))
            }
            uploads = begun
        }
    }

    func restarted() { arrival.restarted() }

    /// It is in the store; or it never will be. What is said first holds.
    func ended(isWhole: Bool) {
        arrival.ended(isWhole: isWhole)
        guard !isWhole, let left = uploads.withLock(\.self) else { return }
        for upload in left.values { Task { await upload.abandon() } }
    }

    /// The way to a repository, if it was begun; whoever takes it ends it.
    func take(_ location: RepositoryLocation) -> StreamedUpload? {
        uploads.withLock { $0?.removeValue(forKey: location) }
    }
}

/// One reader of a blob that grows.
private final class ArrivingBody: GrowingBlob {
    private let arrival: BlobArrival
    private let news = Blocking.Semaphore()
    private let isStopped = Atomic(false)

    init(_ arrival: BlobArrival) { self.arrival = arrival }

    func read(at position: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        try? arrival.read(at: position, into: buffer, news) { isStopped.load(ordering: .acquiring) }
    }

    func cancel() {
        isStopped.store(true, ordering: .releasing)
        news.signal()
    }
}
