import Archive
import Blocking
import ContentStore
import Glibc
import Synchronization

/// A blob that is read while it arrives, by any number of readers.
///
/// Whoever fetches it says how that ended; until then nothing that was read counts, and the readers do not come to the end.
final class BlobArrival: IngestWatcher {
    private final class OpenFile: Sendable {
        let descriptor: Int32
        init(_ descriptor: Int32) { self.descriptor = descriptor }
        deinit { close(descriptor) }
    }

    private enum Outcome {
        case whole
        /// It failed, or came in another way than by growing: the blob has to be read from its place.
        case unreadable
    }

    private struct State {
        var file: OpenFile?
        var count: Int64 = 0
        var outcome: Outcome?
        var waiting: [Blocking.Semaphore] = []
    }

    private let state = Mutex(State())

    /// Changes what is known, and wakes those who wait for a change.
    private func update(_ change: (inout sending State) -> Void) {
        let waiting = state.withLock { state -> [Blocking.Semaphore] in
            change(&state)
            defer { state.waiting = [] }
            return state.waiting
        }
        for reader in waiting { reader.signal() }
    }

    func began(_ file: Int32) {
        let opened = OpenFile(file)
        update { state in
            // A second file: an attempt failed, and readers know parts of it.
            if state.file != nil { state.outcome = state.outcome ?? .unreadable } else { state.file = opened }
        }
    }

    func wrote(_ count: Int64) { update { $0.count = count } }

    func restarted() { update { $0.outcome = $0.outcome ?? .unreadable } }

    /// It is in its place, verified; or it never will be.
    func ended(isWhole: Bool) {
        update { state in
            state.outcome = state.outcome ?? (isWhole && state.file != nil ? .whole : .unreadable)
        }
    }

    /// Nobody wants it any more.
    func giveUp() { update { $0.outcome = $0.outcome ?? .unreadable } }

    /// Waits until all of it is in its place, and verified.
    func waitUntilWhole() throws(ArchiveError) {
        _ = try available(behind: .max, Blocking.Semaphore()) { false }
    }

    /// Waits for bytes behind a place, and reads them.
    ///
    /// - Parameters:
    ///   - news: the reader's own.
    ///   - isStopped: asked whenever `news` comes: whether this reader wants no more.
    /// - Returns: how many were put into the buffer; 0 at the verified end.
    func read(
        at position: Int64, into buffer: UnsafeMutableRawBufferPointer, _ news: Blocking.Semaphore,
        isStopped: () -> Bool = { false }
    ) throws(ArchiveError) -> Int {
        let (descriptor, available) = try available(behind: position, news, isStopped)
        guard available > 0, buffer.count > 0 else { return 0 }
        while true {
            let count = pread(
                descriptor, buffer.baseAddress, min(buffer.count, Int(available)), off_t(position))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.unreadable }
            return count
        }
    }

    /// - Returns: how many bytes are behind a place; 0 at the verified end.
    private func available(
        behind position: Int64, _ news: Blocking.Semaphore, _ isStopped: () -> Bool
    ) throws(ArchiveError) -> (descriptor: Int32, count: Int64) {
        while true {
            let found = state.withLock { state -> (descriptor: Int32, count: Int64, isOver: Bool, isReadable: Bool) in
                let isReadable = state.outcome != .unreadable
                if state.outcome == nil, state.count <= position { state.waiting.append(news) }
                return (state.file?.descriptor ?? -1, state.count - position, state.outcome != nil, isReadable)
            }
            guard found.isReadable, !isStopped() else { throw Self.unreadable }
            if found.count > 0 || found.isOver { return (found.descriptor, max(0, found.count)) }
            news.wait()
        }
    }

    private static var unreadable: ArchiveError {
        ArchiveError(.stream, "the blob cannot be read while it arrives")
    }
}

/// Reads a blob from the beginning while it arrives.
struct ArrivingSource: ~Copyable, ByteSource {
    private let arrival: BlobArrival
    private let news = Blocking.Semaphore()
    private var position: Int64 = 0

    init(_ arrival: BlobArrival) { self.arrival = arrival }

    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        let count = try arrival.read(at: position, into: buffer, news)
        position += Int64(count)
        return count
    }
}
