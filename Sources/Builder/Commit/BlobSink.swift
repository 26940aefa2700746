import Archive
import Blocking
import ContentStore
import OCI
import Synchronization

/// The end of the stream: a blob on its way into the store. A large one is written and hashed on a thread of its own, beside
/// the making of the rest.
final class BlobSink: ByteSink {
    private let store: ContentStore
    private var pending: [UInt8] = []
    private var writing: Writing?

    /// What is less is written at the end, without another thread.
    private static let pieceSize = 256 << 10

    init(_ store: ContentStore) { self.store = store }

    deinit { writing?.abandon() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        if pending.count + bytes.count > Self.pieceSize { try handOver() }
        pending.append(contentsOf: bytes)
    }

    func finish() throws(ArchiveError) {}

    /// - Throws: also what happened to an earlier piece.
    func commit() throws(ContentStoreError) -> (digest: Digest, size: Int64) {
        var rest: [UInt8] = []
        swap(&rest, &pending)
        if let writing = writing.take() { return try writing.commit(last: rest) }
        var ingest = try store.ingest()
        try ingest.write(rest)
        return try ingest.commit(expected: nil)
    }

    private func handOver() throws(ArchiveError) {
        guard !pending.isEmpty else { return }
        let writing = writing ?? Writing(to: store)
        self.writing = writing
        var full: [UInt8] = []
        swap(&full, &pending)
        guard writing.put(full) else {
            let error = writing.failure
            throw ArchiveError(
                .stream, error?.summary ?? "the blob was not written", place: error?.place, cause: error?.cause,
                hint: error?.hint)
        }
    }
}

/// A blob that another thread writes.
private final class Writing: Sendable {
    private struct State: Sendable {
        var isWhole = false
        var blob: (digest: Digest, size: Int64)?
        var failure: ContentStoreError?
    }

    private let queue = BoundedQueue<[UInt8]>(limit: 4)
    private let state = Mutex(State())
    private let done = Semaphore()

    init(to store: ContentStore) { startBlocking { self.run(store) } }

    private func run(_ store: ContentStore) {
        do throws(ContentStoreError) {
            var ingest = try store.ingest()
            while let piece = queue.take() { try ingest.write(piece) }
            if state.withLock({ $0.isWhole }) {
                let blob = try ingest.commit(expected: nil)
                state.withLock { $0.blob = blob }
            }
        } catch {
            state.withLock { $0.failure = error }
        }
        queue.close()
        done.signal()
    }

    /// - Returns: whether it is still written; where not, `failure` says why.
    func put(_ piece: [UInt8]) -> Bool { queue.put(piece) }

    var failure: ContentStoreError? { state.withLock(\.failure) }

    /// Waits until the blob has its name.
    func commit(last piece: [UInt8]) throws(ContentStoreError) -> (digest: Digest, size: Int64) {
        if !piece.isEmpty { _ = queue.put(piece) }
        state.withLock { $0.isWhole = true }
        end()
        let (blob, failure) = state.withLock { ($0.blob, $0.failure) }
        guard let blob else { throw failure ?? ContentStoreError(.io, "the blob was not written") }
        return blob
    }

    /// What was written so far leaves nothing.
    func abandon() {
        queue.close()
        end()
    }

    private func end() {
        queue.end()
        done.wait()
    }
}
