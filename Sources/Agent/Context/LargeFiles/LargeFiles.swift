import Blocking
import Builder
import ContentStore
import Diagnostics
import OCI
import Synchronization

/// The content behind the Git LFS pointers of one revision: fetched when it is read, verified, and kept in the content store
/// under its digest.
final class LargeFiles: Sendable {
    private let finder: LargeFileServerFinder
    private let store: ContentStore
    /// Pointers of the revision, which are asked about together.
    private let announced = Mutex<Set<LargeFilePointer>>([])
    /// Who asks for the same meanwhile waits for it.
    private let downloads = SharedCalls<Digest, Void, BuildError>()

    /// How many objects one request asks about; what git-lfs does.
    private static let batch = 100

    init(finder: LargeFileServerFinder, store: ContentStore) {
        self.finder = finder
        self.store = store
    }

    /// Says that the revision has a pointer.
    func announce(_ pointer: LargeFilePointer) { announced.withLock { _ = $0.insert(pointer) } }

    /// Streams the content.
    ///
    /// - Parameter path: the file's, for messages.
    func read(
        _ pointer: LargeFilePointer, at path: String,
        _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        if await runBlocking({ self.store.size(of: pointer.digest) }) != pointer.size {
            do throws(BuildError) {
                try await downloads.value(of: pointer.digest) { () async throws(BuildError) in
                    try await self.fetch(pointer)
                }
            } catch {
                var told = error
                told.place = path
                if let place = error.place, place != path {
                    told.cause = error.cause.map { "\(place): \($0)" } ?? place
                }
                throw told
            }
        }
        try await stream(pointer, path, sink)
    }

    private func stream(
        _ pointer: LargeFilePointer, _ path: String,
        _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        let store = store
        try await runBlocking { () throws(BuildError) in
            var failure: BuildError?
            do throws(ContentStoreError) {
                try store.read(pointer.digest) { (bytes) throws(ContentStoreError) in
                    do throws(BuildError) { try sink(bytes) } catch {
                        failure = error
                        throw ContentStoreError(.io, "stopped")
                    }
                }
            } catch {
                if let failure { throw failure }
                // What is damaged is fetched again by the next attempt.
                if error.code == .digestMismatch { try? store.remove(pointer.digest) }
                var told = BuildError(.storage, "cannot read what Git LFS keeps of the file", place: path, from: error)
                told.isTransient = true
                throw told
            }
        }
    }

    private func fetch(_ pointer: LargeFilePointer) async throws(BuildError) {
        // Another context of the process may have brought it meanwhile.
        let store = store
        if await runBlocking({ store.size(of: pointer.digest) }) == pointer.size { return }
        let server = try await finder.server()
        if let known = server.known(pointer) {
            do throws(BuildError) { return try await get(pointer, known, server) } catch {
                // An address that was told a while ago may have ended; a new one is asked for.
                guard error.code != .cancelled, error.code != .storage else { throw error }
            }
        }
        let others = announced.withLock { $0 }
        let missing = await runBlocking {
            Array(
                others.lazy.filter { $0 != pointer && store.storedSize(of: $0.digest) != $0.size }.prefix(
                    Self.batch - 1))
        }
        try await get(pointer, try await server.ask(for: pointer, beside: missing), server)
    }

    private func get(
        _ pointer: LargeFilePointer, _ download: LargeFileServer.Download, _ server: LargeFileServer
    ) async throws(BuildError) {
        let receiver = try LargeFileReceiver(pointer, into: store)
        try await server.get(download, into: receiver)
        try await runBlocking { () throws(BuildError) in try receiver.commit() }
    }
}
