import Builder
import ContentStore
import HTTP
import OCI
import Synchronization

/// What Git LFS keeps of one file, on its way from a server into the content store.
final class LargeFileReceiver: BodyReceiver {
    private struct State: ~Copyable {
        var ingest: Ingest?
        var failure: BuildError?
    }

    private let pointer: LargeFilePointer
    private let state: Mutex<State>

    init(_ pointer: LargeFilePointer, into store: ContentStore) throws(BuildError) {
        self.pointer = pointer
        do throws(ContentStoreError) { state = Mutex(State(ingest: try store.ingest())) } catch {
            throw BuildError(.storage, "cannot keep what Git LFS has of the file", from: error)
        }
    }

    /// Why the transfer was stopped from here.
    var failure: BuildError? { state.withLock { $0.failure } }

    func begin(_ head: HTTPHead) -> Bool { true }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // The pointer may not pass into the lock.
        let part = [UInt8](bytes)
        return state.withLock { state in
            guard Int64(part.count) <= pointer.size - (state.ingest?.count ?? 0) else {
                state.failure = Self.mismatch("more than the \(pointer.size) bytes of the pointer arrive")
                return false
            }
            do throws(ContentStoreError) {
                try state.ingest?.write(part)
                return true
            } catch {
                state.failure = BuildError(.storage, "cannot keep what Git LFS has of the file", from: error)
                return false
            }
        }
    }

    /// Gives the content its name, when it is what the pointer says.
    func commit() throws(BuildError) {
        guard let ingest = state.withLock({ $0.ingest.take() }) else { preconditionFailure("content is kept once") }
        do throws(ContentStoreError) {
            _ = try ingest.commit(
                expected: Descriptor(
                    mediaType: MediaType("application/octet-stream"), digest: pointer.digest, size: pointer.size))
        } catch {
            guard error.code == .digestMismatch || error.code == .sizeMismatch else {
                throw BuildError(.storage, "cannot keep what Git LFS has of the file", from: error)
            }
            throw Self.mismatch(error.cause)
        }
    }

    /// Another machine's mistake, which it may mend.
    private static func mismatch(_ cause: String?) -> BuildError {
        BuildError(
            .missingSource, "the Git LFS server sends other content than the pointer names", cause: cause,
            hint:
                "run 'git lfs fsck' in a clone; when the server's copy is damaged, push the file again by 'git lfs push --all'",
            isTransient: true)
    }
}
