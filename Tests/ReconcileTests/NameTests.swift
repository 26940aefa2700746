import Agent
import AgentFakes
import Builder
import OCI
import RegistryPoller
import Synchronization
import TestSupport
import Testing

/// The names of images: all of them, once, whatever happens while they are given.
@Suite(.tags(.unit), .thorough) struct NameTests {
    /// How a request ends that does not end well.
    enum Fault: String, CaseIterable, Sendable {
        /// It fails before the registry does anything, and so does all that comes after it: what a kill leaves.
        case killed
        /// It alone fails, before the registry does anything.
        case refused
        /// The registry does what is asked, and the answer is lost; all that comes after it fails.
        case answerLost
    }

    struct Shape: Sendable, CustomTestStringConvertible {
        let repositories: Int
        let tags: [String]
        var isMutable = false

        var testDescription: String { "\(repositories) × \(tags.joined(separator: " "))" }

        func places() -> [String] { (1...repositories).map { "r\($0).example.com/acme/web" } }

        func declaration() -> String {
            """
            builds:
              - name: web
                context: web
                destinations: [\(places().joined(separator: ", "))]
                tags: [\(tags.map { "\"\($0)\"" }.joined(separator: ", "))]
                mutable: \(isMutable)

            """
        }
    }

    static let shapes = [
        Shape(repositories: 1, tags: ["v{build.number}"]),
        Shape(repositories: 1, tags: ["v{build.number}", "{branch}-{commit.short}"]),
        Shape(repositories: 1, tags: ["{branch}-{commit.short}", "v{build.number}", "latest"], isMutable: true),
        Shape(
            repositories: 1, tags: ["v{build.number}", "{commit.time}", "{branch}", "{commit}-{build.number}"],
            isMutable: true),
        Shape(repositories: 2, tags: ["v{build.number}"]),
        Shape(repositories: 2, tags: ["{branch}", "1.{build.number}"], isMutable: true),
        Shape(repositories: 2, tags: ["v{build.number}", "{commit.short}", "{commit}"]),
        Shape(repositories: 3, tags: ["v{build.number}"]),
        Shape(repositories: 3, tags: ["{commit.short}", "v{build.number}"]),
        Shape(
            repositories: 3, tags: ["v{build.number}", "{branch}", "{commit}", "{commit.short}"], isMutable: true),
        Shape(repositories: 2, tags: ["{commit.short}", "{commit}"]),
        Shape(repositories: 2, tags: ["{branch}", "latest"], isMutable: true),
    ]

    /// A world whose registry stops to answer at one request.
    private static func world(_ shape: Shape) async throws -> World {
        let world = try await World()
        world.host.commit([".slipway.yaml": shape.declaration(), "web/Dockerfile": "FROM scratch"])
        return world
    }

    /// A person's commit, later than all before it.
    private static func commit(_ changes: [String: String?], to world: World) {
        world.host.commit(changes, at: 1_700_000_000 + Int64(world.host.messages().count) * 60)
    }

    /// Lets the n-th request go wrong from now on, counted from 1.
    ///
    /// - Returns: how many came.
    @discardableResult
    private static func spoil(_ number: Int, with fault: Fault, in world: World) -> Counter {
        let counter = Counter()
        world.builder.onRequest { request throws(BuildError) in
            let current = counter.next()
            let isSpoiled =
                switch fault {
                case .killed: current >= number
                case .refused: current == number
                // A write is done when the question comes whether it was.
                case .answerLost: current > number
                }
            if isSpoiled { throw BuildError(.registry, "the registry cannot be reached", isTransient: true) }
        }
        return counter
    }

    /// What a registry that nobody disturbed holds: all tags with the content of their images.
    private static func state(_ shape: Shape, _ world: World) -> [String] {
        shape.places().flatMap { place in
            world.registry.tags(place).map { tag in
                let key = world.registry.record(place, tag)?.annotations["dev.slipway.content-key"] ?? "none"
                return "\(place):\(tag) \(key)"
            }
        }
    }

    /// How often a tag was pointed at another image.
    private static func written(_ shape: Shape, _ world: World) -> Int {
        shape.places().reduce(0) { sum, place in
            sum + world.registry.tags(place).reduce(0) { $0 + world.registry.digests(place, $1).count }
        }
    }

    /// Only names that move lead to another image than at first.
    private static func checkOnce(_ shape: Shape, _ world: World, _ what: String) {
        for place in shape.places() {
            for tag in world.registry.tags(place) where !["latest", "main"].contains(tag) {
                let digests = world.registry.digests(place, tag)
                #expect(digests.count == 1, "\(what): \(place):\(tag) led to \(digests.count) images")
            }
        }
    }

    @Test(arguments: shapes, Fault.allCases)
    func `every request of a push may be its last, and the next cycles give all names, once`(
        shape: Shape, fault: Fault
    ) async throws {
        let undisturbed = try await Self.world(shape)
        let count = Self.spoil(.max - 1, with: .refused, in: undisturbed)
        _ = await undisturbed.cycle()
        let requests = count.value
        Self.commit(["web/main.c": "2"], to: undisturbed)
        _ = await undisturbed.cycle()
        let expected = Self.state(shape, undisturbed)
        #expect(expected.count >= shape.repositories * shape.tags.count)

        for number in 1...requests {
            let what = "\(fault) at request \(number) of \(requests)"
            let world = try await Self.world(shape)
            Self.spoil(number, with: fault, in: world)
            let broken = await world.cycle()
            let wrote = shape.places().contains { !world.registry.tags($0).isEmpty }
            #expect(!broken.failures.isEmpty || fault == .answerLost, "\(what)")
            world.builder.onRequest(nil)
            let healthy = await world.cycle()
            #expect(healthy.failures.isEmpty, "\(what): \(healthy.failures.map(\.message))")
            // What the registry has is not built again.
            #expect(world.builder.built.count == (wrote ? 1 : 2), "\(what)")
            let idle = await world.cycle()
            #expect(idle.didNothing && idle.images.isEmpty, "\(what): \(idle.decisions.map(\.reason))")

            Self.commit(["web/main.c": "2"], to: world)
            #expect(await world.cycle().failures.isEmpty, "\(what)")
            #expect(Self.state(shape, world) == expected, "\(what)")
            Self.checkOnce(shape, world, what)
            #expect(await world.cycle().images.isEmpty, "\(what)")
        }
    }

    @Test(arguments: shapes.filter { $0.repositories < 3 }, Fault.allCases)
    func `the same of a push that brings older content back`(shape: Shape, fault: Fault) async throws {
        func reverted() async throws -> World {
            let world = try await Self.world(shape)
            _ = await world.cycle()
            Self.commit(["web/main.c": "2"], to: world)
            _ = await world.cycle()
            Self.commit(["web/main.c": nil], to: world)
            return world
        }
        let undisturbed = try await reverted()
        let count = Self.spoil(.max - 1, with: .refused, in: undisturbed)
        _ = await undisturbed.cycle()
        let expected = Self.state(shape, undisturbed)

        for number in 1...count.value {
            let what = "\(fault) at request \(number) of \(count.value)"
            let world = try await reverted()
            let built = world.builder.built.count
            let before = Self.written(shape, world)
            Self.spoil(number, with: fault, in: world)
            _ = await world.cycle()
            let wrote = Self.written(shape, world) > before
            world.builder.onRequest(nil)
            // A commit that changes nothing of the image.
            Self.commit(["README": "\(number)"], to: world)
            #expect(await world.cycle().failures.isEmpty, "\(what)")
            #expect(await world.cycle().images.isEmpty, "\(what)")
            Self.checkOnce(shape, world, what)
            if !shape.tags.contains(where: { $0.contains("{commit") }) {
                #expect(Self.state(shape, world) == expected, "\(what)")
            }
            // Where no name is left of the older content, it is built, but not again once it has a name.
            #expect(world.builder.built.count <= built + (wrote ? 1 : 2), "\(what)")
        }
    }

    @Test func `a kaniko Job's version is not lost behind its latest`() async throws {
        let world = try await World()
        world.host.commit([
            "job.yaml": Self.job("acme/web:v1", "acme/web:latest"), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment("web", image: "acme/web:v0", policy: "glob:v*"),
        ])
        world.builder.onRequest { request throws(BuildError) in
            if case .write(let name) = request, name.tag == "v1" {
                throw BuildError(.registry, "the registry failed", isTransient: true)
            }
        }
        _ = await world.cycle()
        #expect(world.registry.tags("acme/web") == ["latest"])
        world.builder.onRequest(nil)
        let next = await world.cycle()
        #expect(next.images.map(\.references) == [["docker.io/acme/web:latest", "docker.io/acme/web:v1"]])
        #expect(next.images.allSatisfy { !$0.built })
        #expect(world.registry.tags("acme/web") == ["latest", "v1"])
        #expect(world.registry.record("acme/web", "v1")?.digest == world.registry.record("acme/web", "latest")?.digest)
        #expect(world.image(of: "web") == "acme/web:v1")
        #expect(world.builder.built.count == 1)
    }

    private static func job(_ destinations: String...) -> String {
        """
        apiVersion: batch/v1
        kind: Job
        metadata: {name: kaniko}
        spec:
          template:
            spec:
              containers:
                - name: kaniko
                  image: gcr.io/kaniko-project/executor:latest
                  args:
                    - --context=git://git.example.com/acme/shop.git
                    - --context-sub-path=web
                    - --dockerfile=Dockerfile
        \(destinations.map { "            - --destination=\($0)" }.joined(separator: "\n"))

        """
    }

    @Test func `the agent's own commits do not hide an image that lacks its name`() async throws {
        let world = try await World()
        world.registry.push("acme/db", "1.1.0")
        world.host.commit([
            ".slipway.yaml": """
            builds:
              - name: all
                destinations: [acme/all]
                tags: ["v{build.number}", "{commit.short}"]

            """,
            "Dockerfile": "FROM scratch", "deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0"),
        ])
        world.builder.onRequest { request throws(BuildError) in
            if case .write(let name) = request, name.tag == "v1" {
                throw BuildError(.registry, "the registry failed", isTransient: true)
            }
        }
        _ = await world.cycle()
        #expect(world.image(of: "db") == "acme/db:1.1.0")
        world.builder.onRequest(nil)
        #expect(await world.cycle().failures.isEmpty)
        #expect(world.registry.tags("acme/all").count == 2)
        #expect(world.registry.tags("acme/all").contains("v1"))
        #expect(world.builder.built.count == 1)
    }
}

/// Counts requests.
final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
