/// Keeps explanations for a moment, and lets one of a repository be made at a time: however many people look at policies, the agent is
/// not busy with that.
actor ExplanationShelf {
    struct Key: Hashable, Sendable {
        let repository: String
        /// The head's commit.
        let revision: String
        let subject: String?
        let trial: PolicyTrial?
    }

    private struct Entry {
        let task: Task<Result<[Explanation], ControlError>, Never>
        let time: ContinuousClock.Instant
    }

    private var entries: [Key: Entry] = [:]
    /// The last one of each repository, which the next waits for.
    private var last: [String: Task<Result<[Explanation], ControlError>, Never>] = [:]

    private static let age = Duration.seconds(10)
    private static let limit = 64

    func explanations(
        _ key: Key, make: @escaping @Sendable () async throws(ControlError) -> [Explanation]
    ) async throws(ControlError) -> [Explanation] {
        let now = ContinuousClock.now
        entries = entries.filter { now - $0.value.time < Self.age }
        if let known = entries[key] { return try await known.task.value.get() }
        guard entries.count < Self.limit else {
            throw ControlError(
                .unavailable, "many policies are being explained", hint: "try again in a few seconds")
        }
        let before = last[key.repository]
        let task = Task { () async -> Result<[Explanation], ControlError> in
            _ = await before?.value
            do throws(ControlError) { return .success(try await make()) } catch { return .failure(error) }
        }
        entries[key] = Entry(task: task, time: now)
        last[key.repository] = task
        let result = await task.value
        if last[key.repository] == task { last[key.repository] = nil }
        return try result.get()
    }
}
