import Agent
import AgentFakes
import Builder
import Git
import OCI
import RegistryPoller
import Synchronization
import TestSupport
import Testing

/// Several writers of one repository of images: other pipelines, other agents, and whoever else pushes there.
@Suite(.tags(.unit)) struct NameRaceTests {
    private static let web = "registry.example.com/acme/web"

    /// A repository that builds `web` with some tags.
    private static func files(_ tags: String..., isMutable: Bool = false) -> [String: String?] {
        files(tags: tags, isMutable: isMutable)
    }

    private static func files(tags: [String], isMutable: Bool = false) -> [String: String?] {
        [
            ".slipway.yaml": """
            builds:
              - name: web
                context: web
                destinations: [\(web)]
                tags: [\(tags.map { "\"\($0)\"" }.joined(separator: ", "))]
                mutable: \(isMutable)

            """, "web/Dockerfile": "FROM scratch",
        ]
    }

    private func revision(_ world: World, _ tag: String) -> String? {
        world.registry.record(Self.web, tag)?.annotations["org.opencontainers.image.revision"]
    }

    // MARK: Pipelines of one agent

    @Test func `two pipelines that push to one repository have numbers of their own, and keep them`() async throws {
        let world = try await World()
        let entries = ["web", "api"].map { name in
            """
              - name: \(name)
                context: \(name)
                destinations: [\(Self.web)]
                tags: ["v{build.number}"]

            """
        }
        world.host.commit([
            ".slipway.yaml": "builds:\n" + entries.joined(), "web/Dockerfile": "FROM scratch",
            "api/Dockerfile": "FROM busybox",
        ])
        let first = await world.cycle()
        #expect(first.failures.isEmpty)
        #expect(world.registry.tags(Self.web) == ["v1", "v2"])
        for _ in 1...3 { #expect(await world.cycle().images.isEmpty) }
        #expect(world.registry.tags(Self.web) == ["v1", "v2"])

        world.host.commit(["api/main.c": "2"])
        _ = await world.cycle()
        for _ in 1...3 { #expect(await world.cycle().images.isEmpty) }
        #expect(world.registry.tags(Self.web) == ["v1", "v2", "v3"])
        for tag in ["v1", "v2", "v3"] { #expect(world.registry.digests(Self.web, tag).count == 1) }
    }

    // MARK: Somebody else, while a build waits

    @Test func `a number that a person gave meanwhile stays the person's`() async throws {
        let world = try await World()
        let second = "other.example.com/acme/web"
        var files = Self.files("v{build.number}")
        files[".slipway.yaml"] = """
            builds:
              - name: web
                context: web
                destinations: [\(Self.web), \(second)]
                tags: ["v{build.number}"]

            """
        world.host.commit(files)
        let registry = world.registry
        world.builder.onBuild(of: "web") { _ in
            for tag in ["v1", "v2"] { registry.push(Self.web, tag, content: "a person's \(tag)") }
        }
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        // One image has one number everywhere.
        #expect(report.images.first?.references == ["\(second):v3", "\(Self.web):v3"])
        #expect(world.registry.tags(second) == ["v3"])
        #expect(world.registry.digests(Self.web, "v1").count == 1)
        #expect(world.registry.digests(Self.web, "v2").count == 1)
        #expect(report.reason("web")?.contains("meanwhile") == true)
        #expect(await world.cycle().images.isEmpty)
    }

    @Test func `a name without a number that was given meanwhile is not taken`() async throws {
        let world = try await World()
        world.host.commit(Self.files("{commit.short}"))
        let tag = try #require(world.host.head()).id.description.prefix(7)
        let registry = world.registry
        world.builder.onBuild(of: "web") { _ in registry.push(Self.web, String(tag), content: "a person's") }
        let report = await world.cycle()
        #expect(report.failures.first?.message.contains("belongs to another image") == true)
        #expect(world.registry.digests(Self.web, String(tag)).count == 1)
    }

    // MARK: Another agent

    @Test func `an image that another agent made of the same content is the image`() async throws {
        let one = try await World(agent: "one")
        one.host.commit(Self.files("v{build.number}", "{commit.short}"))
        let two = try await World(host: one.host, registry: one.registry, agent: "two")
        let rival = two.reconciler()
        one.builder.onBuild(of: "web") { _ in _ = await rival.cycle(.complete) { _ in } }
        let report = await one.cycle()
        #expect(report.failures.isEmpty)
        #expect(one.registry.tags(Self.web).count == 2)
        for tag in one.registry.tags(Self.web) { #expect(one.registry.digests(Self.web, tag).count == 1) }
        #expect(report.images.first?.digest == one.registry.record(Self.web, "v1")?.digest?.description)
        #expect(report.reason("web")?.contains("the same content meanwhile") == true)
        #expect(await two.cycle().didNothing)
    }

    @Test(arguments: [["v{build.number}", "latest"], ["v{build.number}"], ["latest"]])
    func `an older build does not come after a newer one`(tags: [String]) async throws {
        let one = try await World(agent: "one")
        one.host.commit(Self.files(tags: tags, isMutable: true), at: 1_700_000_000)
        let two = try await World(host: one.host, registry: one.registry, agent: "two")
        let (host, rival) = (one.host, two.reconciler())
        one.builder.onBuild(of: "web") { _ in
            host.commit(["web/main.c": "2"], at: 1_700_000_060)
            _ = await rival.cycle(.complete) { _ in }
        }
        let report = await one.cycle()
        one.builder.onBuild(of: "web", nil)
        #expect(report.failures.isEmpty)
        #expect(report.decisions.contains { $0.reason.contains("newer commit") })
        let newest = try #require(host.head()).id.description
        for tag in one.registry.tags(Self.web) {
            #expect(revision(one, tag) == newest, "\(tag)")
            #expect(one.registry.digests(Self.web, tag).count == 1, "\(tag)")
        }
        #expect(await one.cycle().images.isEmpty)
        #expect(one.registry.tags(Self.web).count == tags.count)
    }

    @Test func `a branch that went back to an older commit moves what moves`() async throws {
        let world = try await World()
        world.host.commit(Self.files("v{build.number}", "latest", isMutable: true), at: 1_700_000_000)
        _ = await world.cycle()
        // As if the commit of the newest image had been taken out of the branch.
        let old = try #require(world.registry.record(Self.web, "latest"))
        var record = old
        record.tag = "latest"
        record.digest = .sha256(of: [1])
        record.annotations["org.opencontainers.image.revision"] = String(repeating: "f", count: 40)
        record.annotations["org.opencontainers.image.created"] = "2030-01-01T00:00:00Z"
        record.annotations["dev.slipway.content-key"] = "sha256:other"
        world.registry.add(record, to: try RepositoryLocation(Self.web))
        world.host.commit(["web/main.c": "3"], at: 1_700_000_060)
        #expect(await world.cycle().failures.isEmpty)
        #expect(revision(world, "latest") == world.host.head()?.id.description)
    }

    /// A registry lists a tag a moment before it can say what it leads to. The other agent is giving the name.
    @Test(arguments: [["v{build.number}"], ["v{build.number}", "{branch}-{commit.short}"]], 1...3)
    func `a number that is being given is not taken for another image's`(tags: [String], times: Int) async throws {
        let one = try await World(agent: "one")
        one.host.commit(Self.files(tags: tags))
        _ = await one.cycle()
        let given = one.registry.tags(Self.web)
        let two = try await World(host: one.host, registry: one.registry, agent: "two")
        two.registry.conceal(Self.web, "v1", times: times)
        let report = await two.cycle()
        #expect(report.failures.isEmpty)
        #expect(report.images.isEmpty, "\(report.decisions.map(\.reason))")
        #expect(two.builder.built.isEmpty)
        #expect(two.registry.tags(Self.web) == given)
    }

    @Test(arguments: [["v{build.number}"], ["v{build.number}", "{branch}-{commit.short}"]])
    func `a number that leads to nothing is taken, and holds nobody up`(tags: [String]) async throws {
        let world = try await World()
        world.host.commit(Self.files(tags: tags))
        world.registry.push(Self.web, "v1")
        world.registry.conceal(Self.web, "v1", times: .max)
        #expect(await world.cycle().failures.isEmpty)
        #expect(world.registry.tags(Self.web).filter { $0.hasPrefix("v") } == ["v1", "v2"])
        #expect(world.registry.digests(Self.web, "v1").count == 1)
        #expect(await world.cycle().images.isEmpty)
    }

    /// Two agents on one repository give an image each a name at the same time; whose turn it is, the test says. Either both
    /// work on one commit, or the second one on the next.
    @Test(arguments: Interleaving.all, [true, false])
    func `two agents at the same moment`(interleaving: Interleaving, isOneCommit: Bool) async throws {
        let one = try await World(agent: "one")
        one.host.commit(Self.files("v{build.number}"), at: 1_700_000_000)
        let two = try await World(host: one.host, registry: one.registry, agent: "two")
        // Both have decided before either gives a name.
        let decided = Meeting(of: 2)
        let meeting = Meeting(of: 2)
        let turns = Turns(interleaving.order)
        one.builder.onBuild(of: "web") { _ in
            await decided.arrive()
            await meeting.arrive()
        }
        two.builder.onBuild(of: "web") { _ in await meeting.arrive() }
        for (index, world) in [one, two].enumerated() {
            world.builder.onRequest { _ in await turns.wait(index) }
        }
        let agents = [one.reconciler(), two.reconciler()]
        async let first = finished(agents[0], 0, turns)
        await decided.arrive()
        if !isOneCommit { one.host.commit(["web/main.c": "2"], at: 1_700_000_060) }
        async let second = finished(agents[1], 1, turns)
        let reports = await [first, second]
        for report in reports { #expect(report.failures.isEmpty, "\(report.failures.map(\.message))") }

        // Without a registry that compares, whoever has asked before the other has written cannot know of it.
        let isRace = interleaving.bothAskFirst
        #expect(one.registry.digests(Self.web, "v1").count == (isRace ? 2 : 1))
        let notes = reports.flatMap(\.decisions).map(\.reason)
        #expect(notes.contains { $0.contains(interleaving.note(isOneCommit: isOneCommit)) } == interleaving.isNoticed)

        // Whatever happened, the next cycles find all that is missing, and move nothing.
        for world in [one, two] {
            world.builder.onBuild(of: "web", nil)
            world.builder.onRequest(nil)
            #expect(await world.cycle().failures.isEmpty)
        }
        for world in [one, two] { #expect(await world.cycle().images.isEmpty) }
        // The first commit's image has a name unless the second one's came before it, and had the name then.
        let tags = isOneCommit || interleaving.holder == 1 ? ["v1"] : ["v1", "v2"]
        #expect(one.registry.tags(Self.web) == tags)
        #expect(revision(one, tags.last ?? "") == one.host.head()?.id.description)
        let keys = Set(tags.compactMap { one.registry.record(Self.web, $0)?.annotations["dev.slipway.content-key"] })
        #expect(keys.count == tags.count)
        #expect(one.registry.digests(Self.web, "v1").count == (isRace ? 2 : 1))
        #expect(one.registry.digests(Self.web, "v2").count == tags.count - 1)
    }

    private func finished(_ agent: Reconciler, _ index: Int, _ turns: Turns) async -> CycleReport {
        let report = await agent.cycle(.complete) { _ in }
        await turns.leave(index)
        return report
    }

    /// The orders in which the requests of two agents may reach a registry: each brings the image there, asks for the name, writes
    /// it, and asks again.
    struct Interleaving: Sendable, CustomTestStringConvertible {
        let order: [Int]

        static let steps = 4
        static let all: [Interleaving] = {
            func orders(_ first: Int, _ second: Int) -> [[Int]] {
                if first == 0, second == 0 { return [[]] }
                var all: [[Int]] = []
                if first > 0 { all += orders(first - 1, second).map { [0] + $0 } }
                if second > 0 { all += orders(first, second - 1).map { [1] + $0 } }
                return all
            }
            return orders(steps, steps).map { Interleaving(order: $0) }
        }()

        private func place(_ step: Int, of agent: Int) -> Int { order.indices.filter { order[$0] == agent }[step] }

        /// Whether each asks before the other writes.
        var bothAskFirst: Bool { place(1, of: 0) < place(2, of: 1) && place(1, of: 1) < place(2, of: 0) }

        /// Who wants to write first.
        private var first: Int { place(2, of: 0) < place(2, of: 1) ? 0 : 1 }

        /// Whether one of them learns that the other wrote: by its question before it writes, or by the one after.
        var isNoticed: Bool { !bothAskFirst || place(3, of: first) > place(2, of: 1 - first) }

        /// Whose image has the name when both have done with it.
        var holder: Int { bothAskFirst ? 1 - first : first }

        /// What the one who does not hold the name says of it.
        func note(isOneCommit: Bool) -> String {
            if isOneCommit { return "made from the same content meanwhile" }
            if holder == 1 { return "made from a newer commit meanwhile" }
            return
                "v1 was given to another image \(bothAskFirst ? "at the same moment" : "meanwhile"), so the image is v2"
        }

        var testDescription: String { order.map { $0 == 0 ? "a" : "b" }.joined() }
    }
}

/// Lets two sides go on in a given order: a turn lasts until the side comes again, or leaves. Who comes more often than the
/// order says holds nobody up.
actor Turns {
    private var order: [Int]
    private var acting: Int?
    private var waiting: [Int: CheckedContinuation<Void, Never>] = [:]

    init(_ order: [Int]) { self.order = order }

    func wait(_ side: Int) async {
        end(side)
        guard order.contains(side) else { return }
        await withCheckedContinuation { continuation in
            waiting[side] = continuation
            pass()
        }
    }

    func leave(_ side: Int) {
        order.removeAll { $0 == side }
        end(side)
    }

    private func end(_ side: Int) {
        if acting == side { acting = nil }
        pass()
    }

    private func pass() {
        guard acting == nil, let next = order.first, let continuation = waiting.removeValue(forKey: next) else {
            return
        }
        order.removeFirst()
        acting = next
        continuation.resume()
    }
}
