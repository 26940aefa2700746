import Synchronization
import Text

/// The last lines that a step printed, for the message when it fails. Bounded, whatever the step prints.
final class OutputTail: Sendable {
    private static let lineLimit = 20
    private static let byteLimit = 16 << 10

    private let bytes = Mutex<[UInt8]>([])

    func append(_ chunk: [UInt8]) {
        bytes.withLock { kept in
            kept.append(contentsOf: chunk.suffix(Self.byteLimit))
            if kept.count > 2 * Self.byteLimit { kept.removeFirst(kept.count - Self.byteLimit) }
        }
    }

    /// As a terminal would show it, without colours.
    var text: String {
        var line = TerminalLine()
        var lines = line.take(Array(bytes.withLock { $0 }.suffix(Self.byteLimit)))
        lines.append(line.end())
        return lines.filter { !$0.isEmpty }.suffix(Self.lineLimit).joined(separator: "\n")
    }
}
