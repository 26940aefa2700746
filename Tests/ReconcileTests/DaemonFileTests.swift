import Agent
import Foundation
import TestSupport
import Testing
import Webhooks

/// Files that the agent watches.
@Suite(.tags(.unit)) struct DaemonFileTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("watch") }

    private func write(_ name: String, _ text: String) throws -> String {
        let path = scratch.file(name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        return path
    }

    /// What can happen to a file.
    enum Change: String, CaseIterable, Sendable { case written, longer, removed, made, linkSwapped, folderSwapped }

    @Test(arguments: Change.allCases)
    func `a change is seen once`(change: Change) async throws {
        var path = try write("file", "one")
        switch change {
        case .made: path = scratch.file("missing")
        case .linkSwapped:
            path = scratch.file("link")
            try Shell.run(["ln", "-s", "file", path])
        case .folderSwapped:
            try Shell.run(["mkdir", scratch.file("1"), scratch.file("2")])
            for folder in ["1", "2"] { _ = try write("\(folder)/file", "one") }
            try Shell.run(["ln", "-s", "1", scratch.file("..data")])
            try Shell.run(["ln", "-s", "..data/file", scratch.file("mounted")])
            path = scratch.file("mounted")
        case .written, .longer, .removed: break
        }
        let watch = FileWatch([path])
        #expect(await watch.look() == false)
        switch change {
        case .written: _ = try write("file", "two")
        case .longer: try Shell.run(["sh", "-c", "echo more >> \"$0\"", path])
        case .removed: try Shell.run(["rm", path])
        case .made: _ = try write("missing", "one")
        case .linkSwapped:
            _ = try write("other", "one")
            try Shell.run(["ln", "-sfT", "other", path])
        case .folderSwapped: try Shell.run(["ln", "-sfT", "2", scratch.file("..data")])
        }
        #expect(await watch.look())
        #expect(await watch.look() == false)
    }

    @Test func `a change between reading a file and following others is not lost`() async throws {
        let (file, secret) = (try write("file", "one"), try write("secret", "one"))
        let watch = FileWatch([file])
        _ = try write("file", "two")
        await watch.follow([file, secret])
        #expect(await watch.look())
        #expect(await watch.look() == false)
        _ = try write("secret", "two")
        #expect(await watch.look())
    }

    @Test func `a file that is not followed any more counts no more`() async throws {
        let (file, secret) = (try write("file", "one"), try write("secret", "one"))
        let watch = FileWatch([file, secret])
        await watch.follow([file])
        _ = try write("secret", "two")
        #expect(await watch.look() == false)
    }

    @Test func `the configuration's file and all that it names are followed`() throws {
        var configuration = AgentConfiguration(stateDirectory: "/nowhere")
        configuration.git.sshKey = "/etc/slipway/key"
        configuration.dockerConfig = "/etc/slipway/config.json"
        var entry = AgentConfiguration.RegistryEntry(host: "registry.example.com")
        entry.caFile = "/etc/slipway/ca.crt"
        configuration.registries = [entry]
        var repository = AgentConfiguration.RepositoryConfiguration(name: "shop", url: "u", branch: "main")
        var git = AgentConfiguration.GitConfiguration()
        git.tokenFile = "/etc/slipway/token"
        repository.git = git
        configuration.repositories = [repository]
        var receiver = WebhookConfiguration.Receiver(name: "git", kind: .github)
        receiver.secretFiles = ["/etc/slipway/webhook", "/etc/slipway/webhook.next"]
        var webhooks = WebhookConfiguration()
        webhooks.receivers = [receiver]
        configuration.webhooks = webhooks
        #expect(
            configuration.files(configurationFile: "/etc/slipway/agent.yaml") == [
                "/etc/slipway/key", "/etc/slipway/config.json", "/etc/slipway/ca.crt", "/etc/slipway/token",
                "/etc/slipway/webhook", "/etc/slipway/webhook.next", "/etc/slipway/agent.yaml",
            ])
    }
}
