import Blocking
import FileSystem
import Synchronization

/// Fills small files beside the making of the next ones: to write a file, and to set what is known of it, takes as long as to
/// make it, and needs no name. So names come about in the archive's order, on one thread, and contents and attributes
/// follow on another.
///
/// A few batches wait at most, and then whoever brings one; a batch that waits holds some memory and some open files.
final class FileFinisher {
    /// Files with more content are not worth a copy in memory.
    static let largest = 128 << 10
    private static let batchFiles = 32
    private static let batchBytes = 256 << 10
    private static let batches = 6

    private struct Unfinished: Sendable {
        let file: OpenFile
        let entry: TarEntry
    }

    private final class OpenFile: Sendable {
        let handle: FileHandle
        init(_ handle: consuming FileHandle) { self.handle = handle }
    }

    private struct Batch: Sendable {
        var files: [Unfinished] = []
        /// One file's behind the other's.
        var content: [UInt8] = []
    }

    /// What both threads know.
    private final class Shared: Sendable {
        struct State {
            /// Empty batches, whose memory serves again.
            var free: [Batch] = []
            var summary = ExtractionSummary()
            var failure: ArchiveError?
        }

        let queue = BoundedQueue<Batch>(limit: FileFinisher.batches)
        let state = Mutex(State())
        let done = Semaphore()
    }

    private let writer: EntryWriter
    private let shared = Shared()
    private var batch = Batch()
    private var isRunning = false

    init(_ writer: EntryWriter) { self.writer = writer }

    /// An extraction that failed leaves its files as they are.
    deinit {
        guard isRunning else { return }
        shared.queue.close()
        end()
    }

    /// - Parameters:
    ///   - file: empty, and open for writing.
    ///   - read: reads the content into the buffer, whose size is the entry's.
    /// - Throws: also what happened to an earlier file.
    func add(
        _ file: consuming FileHandle, _ entry: TarEntry,
        _ read: (UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Void
    ) throws(ArchiveError) {
        let start = batch.content.count
        batch.content.append(contentsOf: repeatElement(0, count: Int(entry.size)))
        let outcome: Result<Void, ArchiveError> = batch.content.withUnsafeMutableBytes { bytes in
            Result { () throws(ArchiveError) in try read(UnsafeMutableRawBufferPointer(rebasing: bytes[start...])) }
        }
        try outcome.get()
        batch.files.append(Unfinished(file: OpenFile(file), entry: entry))
        if batch.files.count >= Self.batchFiles || batch.content.count >= Self.batchBytes { try handOver() }
    }

    /// Waits until all files are what they are to be.
    ///
    /// - Returns: what could not be set is counted.
    func finish() throws(ArchiveError) -> ExtractionSummary {
        if isRunning {
            try handOver()
            isRunning = false
            end()
        } else {
            // So few that another thread is not worth it.
            Self.write(batch, writer, shared)
            batch = Batch()
        }
        let state = shared.state.withLock { ($0.failure, $0.summary) }
        if let failure = state.0 { throw failure }
        return state.1
    }

    private func end() {
        shared.queue.end()
        shared.done.wait()
    }

    private func handOver() throws(ArchiveError) {
        if !isRunning {
            startBlocking { [writer, shared] in Self.run(writer, shared) }
            isRunning = true
        }
        var full = Batch()
        swap(&full, &batch)
        // Where it is not taken, there was a failure.
        _ = shared.queue.put(consume full)
        let (free, failure) = shared.state.withLock { ($0.free.popLast(), $0.failure) }
        if let free { batch = free }
        if let failure { throw failure }
    }

    private static func run(_ writer: EntryWriter, _ shared: Shared) {
        while var batch = shared.queue.take() {
            guard write(batch, writer, shared) else {
                shared.queue.close()
                break
            }
            // Closes the files.
            batch.files.removeAll(keepingCapacity: true)
            batch.content.removeAll(keepingCapacity: true)
            var given: Batch? = consume batch
            shared.state.withLock { state in
                if let batch = given.take() { state.free.append(batch) }
            }
        }
        shared.done.signal()
    }

    /// - Returns: whether all went well.
    @discardableResult
    private static func write(_ batch: Batch, _ writer: EntryWriter, _ shared: Shared) -> Bool {
        var summary = ExtractionSummary()
        var failure: ArchiveError?
        batch.content.withUnsafeBytes { content in
            var start = 0
            for file in batch.files {
                let end = start + Int(file.entry.size)
                do throws(FileSystemError) {
                    try file.file.handle.write(all: UnsafeRawBufferPointer(rebasing: content[start..<end]))
                    try writer.apply(file.entry, to: file.file.handle, &summary)
                } catch {
                    failure = EntryWriter.failure(error, file.entry.name)
                    return
                }
                start = end
            }
        }
        return shared.state.withLock { state in
            state.summary.skippedAttributes += summary.skippedAttributes
            state.failure = failure
            return failure == nil
        }
    }
}
