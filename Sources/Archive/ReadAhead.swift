import Blocking
import Synchronization

/// What another thread makes, in the order in which it makes it: so decompressing and hashing run beside the work on the
/// files. A few pieces wait at most; then the maker waits.
package final class ReadAhead<Outcome: Sendable>: ByteSource {
    private let feed: Feed
    private let result: Handover<Outcome>
    private var piece: [UInt8] = []
    private var position = 0
    private var isAtEnd = false

    /// - Parameter make: runs on a thread of its own and fills the feed; what it returns is the `outcome()`.
    package init(_ make: @escaping @Sendable (Feed) throws(ArchiveError) -> Outcome) {
        let feed = Feed()
        let result = Handover<Outcome>()
        self.feed = feed
        self.result = result
        startBlocking {
            result.set(Result { () throws(ArchiveError) -> Outcome in try make(feed) })
            feed.end()
        }
    }

    /// Whoever stops reading stops the maker as well.
    deinit { feed.close() }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard buffer.count > 0 else { return 0 }
        if position == piece.count {
            guard try advance() else { return 0 }
        }
        let count = min(buffer.count, piece.count - position)
        piece.withUnsafeBytes { bytes in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
        }
        position += count
        return count
    }

    /// - Returns: whether there is a further piece. An error comes at the place in the stream where it happened.
    private func advance() throws(ArchiveError) -> Bool {
        if isAtEnd { return false }
        var used: [UInt8] = []
        swap(&used, &piece)
        position = 0
        guard let next = feed.take(returning: consume used) else {
            isAtEnd = true
            if case .failure(let error) = result.value { throw error }
            return false
        }
        piece = next
        return true
    }

    /// Passes over what is left and returns what the maker returned.
    package func outcome() throws(ArchiveError) -> Outcome {
        while try advance() {}
        guard let value = result.value else {
            throw ArchiveError(.stream, "the content was not read to its end")
        }
        return try value.get()
    }
}

/// Where the maker leaves what it returns, or the error that it ended by.
private final class Handover<Outcome: Sendable>: Sendable {
    private let place = Mutex<Result<Outcome, ArchiveError>?>(nil)
    func set(_ value: Result<Outcome, ArchiveError>) { place.withLock { $0 = value } }
    var value: Result<Outcome, ArchiveError>? { place.withLock { $0 } }
}

/// The pieces between the two sides of a `ReadAhead`.
package final class Feed: Sendable {
    package static let pieceSize = 256 << 10

    private let queue = BoundedQueue<[UInt8]>(limit: 8)
    /// Pieces that were read, whose memory serves again.
    private let free = Mutex<[[UInt8]]>([])

    fileprivate init() {}

    /// Hands all of a source over.
    package func fill<Source: ByteSource & ~Copyable>(from source: inout Source) throws(ArchiveError) {
        while true {
            var piece = free.withLock { $0.popLast() } ?? [UInt8](repeating: 0, count: Self.pieceSize)
            var count = 0
            while count < piece.count {
                let outcome: Result<Int, ArchiveError> = piece.withUnsafeMutableBytes { bytes in
                    Result { () throws(ArchiveError) in
                        try source.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[count...]))
                    }
                }
                // What came before an error or the end is handed over first.
                guard case .success(let more) = outcome, more > 0 else {
                    if count > 0 { _ = queue.put(Array(piece[..<count])) }
                    _ = try outcome.get()
                    return
                }
                count += more
            }
            // Nobody reads any more: the rest is of no use.
            guard queue.put(consume piece) else {
                throw ArchiveError(.stream, "the content was not read to its end")
            }
        }
    }

    fileprivate func end() { queue.end() }

    fileprivate func close() { queue.close() }

    /// The next piece; `nil` at the end, and not to be called after it.
    fileprivate func take(returning used: consuming [UInt8]) -> [UInt8]? {
        // Given away whole: a second reference would make the maker copy it.
        var given: [UInt8]? = used.count == Self.pieceSize ? consume used : nil
        if given != nil {
            free.withLock { free in
                if let piece = given.take() { free.append(piece) }
            }
        }
        return queue.take()
    }
}
