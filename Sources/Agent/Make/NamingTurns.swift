import Builder
import OCI

/// Lets the pipelines of this process that push to one repository name their images one after the other. Two of them that
/// choose one number at the same moment would not see each other in the registry.
package actor NamingTurns {
    private var held: Set<RepositoryLocation> = []
    private var waiting: [(repositories: Set<RepositoryLocation>, start: CheckedContinuation<Void, Never>)] = []

    private nonisolated let permit: WritePermit

    package init(_ permit: WritePermit = .always) { self.permit = permit }

    /// Right before a name is given.
    nonisolated func checkPermit() throws(BuildError) {
        do throws(AgentError) { try permit.check() } catch {
            throw BuildError(.cancelled, error.summary, cause: error.cause, hint: error.hint)
        }
    }

    /// Runs `body`, in the context of the caller, while nobody else has any of the repositories.
    nonisolated func hold<Value: Sendable, Failure: Error>(
        _ repositories: Set<RepositoryLocation>, _ body: @Sendable () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        await enter(repositories)
        let result: Result<Value, Failure>
        do throws(Failure) { result = .success(try await body()) } catch { result = .failure(error) }
        await leave(repositories)
        return try result.get()
    }

    private func enter(_ repositories: Set<RepositoryLocation>) async {
        // All at once or none, so two that want the same ones in another order do not wait for each other.
        if held.isDisjoint(with: repositories) {
            held.formUnion(repositories)
            return
        }
        await withCheckedContinuation { waiting.append((repositories, $0)) }
    }

    private func leave(_ repositories: Set<RepositoryLocation>) {
        held.subtract(repositories)
        waiting.removeAll { next in
            guard held.isDisjoint(with: next.repositories) else { return false }
            held.formUnion(next.repositories)
            next.start.resume()
            return true
        }
    }
}
