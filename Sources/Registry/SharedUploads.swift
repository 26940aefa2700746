/// One upload of a blob for all that want it in the same repository at the same time.
actor SharedUploads {
    typealias Outcome = Result<UploadOutcome, RegistryError>

    private struct Running {
        let task: Task<Outcome, Never>
        var waiting: Int
        let number: Int
    }

    private var running: [String: Running] = [:]
    private var count = 0

    /// Uploads, or waits for the upload that is on its way, which then counts as there. The work goes on as long as somebody
    /// waits for it.
    nonisolated func share(
        _ key: String, _ work: @escaping @Sendable () async throws(RegistryError) -> UploadOutcome
    ) async throws(RegistryError) -> UploadOutcome {
        let (task, number, isFirst) = await join(key, work)
        let outcome = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            Task { await self.leave(key, number) }
        }
        await finish(key, number)
        let result = try outcome.get()
        return isFirst ? result : .existed
    }

    private func join(
        _ key: String, _ work: @escaping @Sendable () async throws(RegistryError) -> UploadOutcome
    ) -> (Task<Outcome, Never>, Int, isFirst: Bool) {
        if var known = running[key] {
            known.waiting += 1
            running[key] = known
            return (known.task, known.number, false)
        }
        count += 1
        let task = Task<Outcome, Never> {
            do throws(RegistryError) {
                return .success(try await work())
            } catch {
                return .failure(error)
            }
        }
        running[key] = Running(task: task, waiting: 1, number: count)
        return (task, count, true)
    }

    private func leave(_ key: String, _ number: Int) {
        guard var known = running[key], known.number == number else { return }
        known.waiting -= 1
        running[key] = known
        if known.waiting == 0 {
            known.task.cancel()
            running[key] = nil
        }
    }

    private func finish(_ key: String, _ number: Int) {
        if running[key]?.number == number { running[key] = nil }
    }
}
