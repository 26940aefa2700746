import ContentStore
import HTTP
import OCI
import Synchronization

/// A blob on its way from a registry into a store, over as many connections as it takes.
final class BlobDownload: BodyReceiver {
    private struct State: ~Copyable {
        var ingest: Ingest?
        var count: Int64 = 0
        var failure: RegistryError?
        /// Whether the answer comes in a coding, which may be the blob itself or what a server on the way made of it.
        var isEncoded = false
        var wantsDecoding = false
    }

    private let descriptor: Descriptor
    private let place: String
    private let progress: (@Sendable (Int64) -> Void)?
    private let state: Mutex<State>

    init(
        _ descriptor: Descriptor, into store: ContentStore, place: String, progress: (@Sendable (Int64) -> Void)?
    ) throws(RegistryError) {
        self.descriptor = descriptor
        self.place = place
        self.progress = progress
        do throws(ContentStoreError) {
            state = Mutex(State(ingest: try store.ingest(descriptor.digest.algorithm)))
        } catch {
            throw RegistryError(error, place: place)
        }
    }

    /// Bytes that arrived.
    var count: Int64 { state.withLock { $0.count } }

    /// Whether what came does not fit, and was in a coding: then it is asked for again, to be decoded.
    var wantsDecoding: Bool { state.withLock { $0.wantsDecoding } }

    /// Why a transfer was stopped from here.
    var failure: RegistryError? { state.withLock { $0.failure } }

    func begin(_ head: HTTPHead) -> Bool {
        state.withLock { state in
            state.isEncoded = head.isEncoded
            state.failure = nil
            let continues =
                head.status == 206 && head.headers["Content-Range"]?.hasPrefix("bytes \(state.count)-") == true
            guard !continues, state.count > 0 || head.status == 206 else { return true }
            guard head.status != 206 else {
                state.failure = RegistryError(
                    .invalidContent, "the registry sent another part of the blob than it was asked for", place: place)
                return false
            }
            // The whole again, from a registry that knows no ranges.
            do throws(ContentStoreError) {
                try state.ingest?.restart()
                state.count = 0
                return true
            } catch {
                state.failure = RegistryError(error, place: place)
                return false
            }
        }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // The pointer may not pass into the lock; beside the hash, the copy costs little.
        let part = [UInt8](bytes)
        let count = state.withLock { state -> Int64? in
            guard Int64(part.count) <= descriptor.size - state.count else {
                state.wantsDecoding = state.isEncoded
                state.failure = RegistryError(
                    .digestMismatch, "the blob is longer than promised", place: place,
                    cause: "more than \(descriptor.size) bytes arrive")
                return nil
            }
            do throws(ContentStoreError) {
                try state.ingest?.write(part)
                state.count += Int64(part.count)
                return state.count
            } catch {
                state.failure = RegistryError(error, place: place)
                return nil
            }
        }
        guard let count else { return false }
        progress?(count)
        return true
    }

    /// An answer may end early without an error of the connection; what is missing is fetched by another attempt.
    func checkIsWhole() throws(RegistryError) {
        let count = count
        guard count < descriptor.size else { return }
        let isOtherContent = state.withLock { state in
            state.wantsDecoding = state.isEncoded && !state.wantsDecoding
            return state.wantsDecoding
        }
        if isOtherContent {
            throw RegistryError(
                .digestMismatch, "the blob comes in a coding that nobody asked for", place: place,
                cause: "\(count) of \(descriptor.size) bytes")
        }
        throw RegistryError(
            .unavailable, "the blob arrived incomplete", place: place,
            cause: "\(count) of \(descriptor.size) bytes", isTransient: true)
    }

    func commit() throws(RegistryError) {
        let ingest = state.withLock { state in state.ingest.take() }
        guard let ingest else { return }
        do throws(ContentStoreError) {
            _ = try ingest.commit(expected: descriptor)
        } catch {
            throw RegistryError(error, place: place)
        }
    }
}
