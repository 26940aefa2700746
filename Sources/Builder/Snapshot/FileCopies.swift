import Blocking
import Synchronization

/// Copies of files that are made on all processors while the walk that asks for them goes on: to make a file takes longer than
/// to find out which.
///
/// They are for places that nobody else looks at before `finish`. Files of one folder go to one thread, as far as that has
/// not too much to do: two threads in one folder wait for each other.
final class FileCopies {
    typealias Job = @Sendable () throws(BuildError) -> Void

    /// What all threads know.
    private final class Shared: Sendable {
        let queue = BoundedQueue<[Job]>(limit: 2 * ProcessorCount.value)
        let failure = Mutex<BuildError?>(nil)
        let done = Semaphore()
    }

    private let shared = Shared()
    private var batch: [Job] = []
    private var folder: HostPath?
    private var threads = 0

    private static let largestBatch = 256
    /// So few that another thread is not worth it.
    private static let fewest = 32

    /// Those that nobody waited for are not made any more.
    deinit {
        guard threads > 0 else { return }
        shared.failure.withLock { $0 = $0 ?? BuildError(.cancelled, "the copy was given up") }
        end()
    }

    /// - Throws: what happened to an earlier one.
    func add(in folder: HostPath, _ job: @escaping Job) throws(BuildError) {
        if batch.count >= (self.folder == folder ? Self.largestBatch : Self.fewest) { try handOver() }
        self.folder = folder
        batch.append(job)
    }

    /// Waits until all are made.
    func finish() throws(BuildError) {
        if threads > 0 {
            try handOver()
            end()
        } else {
            Self.run(batch, shared)
            batch = []
        }
        if let failure = shared.failure.withLock(\.self) { throw failure }
    }

    private func handOver() throws(BuildError) {
        if threads < ProcessorCount.value {
            threads += 1
            startBlocking { [shared] in
                while let batch = shared.queue.take() { Self.run(batch, shared) }
                shared.done.signal()
            }
        }
        var full: [Job] = []
        swap(&full, &batch)
        _ = shared.queue.put(full)
        if let failure = shared.failure.withLock(\.self) { throw failure }
    }

    private func end() {
        for _ in 0..<threads { shared.queue.end() }
        for _ in 0..<threads { shared.done.wait() }
        threads = 0
    }

    private static func run(_ batch: [Job], _ shared: Shared) {
        for job in batch {
            if shared.failure.withLock({ $0 != nil }) { return }
            do throws(BuildError) { try job() } catch { shared.failure.withLock { $0 = $0 ?? error } }
        }
    }
}
