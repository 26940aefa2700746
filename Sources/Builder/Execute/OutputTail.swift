import Synchronization

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

    var text: String {
        let kept = bytes.withLock { $0 }
        let lines = kept.suffix(Self.byteLimit).split(separator: 0x0a, omittingEmptySubsequences: true)
        return lines.suffix(Self.lineLimit).map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
    }
}
