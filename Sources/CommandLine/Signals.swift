import Dispatch
import Glibc

/// Signals as events, on a queue of their own.
///
/// `@unchecked Sendable`: the sources are only written in `init`, and Dispatch's own calls are thread-safe.
final class Signals: @unchecked Sendable {
    private var sources: [any DispatchSourceSignal] = []
    private let numbers: [Int32]

    init(_ numbers: [Int32], _ handler: @escaping @Sendable (Int32) -> Void) {
        self.numbers = numbers
        let queue = DispatchQueue(label: "slipway.signals")
        for number in numbers {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { handler(number) }
            source.resume()
            sources.append(source)
        }
    }

    func cancel() { for source in sources { source.cancel() } }

    /// The signals do again what they do by default.
    func restore() {
        cancel()
        for number in numbers { signal(number, SIG_DFL) }
    }

    /// Whether whoever started the process wants the signal to do nothing.
    static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Ends the process as the signal would have.
    static func die(of number: Int32) {
        signal(number, SIG_DFL)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        kill(getpid(), number)
    }
}
