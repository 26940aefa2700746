import Glibc
import Synchronization

/// Runs `body` on a thread that may block and returns what it returns.
///
/// The thread is taken from a pool that grows at once when all of its threads are busy: work that waits for other work must
/// never wait for a thread. (Dispatch's concurrent queues start about one further thread a second when theirs block.)
///
/// Cancellation of the calling task does not interrupt `body`: long bodies look at a flag of their own.
package func runBlocking<Success: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> Success
) async throws(Failure) -> Success {
    let result: Result<Success, Failure> = await withCheckedContinuation { continuation in
        BlockingThreads.shared.run {
            continuation.resume(returning: Result { () throws(Failure) -> Success in try body() })
        }
    }
    return try result.get()
}

/// Runs `body` on a thread that may block, and does not wait for it.
package func startBlocking(_ body: @escaping @Sendable () -> Void) {
    BlockingThreads.shared.run(body)
}

/// Threads for blocking work. Idle ones are kept for the next work, up to a small number.
final class BlockingThreads: Sendable {
    static let shared = BlockingThreads()

    /// A thread that waits for work: a place for the work, and a condition to wake it by.
    private final class Worker: Sendable {
        let work = Mutex<(@Sendable () -> Void)?>(nil)
        let wake = Semaphore()
    }

    private let idle = Mutex<[Worker]>([])
    private static let keptIdle = 16

    func run(_ work: @escaping @Sendable () -> Void) {
        if let worker = idle.withLock({ $0.popLast() }) {
            worker.work.withLock { $0 = work }
            worker.wake.signal()
            return
        }
        let worker = Worker()
        worker.work.withLock { $0 = work }
        worker.wake.signal()
        start(worker)
    }

    private func start(_ worker: Worker) {
        let context = Unmanaged.passRetained(Loop(worker: worker, pool: self))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Loop>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        // Without threads nothing can go on, and nobody above could do anything about it.
        precondition(status == 0, "cannot start a thread: errno \(status)")
        pthread_detach(thread)
    }

    private final class Loop {
        private let worker: Worker
        private let pool: BlockingThreads

        init(worker: Worker, pool: BlockingThreads) {
            self.worker = worker
            self.pool = pool
        }

        func run() {
            while true {
                worker.wake.wait()
                let work = worker.work.withLock { work in
                    defer { work = nil }
                    return work
                }
                work?()
                let stays = pool.idle.withLock { idle -> Bool in
                    guard idle.count < BlockingThreads.keptIdle else { return false }
                    idle.append(worker)
                    return true
                }
                if !stays { return }
            }
        }
    }
}
