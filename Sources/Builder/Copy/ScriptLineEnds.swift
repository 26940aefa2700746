import Synchronization

/// Scripts of a context whose first line, `#!` and an interpreter, ends in CR LF: the kernel looks for an interpreter whose name ends
/// in CR, and says of the script itself that there is no such file.
final class ScriptLineEnds: Sendable {
    private let found = Mutex<[String]>([])

    /// More than anybody reads.
    private static let limit = 20

    /// What is to be called with the pieces of a file, from its beginning. A first line is within the first piece.
    func look(at entry: ContextEntry) -> @Sendable (UnsafeRawBufferPointer) -> Void {
        let isFirst = Mutex(true)
        return { [self] bytes in
            let isBeginning = isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst
            }
            guard isBeginning, bytes.starts(with: [0x23, 0x21]) else { return }
            let line = bytes.prefix(256).prefix { $0 != 0x0a }
            guard line.last == 0x0d, line.count < min(256, bytes.count) else { return }
            found.withLock { if $0.count < Self.limit { $0.append(entry.path) } }
        }
    }

    /// By name.
    var names: [String] { found.withLock { $0.sorted() } }
}
