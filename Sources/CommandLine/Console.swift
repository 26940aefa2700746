import Glibc
import Synchronization

/// Where the command's lines go: progress to standard error, the result to standard output.
package final class Console: Sendable {
    private let lock = Mutex(())
    /// Whether progress is wanted at all.
    private let isQuiet: Bool
    /// The descriptor that progress goes to.
    let terminal: Int32

    package init(isQuiet: Bool = false) {
        self.isQuiet = isQuiet
        terminal = STDERR_FILENO
    }

    /// Progress goes somewhere else than to standard error.
    init(terminal: Int32) {
        isQuiet = false
        self.terminal = terminal
    }

    /// One line of progress.
    package func progress(_ line: String) {
        guard !isQuiet else { return }
        write(line + "\n", to: terminal)
    }

    /// Progress that is not a line.
    package func raw(_ text: String) { if !isQuiet { write(text, to: terminal) } }

    /// A line that must be seen: warnings and errors, on standard error.
    package func alert(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

    /// The result, on standard output.
    package func result(_ text: String) { write(text.hasSuffix("\n") ? text : text + "\n", to: STDOUT_FILENO) }

    /// A result of exact bytes, on standard output.
    package func result(bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

    private func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

    private func write(_ content: [UInt8], to descriptor: Int32) {
        lock.withLock { _ in
            var bytes = content[...]
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count < 0 {
                    if errno == EINTR || errno == EAGAIN { continue }
                    // A closed pipe: there is nobody to tell.
                    return
                }
                bytes = bytes.dropFirst(count)
            }
        }
    }
}
