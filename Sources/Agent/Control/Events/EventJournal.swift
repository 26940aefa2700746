import Synchronization

/// The last events of the agent, and who listens to them. Nothing waits for a listener: one that does not take an event gets none any
/// more.
package final class EventJournal: Sendable {
    /// An event with its place in the journal.
    package struct Entry: Sendable {
        /// Counted from 1 in each process.
        package let number: Int
        package let event: AgentEvent
    }

    /// Takes an event; it may not wait, nor call the journal. `false`: it takes no more.
    package typealias Listener = @Sendable (Entry) -> Bool

    /// How much is kept for those who were away for a moment.
    package struct Limits: Sendable {
        package var events = 1_000
        /// Bytes of the output in them.
        package var output = 4 << 20

        package init() {}
    }

    private struct State {
        var entries: [Entry] = []
        /// How many of `entries` are gone.
        var first = 0
        var output = 0
        var last = 0
        var listeners: [Int: Listener] = [:]
        var lastListener = 0
    }

    /// Tells the events of one process from those of the next.
    package let era: String
    private let limits: Limits
    private let state = Mutex(State())

    package init(limits: Limits = Limits(), era: String = String(UInt32.random(in: .min ... .max), radix: 36)) {
        self.limits = limits
        self.era = era
    }

    package func append(_ event: AgentEvent) {
        state.withLock { state in
            state.last += 1
            let entry = Entry(number: state.last, event: event)
            keep(entry, &state)
            for (id, listener) in state.listeners where !listener(entry) { state.listeners[id] = nil }
        }
    }

    private func keep(_ entry: Entry, _ state: inout State) {
        state.entries.append(entry)
        state.output += entry.event.text?.utf8.count ?? 0
        while state.entries.count - state.first > limits.events
            || (state.output > limits.output && state.first < state.entries.count)
        {
            state.output -= state.entries[state.first].event.text?.utf8.count ?? 0
            state.first += 1
        }
        // Moved together now and then, not for each event.
        if state.first > limits.events {
            state.entries.removeSubrange(..<state.first)
            state.first = 0
        }
    }

    /// Listens from now on.
    ///
    /// - Parameter id: the last event that the listener has; `nil`: it wants the new ones only. Where it is not kept any more, or is of
    ///   another process, the listener is told by `missed`.
    /// - Returns: what ``leave(_:)`` takes.
    package func listen(after id: EventID?, now: Int64, _ listener: @escaping Listener) -> Int {
        state.withLock { state in
            state.lastListener += 1
            state.listeners[state.lastListener] = listener
            guard let id else { return state.lastListener }
            let kept = state.entries[state.first...]
            let isKnown =
                id.era == era && id.number <= state.last
                && (id.number == state.last || id.number + 1 >= kept.first?.number ?? .max)
            var missing = isKnown ? Array(kept.drop { $0.number <= id.number }) : []
            if !isKnown { missing = [Entry(number: state.last, event: AgentEvent(.missed, of: "", at: now))] }
            if !missing.allSatisfy(listener) { state.listeners[state.lastListener] = nil }
            return state.lastListener
        }
    }

    package func leave(_ listener: Int) { state.withLock { $0.listeners[listener] = nil } }

    /// The number of the newest event; 0 before the first.
    package var newest: Int { state.withLock(\.last) }

    /// For tests: how many listen.
    package var listenerCount: Int { state.withLock { $0.listeners.count } }
}

/// The place of an event, as `Last-Event-ID` has it: `ERA-NUMBER`.
package struct EventID: Sendable, Equatable, CustomStringConvertible {
    let era: String
    let number: Int

    package init(era: String, number: Int) {
        self.era = era
        self.number = number
    }

    /// What is no id is one of another process.
    package init(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        era = parts.first.map(String.init) ?? ""
        number = parts.count == 2 ? Int(parts[1]) ?? .max : .max
    }

    package var description: String { "\(era)-\(number)" }
}
