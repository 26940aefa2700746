import Blocking
import CSandbox
import Glibc
import Synchronization

/// Runs one step to its end and passes its output on as it comes.
///
/// When the step ends, everything that it started is killed. When the calling task is cancelled, so is the step.
///
/// - Throws: `SandboxError` when the step could not be started. A program that ran and failed is a result.
package func run(
    _ step: SandboxStep, output: @escaping @Sendable (OutputStream, [UInt8]) -> Void
) async throws(SandboxError) -> SandboxResult {
    let stop = StopSignal()
    // Cancellation may come before the process is there; the signal remembers it.
    let result: Result<SandboxResult, SandboxError> = await withTaskCancellationHandler {
        await Result { () async throws(SandboxError) -> SandboxResult in
            try await runBlocking { () throws(SandboxError) in
                try SandboxProcess(step, stop: stop).run(output)
            }
        }
    } onCancel: {
        stop.send()
    }
    return try result.get()
}

/// A way to tell the thread that waits for a step to end it.
final class StopSignal: Sendable {
    private struct State {
        var isSent = false
        var process: (descriptor: Int32, signal: Int32)?
    }

    private let state = Mutex(State())

    var isSent: Bool { state.withLock(\.isSent) }

    /// The first process of the sandbox, while there is one: a descriptor, so that no other process can be hit.
    func watch(_ process: (descriptor: Int32, signal: Int32)?) {
        state.withLock { state in
            state.process = process
            if state.isSent { Self.signal(process) }
        }
    }

    func send() {
        state.withLock { state in
            state.isSent = true
            Self.signal(state.process)
        }
    }

    private static func signal(_ process: (descriptor: Int32, signal: Int32)?) {
        guard let process else { return }
        slipway_pidfd_signal(process.descriptor, process.signal)
    }
}

extension Result where Success: Sendable {
    /// As `Result(catching:)`, for asynchronous work.
    fileprivate init(_ body: () async throws(Failure) -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
