import Synchronization

/// Hands elements from one thread to another, in their order. A few wait at most; then whoever brings one waits.
package final class BoundedQueue<Element: Sendable>: Sendable {
    private struct State: Sendable {
        var waiting: [Element] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Counts the places for further elements.
    private let room = Semaphore()
    /// Counts the elements that wait, and the end.
    private let news = Semaphore()

    package init(limit: Int) { for _ in 0..<limit { room.signal() } }

    /// Waits for a place, and puts an element there.
    ///
    /// - Returns: whether anybody still takes elements; where nobody does, this one is dropped.
    package func put(_ element: consuming Element) -> Bool {
        room.wait()
        // Given away whole: a second reference would make the taker copy what it changes.
        var given: Element? = consume element
        let isTaken = state.withLock { state in
            if !state.isClosed, let element = given.take() { state.waiting.append(element) }
            return !state.isClosed
        }
        // Who comes after a close never waits.
        if isTaken { news.signal() } else { room.signal() }
        return isTaken
    }

    /// Said once, for each thread that takes, by whoever puts: nothing more comes.
    package func end() { news.signal() }

    /// Waits for the next element.
    ///
    /// - Returns: `nil` at the end. Not to be called after that.
    package func take() -> Element? {
        news.wait()
        let element = state.withLock { state in state.waiting.isEmpty ? nil : state.waiting.removeFirst() }
        if element != nil { room.signal() }
        return element
    }

    /// Nothing more is wanted: what waits is dropped, and so is what comes. Who takes may still have to be told of the end.
    package func close() {
        state.withLock { state in
            state.isClosed = true
            state.waiting = []
        }
        room.signal()
    }
}
