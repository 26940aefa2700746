import Synchronization

/// Does `body` with each element of a list on threads that may block, as many at once as there are processors.
///
/// - Parameter share: how many elements are worth a thread of their own.
/// - Returns: what `body` returned, in the order of the elements.
/// - Throws: an error of `body`; elements that nobody began by then are left.
package func mapBlocking<Element: Sendable, Value: Sendable, Failure: Error>(
    _ elements: [Element], share: Int = 1, _ body: @escaping @Sendable (Element) throws(Failure) -> Value
) async throws(Failure) -> [Value] {
    let width = max(1, min(ProcessorCount.value, elements.count / max(1, share)))
    let list = TakenList(elements.count, of: Result<Value, Failure>.self)
    let work: @Sendable () -> Void = {
        while let place = list.next() {
            list.finish(place, Result { () throws(Failure) -> Value in try body(elements[place]) })
        }
    }
    await withTaskGroup(of: Void.self) { group in
        for _ in 1..<width { group.addTask { await runBlocking(work) } }
        await runBlocking(work)
    }
    return try list.results.compactMap(\.self).map { (result) throws(Failure) in try result.get() }
}

/// A list that several threads take the next element of, until one fails.
private final class TakenList<Value: Sendable, Failure: Error>: Sendable {
    private struct State: Sendable {
        var position = 0
        var results: [Result<Value, Failure>?]
    }

    private let state: Mutex<State>
    private let count: Int

    init(_ count: Int, of: Result<Value, Failure>.Type) {
        self.count = count
        state = Mutex(State(results: Array(repeating: nil, count: count)))
    }

    func next() -> Int? {
        state.withLock { state in
            guard state.position < count else { return nil }
            defer { state.position += 1 }
            return state.position
        }
    }

    func finish(_ place: Int, _ result: Result<Value, Failure>) {
        state.withLock { state in
            state.results[place] = result
            if case .failure = result { state.position = count }
        }
    }

    var results: [Result<Value, Failure>?] { state.withLock(\.results) }
}
