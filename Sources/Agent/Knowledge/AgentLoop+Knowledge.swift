/// What the agent tells of policies and images.
extension AgentLoop {
    package func explanations(
        of repository: String, _ subject: String?, trying trial: PolicyTrial?
    ) async throws(ControlError) -> [Explanation] {
        let (knowledge, entry) = (knowledge, try self.repository(repository))
        return try await knowledge.explanations(in: entry, of: subject, trying: trial)
    }

    package func image(_ text: String, of repository: String?) async throws(ControlError) -> ImageDetails {
        if let repository { _ = try self.repository(repository) }
        return try await knowledge.image(text, of: repository)
    }
}
