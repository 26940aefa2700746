internal import Dispatch

/// Threads for blocking work that belongs to no actor. Dispatch grows the pool as threads block.
private let blockingQueue = DispatchQueue(label: "slipway.blocking", attributes: .concurrent)

/// Runs `body` on a thread that may block and returns what it returns.
///
/// Cancellation of the calling task does not interrupt `body`: long bodies look at a flag of their own.
package func runBlocking<Success: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> Success
) async throws(Failure) -> Success {
    let result: Result<Success, Failure> = await withCheckedContinuation { continuation in
        blockingQueue.async {
            continuation.resume(returning: Result { () throws(Failure) -> Success in try body() })
        }
    }
    return try result.get()
}
