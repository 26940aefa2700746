import Agent
import NIOCore
import OCI
import Synchronization

/// Streams the agent's events to one client as Server-Sent Events (WHATWG HTML, section 9.2). A client that reads too slowly is dropped: it
/// comes back with `Last-Event-ID`.
final class EventFeed: Sendable {
    /// What a client wants to hear of.
    struct Filter: Sendable {
        var repository: String?
        var build: BuildID?

        func admits(_ event: AgentEvent) -> Bool {
            event.kind == .missed
                || (repository ?? event.repository) == event.repository && (build == nil || build == event.build)
        }
    }

    private let channel: any Channel
    private let filter: Filter
    private let frames: EventFrames
    private let limit: Int
    /// Bytes that the connection has not taken yet.
    private let waiting = Atomic(0)

    /// - Parameter limit: bytes that may wait for the client.
    init(_ channel: any Channel, _ filter: Filter, _ frames: EventFrames, limit: Int) {
        self.channel = channel
        self.filter = filter
        self.frames = frames
        self.limit = limit
    }

    /// Streams until the client goes, or is dropped.
    ///
    /// - Parameters:
    ///   - id: the last event that it has.
    ///   - heartbeat: between comments, by which both sides see that the other is there.
    func run(_ journal: EventJournal, after id: EventID?, now: Int64, heartbeat: Duration) {
        let listener = journal.listen(after: id, now: now) { [self] entry in
            filter.admits(entry.event) ? write(frames.frame(of: entry, era: journal.era)) : true
        }
        // How long a browser waits before it comes back, in milliseconds. Who reads it knows that it hears everything from now on.
        _ = write(Array("retry: 2000\n\n".utf8))
        let beat = channel.eventLoop.scheduleRepeatedTask(
            initialDelay: TimeAmount(heartbeat), delay: TimeAmount(heartbeat)
        ) { [self] _ in _ = write(Array(":\n\n".utf8)) }
        channel.closeFuture.whenComplete { _ in
            beat.cancel()
            journal.leave(listener)
        }
    }

    private func write(_ bytes: [UInt8]) -> Bool {
        let ahead = waiting.add(bytes.count, ordering: .relaxed).newValue
        guard ahead <= limit, channel.isActive else {
            channel.close(promise: nil)
            return false
        }
        channel.writeAndFlush(ResponsePart.bytes(bytes)).whenComplete { [self] _ in
            waiting.subtract(bytes.count, ordering: .relaxed)
        }
        return true
    }
}

/// Events as they are sent: the last one is kept, because all clients get it one after another.
final class EventFrames: Sendable {
    private let last = Mutex<(number: Int, bytes: [UInt8])?>(nil)

    func frame(of entry: EventJournal.Entry, era: String) -> [UInt8] {
        last.withLock { last in
            if let last, last.number == entry.number, entry.event.kind != .missed { return last.bytes }
            var bytes = Array(
                "id: \(EventID(era: era, number: entry.number))\nevent: \(entry.event.kind.rawValue)\ndata: ".utf8)
            // No newline is in it as such: JSON escapes them.
            bytes += (try? CanonicalJSON.encode(entry.event)) ?? Array("{}".utf8)
            bytes += Array("\n\n".utf8)
            if entry.event.kind != .missed { last = (entry.number, bytes) }
            return bytes
        }
    }
}
