package import Agent
package import Builder
package import OCI
package import Registry
import RegistryPoller
import Synchronization

/// A builder that makes images of nothing: an image is its content key. What a pipeline's builds do can be said.
package final class FakeBuilder: ImageBuilding {
    /// What a build does before its image is there.
    package typealias Behaviour = @Sendable (BuildOrder) async throws(BuildError) -> Void

    /// What is asked of the registry while an image gets its names.
    package enum Request: Sendable, Hashable {
        case upload(RepositoryLocation)
        case ask(ImageLocation)
        case write(ImageLocation)
        /// The question whether what was written is there.
        case confirm(ImageLocation)
    }

    /// What happens before a request; by an error it fails.
    package typealias OnRequest = @Sendable (Request) async throws(BuildError) -> Void

    private struct State {
        var behaviours: [String: Behaviour] = [:]
        var events: [String: [BuildEvent]] = [:]
        var pushFailures: [BuildError] = []
        var built: [String] = []
        var running = 0
        var mostRunning = 0
        /// Digests of base images, which enter the keys.
        var base = ""
        var onRequest: OnRequest?
    }

    private let state = Mutex(State())
    let registry: FakeRegistry

    /// Of the agent, to tell the images of several apart.
    private let name: String

    package init(_ registry: FakeRegistry, name: String = "agent") {
        self.registry = registry
        self.name = name
    }

    package func onRequest(_ action: OnRequest?) { state.withLock { $0.onRequest = action } }

    /// Says what the builds of a pipeline do from now on.
    package func onBuild(of pipeline: String, _ behaviour: Behaviour?) {
        state.withLock { $0.behaviours[pipeline] = behaviour }
    }

    /// What builds of a pipeline tell of their steps.
    package func tell(_ events: [BuildEvent], in pipeline: String) {
        state.withLock { $0.events[pipeline] = events }
    }

    package func failNextPush(with error: BuildError) { state.withLock { $0.pushFailures.append(error) } }

    /// The base image of all moves.
    package func moveBase(to digest: String) { state.withLock { $0.base = digest } }

    /// The pipelines that were built, in their order; builds that failed count.
    package var built: [String] { state.withLock { $0.built } }
    /// The most builds that were under way at one time.
    package var mostRunning: Int { state.withLock { $0.mostRunning } }

    package func contentKey(_ request: BuildRequest) async throws(BuildError) -> ContentKey {
        let entries = try await request.context.entries(under: "")
        var text = entries.map { "\($0.path)=\($0.contentID ?? "")" }.sorted().joined(separator: "\n")
        if case .bytes(let bytes, _) = request.dockerfile { text += String(decoding: bytes, as: UTF8.self) }
        text += request.buildArguments.map { "\($0.0)=\($0.1)" }.joined() + (request.target ?? "")
        return ContentKey(digest: .sha256(of: Array((text + state.withLock { $0.base }).utf8)))
    }

    package func build(
        _ order: BuildOrder, progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> any PushableImage {
        let behaviour = state.withLock { state in
            state.built.append(order.pipeline.name)
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
            return state.behaviours[order.pipeline.name]
        }
        defer { state.withLock { $0.running -= 1 } }
        for event in state.withLock({ $0.events[order.pipeline.name] ?? [] }) { progress(event) }
        try await behaviour?(order)
        return Image(builder: self, order: order, number: "\(name) \(built.count)")
    }

    package func stored(
        _ digest: Digest, in repository: RepositoryLocation, annotations: [String: String]
    ) async throws(BuildError) -> any PushableImage {
        guard let source = registry.record(of: digest, in: repository) else {
            throw BuildError(.registry, "\(repository)@\(digest) is not there any more")
        }
        let merged = source.annotations.all.merging(annotations) { _, new in new }
        return Image(
            builder: self, digest: merged == source.annotations.all ? digest : Self.digest(merged, source.created),
            annotations: merged, created: source.created)
    }

    package func holder(of name: ImageLocation) async throws(BuildError) -> TagHolder? {
        try await step(.ask(name))
        return registry.holder(of: name)
    }

    package func collectGarbage(olderThan age: Duration?, now: Int64) async -> Int64? { 1 << 20 }

    private func pushFailure() throws(BuildError) {
        let failure = state.withLock { $0.pushFailures.isEmpty ? nil : $0.pushFailures.removeFirst() }
        if let failure { throw failure }
    }

    private func step(_ request: Request) async throws(BuildError) {
        try await state.withLock { $0.onRequest }?(request)
    }

    /// An image is what it says of itself, and when it was made.
    private static func digest(_ annotations: [String: String], _ created: Int64?) -> Digest {
        let text = annotations.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "\n")
        return .sha256(of: Array("\(text)\n\(created ?? 0)".utf8))
    }

    private struct Image: PushableImage {
        let builder: FakeBuilder
        let digest: Digest
        let annotations: [String: String]
        let created: Int64?
        var layers: [CycleReport.Layer] { [] }
        var isolation: String? { nil }

        init(builder: FakeBuilder, digest: Digest, annotations: [String: String], created: Int64?) {
            self.builder = builder
            self.digest = digest
            self.annotations = annotations
            self.created = created
        }

        init(builder: FakeBuilder, order: BuildOrder, number: String) {
            var annotations = order.request.annotations
            annotations[Annotation.contentKey] = order.key.description
            self.builder = builder
            self.annotations = annotations
            created = order.request.createdAt
            // No two builds give the same image.
            digest = .sha256(of: Array("\(number) \(order.key)".utf8))
        }

        func upload(
            to names: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
        ) async throws(BuildError) {
            try builder.pushFailure()
            for name in names { try await builder.step(.upload(name.repository)) }
        }

        func claim(
            _ name: ImageLocation, unless isKept: @escaping @Sendable (TagHolder) -> Bool
        ) async throws(BuildError) -> TagClaim {
            try await builder.step(.ask(name))
            if let holder = builder.registry.holder(of: name) {
                if holder.digest == digest { return .given }
                if isKept(holder) { return .kept(holder, isLost: false) }
            }
            try await builder.step(.write(name))
            builder.registry.add(
                TagRecord(
                    tag: name.tag ?? "latest", digest: digest, created: created,
                    annotations: ImageAnnotations(annotations)),
                to: name.repository)
            try await builder.step(.confirm(name))
            guard let holder = builder.registry.holder(of: name), holder.digest != digest else { return .given }
            return .kept(holder, isLost: true)
        }
    }
}
