import Agent
import AgentFakes
import ManifestUpdater

/// What people do by commands.
extension World {
    static func policies(_ add: [String: String], _ path: String, _ bytes: [UInt8]) -> FileUpdate {
        ManifestUpdater.update(
            bytes, file: path, policies: PolicyUpdate(add: add), of: ["shop:deployment/web", "shop:deployment/api"])
    }

    func edit(
        verb: String = "policy", _ update: @escaping @Sendable (String, [UInt8], [ImagePathRule]) -> FileUpdate
    ) async throws -> RepositoryEditor.Outcome {
        try await editor().edit(command: PersonalCommand(verb: verb, message: { _ in "a command" }), update)
    }

    func lock(_ name: String) async throws -> RepositoryEditor.Outcome {
        try await edit { path, bytes, _ in World.policies(["locked": "true"], path, bytes) }
    }

    func release(_ name: String, _ image: String) async throws -> RepositoryEditor.Outcome {
        let release = Release(
            selection: .exactly(WrittenReference(image), digest: nil), named: ["shop:deployment/\(name)"], excluded: [],
            force: true)
        return try await edit(verb: "release") { path, bytes, rules in
            release.update(bytes, file: path, rules: rules)
        }
    }
}
