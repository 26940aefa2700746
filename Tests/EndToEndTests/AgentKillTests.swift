import Foundation
import TestSupport
import Testing

/// SIGKILL at random moments of a running agent, while people commit to three repositories: what the dead left is made
/// good by the next one, and nothing is lost, done twice, or stuck.
@Suite(.tags(.endToEnd)) struct AgentKillTests {
    private static let names = ["api", "blog", "shop"]

    /// `SLIPWAY_KILLS`, or a dozen.
    private static var times: Int {
        ProcessInfo.processInfo.environment["SLIPWAY_KILLS"].flatMap { Int($0) }.map { max(1, $0) } ?? 12
    }

    private let fixture: AgentFixture
    private let registry: RegistryServer
    private let repositories: [String: GitRepositoryFixture]

    init() async throws {
        let fixture = try AgentFixture("agent-kill")
        self.fixture = fixture
        registry = try await RegistryServer(directory: fixture.scratch.file("registry"))
        repositories = Dictionary(
            uniqueKeysWithValues: try Self.names.map { ($0, try fixture.repository($0, step: "cat /number > /made")) })
        try fixture.write(
            fixture.configuration(
                Self.names,
                registries: """
                      - {host: docker.io, map: ["\(registry.host)"]}
                      - {host: "\(registry.host)", insecure: true}
                    """))
    }

    @Test func `killed at random moments`() async throws {
        var random = SplitMix(state: 0x5EED)
        var last = Dictionary(uniqueKeysWithValues: Self.names.map { ($0, 0) })

        func commit(_ number: Int) async throws {
            guard let name = Self.names.randomElement(using: &random), let repository = repositories[name] else {
                return
            }
            try await push(number, to: repository)
            last[name] = number
        }

        // How long all of the work takes when nobody disturbs it.
        let start = ContinuousClock.now
        var agent = try fixture.start(log: "agent-0.log")
        try await settle(last)
        let length = (ContinuousClock.now - start) / .milliseconds(1)
        agent.kill()

        var killed = 0
        for turn in 1...Self.times {
            try await commit(turn * 10)
            if Bool.random(using: &random) { try await commit(turn * 10 + 1) }
            agent = try fixture.start(log: "agent-\(turn).log")
            // The moment is the test's own: any of them has to do.
            let moment = Double.random(in: 0...length, using: &random)
            let first = Double.random(in: 0...moment, using: &random)
            try await Task.sleep(for: .milliseconds(Int(first)))
            if Bool.random(using: &random) { try await commit(turn * 10 + 2) }
            try await Task.sleep(for: .milliseconds(Int(moment - first)))
            if agent.isRunning { killed += 1 }
            agent.kill()
        }
        #expect(killed == Self.times, "an agent ended by itself: see its log")

        agent = try fixture.start(log: "agent-last.log")
        try await settle(last)
        agent.send(SIGTERM)
        try await waitUntil("the agent has ended") { agent.end != nil }
        #expect(agent.end == .exit(0))

        var images = 0
        var commits = 0
        for name in Self.names {
            let (made, bumped) = try check(name, newest: try #require(last[name]))
            images += made
            commits += bumped
        }
        try checkRemains()
        print(
            "\(killed) kills in \(ContinuousClock.now - start): \(images) images, \(commits) commits of the agent; "
                + "undisturbed, all work takes \(Int(length)) ms")
        let sync = try Shell.run(
            [try Loop.binary, "sync", "--config", fixture.configurationFile], environment: fixture.environment)
        #expect(sync.stdout.components(separatedBy: "nothing to do").count > Self.names.count, "\(sync.stdout)")
    }

    /// A person pushes; whoever loses the race against the agent pulls and pushes again.
    private func push(_ number: Int, to repository: GitRepositoryFixture) async throws {
        try await waitUntil("\(number) is pushed") {
            (try? repository.commit(
                ["app/number": "\(number)\n"], message: "number \(number)", date: 1_700_000_000 + number)) != nil
        }
    }

    /// Waits until every workload runs an image of the newest number, and nothing is under way.
    private func settle(_ last: [String: Int]) async throws {
        try await waitUntil("all repositories run their newest image", seconds: 120) {
            guard try fixture.states().values.filter({ $0 == "ok" }).count == Self.names.count else { return false }
            for (name, number) in last {
                guard let repository = repositories[name],
                    try self.number(of: fixture.image(of: name, in: repository), in: repository) == number
                else { return false }
            }
            return true
        }
    }

    // MARK: What is looked at in the end

    private func manifest(_ image: String) throws -> [String: Any]? {
        let output = try Shell.run(
            ["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(registry.host)/\(image)"],
            allowFailure: true)
        return try? JSONSerialization.jsonObject(with: Data(output.stdout.utf8)) as? [String: Any]
    }

    private func annotations(_ image: String) throws -> [String: String] {
        try manifest(image)?["annotations"] as? [String: String] ?? [:]
    }

    /// The number in the commit that an image was made from; `nil` when there is no image.
    private func number(of image: String, in repository: GitRepositoryFixture) throws -> Int? {
        guard let revision = try annotations(image)["org.opencontainers.image.revision"] else { return nil }
        return Int(
            try repository.content(of: "app/number", at: revision).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// - Returns: how many images there are, and how many commits of the agent.
    private func check(_ name: String, newest: Int) throws -> (images: Int, commits: Int) {
        let repository = try #require(repositories[name])
        let list = try Shell.run(["curl", "-s", "http://\(registry.host)/v2/acme/\(name)/tags/list"]).stdout
        let answer = try JSONSerialization.jsonObject(with: Data(list.utf8)) as? [String: Any]
        let tags = (answer?["tags"] as? [String] ?? []).compactMap { Int($0.dropFirst()) }.sorted()

        // One image for each content, under one tag; the numbers of the tags go with those of the commits, without a gap.
        #expect(tags == Array(1...tags.count), "\(name): \(tags)")
        let numbers = try tags.map { try number(of: "acme/\(name):v\($0)", in: repository) }
        #expect(numbers.compactMap(\.self).count == tags.count)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { ($0 ?? 0) < ($1 ?? 0) }, "\(name): \(numbers)")
        #expect(numbers.last == newest)
        let keys = try tags.map { try annotations("acme/\(name):v\($0)")["dev.slipway.content-key"] }
        #expect(Set(keys).count == tags.count, "\(name): a content was built twice: \(keys)")

        // The registry keeps what a tag has ever led to.
        for tag in tags {
            let index =
                "\(registry.directory)/data/docker/registry/v2/repositories/acme/\(name)/_manifests/tags/v\(tag)/index/sha256"
            let digests = try FileManager.default.contentsOfDirectory(atPath: index)
            #expect(digests.count == 1, "\(name): v\(tag) led to \(digests)")
        }

        // The workload only ever went forwards, and runs the newest image.
        #expect(try fixture.image(of: name, in: repository) == "acme/\(name):v\(tags.count)")
        let revisions = try repository.git("rev-list", "--first-parent", "--reverse", "main").split(separator: "\n")
        var commits = 0
        var running = 0
        for revision in revisions {
            let image = try fixture.image(of: name, in: repository, at: String(revision))
            let tag = try #require(Int(image.split(separator: ":v").last ?? ""))
            #expect(tag >= running, "\(name): \(revision) goes back from v\(running) to v\(tag)")
            if tag > running { commits += 1 }
            running = max(running, tag)
        }
        let own = try repository.git("log", "--format=%H", "--grep=^Slipway-Update:", "main").split(separator: "\n")
            .count
        #expect(own == commits, "\(name): \(own) commits of the agent for \(commits) changes")
        #expect(try repository.git("rev-list", "--merges", "--count", "main") == "0")
        #expect(try repository.git("for-each-ref", "--format=%(refname)") == "refs/heads/main")
        try repository.checkIntegrity()
        return (tags.count, commits)
    }

    /// No processes, mounts, locks or half-made builds.
    private func checkRemains() throws {
        #expect(try fixture.steps().isEmpty)
        let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
        #expect(!mounts.contains(fixture.scratch.path))
        // Beside the mirrors are files that are locked, which is no lock by itself; within them are git's own.
        let locks =
            try Shell.run(
                ["find", fixture.scratch.file("state/git"), "-mindepth", "2", "-name", "*.lock"]).stdout
            + Shell.run(["find"] + repositories.values.map(\.path) + ["-name", "*.lock"]).stdout
        #expect(locks.isEmpty)
        let builds = try FileManager.default.contentsOfDirectory(atPath: fixture.scratch.file("state/builds"))
        #expect(builds.isEmpty)
    }
}
