/// Work that must not overlap with other work of the same name: one after the other.
actor TaskQueues {
    private var last: [String: (number: Int, task: Task<Result<Void, RegistryError>, Never>)] = [:]
    private var count = 0

    nonisolated func run(
        _ name: String, _ work: @escaping @Sendable () async throws(RegistryError) -> Void
    ) async throws(RegistryError) {
        let (number, task) = await enqueue(name, work)
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        await finish(name, number)
        try result.get()
    }

    private func enqueue(
        _ name: String, _ work: @escaping @Sendable () async throws(RegistryError) -> Void
    ) -> (Int, Task<Result<Void, RegistryError>, Never>) {
        let before = last[name]?.task
        count += 1
        let task = Task<Result<Void, RegistryError>, Never> {
            _ = await before?.value
            do throws(RegistryError) {
                return .success(try await work())
            } catch {
                return .failure(error)
            }
        }
        last[name] = (count, task)
        return (count, task)
    }

    private func finish(_ name: String, _ number: Int) {
        if last[name]?.number == number { last[name] = nil }
    }
}
