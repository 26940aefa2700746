import Glibc
import Synchronization

/// Where log lines go. Lines of several threads do not run into each other.
package final class LogOutput: Sendable {
    private let descriptor: Int32
    private let lock = Mutex(())

    /// - Parameter descriptor: stays the caller's.
    package init(descriptor: Int32 = STDERR_FILENO) { self.descriptor = descriptor }

    /// Writes a line whole. Where nobody can read it any more, it is lost: the log must not stop the agent.
    func write(_ line: [UInt8]) {
        lock.withLock { _ in
            var rest = line[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN {
                    // Whoever gave us the descriptor made it non-blocking.
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&waiting, 1, -1)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}
