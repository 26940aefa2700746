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
    private static let batches = 3

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
    private final class Queue: Sendable {
        struct State {
            var waiting: [Batch] = []
            /// Empty ones, whose memory serves again.
            var free: [Batch] = []
            var summary = ExtractionSummary()
            var failure: ArchiveError?
            var isAbandoned = false
        }

        let state = Mutex(State())
        /// Counts the places for further batches.
        let room = Semaphore()
        /// Counts the batches that wait, and the end.
        let news = Semaphore()
        let done = Semaphore()
    }

    private let writer: EntryWriter
    private let queue = Queue()
    private var batch = Batch()
    private var isRunning = false

    init(_ writer: EntryWriter) { self.writer = writer }

    /// An extraction that failed leaves its files as they are.
    deinit {
        guard isRunning else { return }
        queue.state.withLock { $0.isAbandoned = true }
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
            Self.write(batch, writer, queue)
            batch = Batch()
        }
        let state = queue.state.withLock { ($0.failure, $0.summary) }
        if let failure = state.0 { throw failure }
        return state.1
    }

    private func end() {
        queue.news.signal()
        queue.done.wait()
    }

    private func handOver() throws(ArchiveError) {
        if !isRunning {
            for _ in 0..<Self.batches { queue.room.signal() }
            startBlocking { [writer, queue] in Self.run(writer, queue) }
            isRunning = true
        }
        queue.room.wait()
        var full = Batch()
        swap(&full, &batch)
        var given: Batch? = consume full
        let (free, failure) = queue.state.withLock { state in
            if let batch = given.take() { state.waiting.append(batch) }
            return (state.free.popLast(), state.failure)
        }
        if let free { batch = free }
        queue.news.signal()
        if let failure { throw failure }
    }

    private static func run(_ writer: EntryWriter, _ queue: Queue) {
        while true {
            queue.news.wait()
            let (next, isUseless) = queue.state.withLock { state in
                (
                    state.waiting.isEmpty ? nil : state.waiting.removeFirst(),
                    state.isAbandoned || state.failure != nil
                )
            }
            guard var next else { return queue.done.signal() }
            if !isUseless { write(next, writer, queue) }
            // Closes the files.
            next.files.removeAll(keepingCapacity: true)
            next.content.removeAll(keepingCapacity: true)
            var given: Batch? = consume next
            queue.state.withLock { state in
                if let batch = given.take() { state.free.append(batch) }
            }
            queue.room.signal()
        }
    }

    private static func write(_ batch: Batch, _ writer: EntryWriter, _ queue: Queue) {
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
        queue.state.withLock { state in
            state.summary.skippedAttributes += summary.skippedAttributes
            if state.failure == nil { state.failure = failure }
        }
    }
}
