import Synchronization

/// Bytes gathered by a callback on another thread, up to a limit.
final class ByteCollector: Sendable {
    private let limit: Int
    private let collected = Mutex<[UInt8]>([])

    init(limit: Int) { self.limit = limit }

    /// - Returns: whether the bytes were within the limit.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        collected.withLock { kept in
            guard bytes.count <= limit - kept.count else { return false }
            kept.append(contentsOf: bytes)
            return true
        }
    }

    var bytes: [UInt8] { collected.withLock { $0 } }
}
