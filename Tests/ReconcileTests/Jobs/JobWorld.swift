import AgentFakes
import Foundation
import JSON
import OCI
import Registry
import RegistryPoller
import Synchronization
import TestSupport

@testable import Agent

/// A world whose builds are Jobs of a cluster in memory.
final class JobWorld {
    let world: World
    let cluster: FakeCluster
    /// What cycles said.
    let lines = Lines()

    final class Lines: Sendable {
        private let state = Mutex<[String]>([])
        func add(_ line: String) { state.withLock { $0.append(line) } }
        var all: [String] { state.withLock { $0 } }
        func count(_ part: String) -> Int { all.count { $0.contains(part) } }
    }

    /// - Parameters:
    ///   - last: whose repository, registry and cluster it has: a process that was started anew, on an empty disk.
    ///   - isLeaving: whether the agent leaves when its builds are cancelled.
    init(
        over last: JobWorld? = nil, startDeadline: Duration = .seconds(600), isLeaving: Bool = false,
        _ kubelet: FakeCluster.Kubelet? = nil
    ) async throws {
        world =
            if let last { try await World(host: last.world.host, registry: last.world.registry) } else {
                try await World()
            }
        let registry = world.registry
        cluster = try last?.cluster ?? FakeCluster(kubelet ?? { JobWorld.succeed($0, registry) })
        var template = JobTemplate(image: "registry.example.com/slipway:1")
        template.limits.startDeadline = startDeadline
        var configuration = AgentConfiguration(stateDirectory: "/tmp/unused")
        configuration.repositories = [world.repository]
        world.jobs = BuildCluster(
            try cluster.endpoint, template: template, configuration: configuration, keychain: .empty,
            isLeaving: { isLeaving })
        if last == nil {
            world.host.commit([
                ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            ])
        }
    }

    func cycle() async -> CycleReport {
        let lines = lines
        return await world.reconciler().cycle(.complete) { lines.add($0.text) }
    }

    var tags: [String] { world.registry.tags("registry.example.com/acme/web") }

    /// A container that builds and pushes.
    static func succeed(_ pod: FakePod, _ registry: FakeRegistry, contentKey: String? = nil) {
        pod.run()
        pod.log(#"{"event":"step","level":"info","name":"web","step":1,"steps":1,"text":"COPY . /","time":""}"#)
        pod.log(#"{"event":"output","level":"info","stream":"stdout","text":"hello\n","time":""}"#)
        pod.log(#"{"event":"finished","level":"info","seconds":0.2,"time":""}"#)
        let digest = push(pod, registry, contentKey: contentKey ?? pod.contentKey)
        pod.log(
            #"{"destinations":[],"digest":"\#(digest)","isolation":"namespaces","layers":[{"createdBy":"COPY . /","digest":"\#(digest)","size":42}],"steps":[]}"#
        )
        pod.end(message: #"{"digest":"\#(digest)","isolation":"namespaces","seconds":0.3}"#)
    }

    /// The image comes to the registry, and no tag leads to it.
    static func push(_ pod: FakePod, _ registry: FakeRegistry, contentKey: String) -> Digest {
        var annotations: [String: String] = [:]
        for text in pod.values(of: "annotation") {
            let sides = text.replacingOccurrences(of: "$$", with: "$").split(separator: "=", maxSplits: 1)
            annotations[String(sides[0])] = sides.count == 2 ? String(sides[1]) : ""
        }
        annotations[Annotation.contentKey] = contentKey
        let digest = Digest.sha256(of: Array("\(pod.name) \(pod.contentKey)".utf8))
        for name in pod.values(of: "destination") {
            guard let location = try? RepositoryLocation(name) else { continue }
            registry.addUntagged(
                TagRecord(tag: "", digest: digest, created: 0, annotations: ImageAnnotations(annotations)), to: location
            )
        }
        return digest
    }
}
