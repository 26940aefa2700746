/// Lets those who ask for the same thing at the same time ask for it once.
///
/// Whoever is cancelled cancels the call for all: those who share one belong together.
package actor SharedCalls<Key: Hashable & Sendable, Value: Sendable, Failure: Error> {
    private var pending: [Key: Task<Result<Value, Failure>, Never>] = [:]

    package init() {}

    /// What `call` gives, called unless the same is under way.
    package func value(
        of key: Key, _ call: @escaping @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        if let task = pending[key] { return try await Self.result(of: task) }
        let task = Task<Result<Value, Failure>, Never> {
            do throws(Failure) { return .success(try await call()) } catch { return .failure(error) }
        }
        pending[key] = task
        defer { pending[key] = nil }
        return try await Self.result(of: task)
    }

    private nonisolated static func result(
        of task: Task<Result<Value, Failure>, Never>
    ) async throws(Failure) -> Value {
        try await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }.get()
    }
}
