import Agent

/// Live pages are read anew after an event, by all who look at them: each is made once for those that ask at the same event.
actor PageShelf {
    struct Key: Hashable {
        let path: [String]
        let query: [String: String]
    }

    private struct Entry {
        /// The newest event when it was begun: all that events up to it told of is in it.
        let event: Int
        let begun: ContinuousClock.Instant
        let document: Task<Result<HTMLDocument, ControlError>, Never>
    }

    private var entries: [Key: Entry] = [:]

    /// Not all that pages show is told by events.
    private static let age = Duration.seconds(5)
    private static let limit = 64

    /// - Parameter event: the number of the newest event.
    func document(
        _ key: Key, at event: Int, make: @escaping @Sendable () async throws(ControlError) -> HTMLDocument
    ) async throws(ControlError) -> HTMLDocument {
        let now = ContinuousClock.now
        if let known = entries[key], known.event == event, now - known.begun < Self.age {
            return try await known.document.value.get()
        }
        entries = entries.filter { $0.value.event == event && now - $0.value.begun < Self.age }
        guard entries.count < Self.limit else { return try await make() }
        let task = Task { () async -> Result<HTMLDocument, ControlError> in
            do throws(ControlError) { return .success(try await make()) } catch { return .failure(error) }
        }
        entries[key] = Entry(event: event, begun: now, document: task)
        return try await task.value.get()
    }
}
