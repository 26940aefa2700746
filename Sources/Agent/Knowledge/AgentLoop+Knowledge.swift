/// What the agent tells of its cycles, of policies and of images.
extension AgentLoop {
    package func explanations(
        of repository: String, _ subject: String?, trying trial: PolicyTrial?
    ) async throws(ControlError) -> [Explanation] {
        let (knowledge, entry) = (knowledge, try self.repository(repository))
        return try await knowledge.explanations(in: entry, of: subject, trying: trial)
    }

    package func cycles(of repository: String, limit: Int) async throws(ControlError) -> [CycleEntry] {
        let name = try self.repository(repository).name
        return await (try history()).cycles(of: name, limit: limit)
    }

    package func running() async -> RunningWorkloads? { await knowledge.running() }

    package func image(_ text: String, of repository: String?) async throws(ControlError) -> ImageDetails {
        if let repository { _ = try self.repository(repository) }
        return try await knowledge.image(text, of: repository)
    }
}
