/// Lets those who ask for the same thing at the same time ask for it once.
///
/// Whoever is cancelled cancels the call for all: those who share one belong together.
package actor SharedCalls<Key: Hashable & Sendable, Value: Sendable, Failure: Error> {
    private var pending: [Key: Task<Result<Value, Failure>, Never>] = [:]
    private var kept: [Key: Result<Value, Failure>] = [:]
    private let keeps: @Sendable (Result<Value, Failure>) -> Bool

    /// - Parameter keeps: which outcomes answer whoever asks later, too; there is no moment between a call and what is kept of it.
    package init(keeping keeps: @escaping @Sendable (Result<Value, Failure>) -> Bool = { _ in false }) {
        self.keeps = keeps
    }

    /// What `call` gives, called unless the same is under way, or was kept.
    package func value(
        of key: Key, _ call: @escaping @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        if let known = kept[key] { return try known.get() }
        if let task = pending[key] { return try await Self.result(of: task).get() }
        let task = Task<Result<Value, Failure>, Never> {
            do throws(Failure) { return .success(try await call()) } catch { return .failure(error) }
        }
        pending[key] = task
        let result = await Self.result(of: task)
        pending[key] = nil
        if keeps(result) { kept[key] = result }
        return try result.get()
    }

    private nonisolated static func result(
        of task: Task<Result<Value, Failure>, Never>
    ) async -> Result<Value, Failure> {
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
