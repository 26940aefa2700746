import HTTP
import Synchronization

/// The lines of a watch's answer, as they arrive. A reader that is too slow loses the rest of the answer, not memory.
final class WatchLines: BodyReceiver {
    /// How long the server keeps one answer open.
    static let seconds = 290
    /// Lines that wait, and bytes of one.
    private static let waiting = 2_000
    private static let longest = 8 << 20

    private struct State {
        var partial: [UInt8] = []
        var overflowed = false
    }

    private let state = Mutex(State())
    private let lines: AsyncStream<[UInt8]>
    private let feed: AsyncStream<[UInt8]>.Continuation

    init() {
        (lines, feed) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waiting))
    }

    var overflowed: Bool { state.withLock { $0.overflowed } }

    /// `nil` at the end.
    func next() async -> [UInt8]? {
        var iterator = lines.makeAsyncIterator()
        return await iterator.next()
    }

    func end() { feed.finish() }

    func begin(_ head: HTTPHead) -> Bool { true }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let found: [[UInt8]]? = state.withLock { state in
            var found: [[UInt8]] = []
            var rest = bytes[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                found.append(state.partial + rest[..<end])
                state.partial = []
                rest = rest[(end + 1)...]
            }
            state.partial += rest
            if state.partial.count > Self.longest { state.overflowed = true }
            return state.overflowed ? nil : found
        }
        guard let found else { return false }
        for line in found where !line.isEmpty {
            if case .dropped = feed.yield(line) {
                state.withLock { $0.overflowed = true }
                return false
            }
        }
        return true
    }
}
