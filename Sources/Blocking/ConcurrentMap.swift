/// Does `body` with each element of a list, a bounded number at once: for work that waits for others, such as servers.
///
/// - Parameter width: how many are under way at most.
/// - Returns: what `body` returned, in the order of the elements.
package func concurrentMap<Element: Sendable, Value: Sendable>(
    _ elements: [Element], width: Int, _ body: @escaping @Sendable (Element) async -> Value
) async -> [Value] {
    await withTaskGroup(of: (Int, Value).self) { group in
        var waiting = elements.enumerated().makeIterator()
        func startNext() {
            guard let (place, element) = waiting.next() else { return }
            group.addTask { (place, await body(element)) }
        }
        for _ in 0..<max(1, width) { startNext() }
        var values: [Value?] = Array(repeating: nil, count: elements.count)
        while let (place, value) = await group.next() {
            values[place] = value
            startNext()
        }
        return values.compactMap(\.self)
    }
}
