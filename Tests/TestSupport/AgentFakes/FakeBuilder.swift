package import Agent
package import Builder
package import OCI
import RegistryPoller
import Synchronization

/// A builder that makes images of nothing: an image is its content key. What a pipeline's builds do can be said.
package final class FakeBuilder: ImageBuilding {
    /// What a build does before its image is there.
    package typealias Behaviour = @Sendable (BuildOrder) async throws(BuildError) -> Void

    private struct State {
        var behaviours: [String: Behaviour] = [:]
        var pushFailures: [BuildError] = []
        var built: [String] = []
        var running = 0
        var mostRunning = 0
        /// Digests of base images, which enter the keys.
        var base = ""
    }

    private let state = Mutex(State())
    let registry: FakeRegistry

    package init(_ registry: FakeRegistry) { self.registry = registry }

    /// Says what the builds of a pipeline do from now on.
    package func onBuild(of pipeline: String, _ behaviour: Behaviour?) {
        state.withLock { $0.behaviours[pipeline] = behaviour }
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
        try await behaviour?(order)
        return Image(builder: self, order: order)
    }

    package func rename(
        _ digest: Digest, in repository: RepositoryLocation, to names: [ImageLocation], annotations: [String: String]
    ) async throws(BuildError) -> Digest {
        guard let source = registry.record(of: digest, in: repository) else {
            throw BuildError(.registry, "\(repository)@\(digest) is not there any more")
        }
        for name in names {
            guard let tag = name.tag else { continue }
            registry.add(
                TagRecord(
                    tag: tag, digest: digest, created: source.created,
                    annotations: source.annotations.merging(annotations) { _, new in new }), to: name.repository)
        }
        return digest
    }

    package func collectGarbage(olderThan age: Duration?, now: Int64) async {}

    private func pushFailure() throws(BuildError) {
        let failure = state.withLock { $0.pushFailures.isEmpty ? nil : $0.pushFailures.removeFirst() }
        if let failure { throw failure }
    }

    private struct Image: PushableImage {
        let builder: FakeBuilder
        let order: BuildOrder

        var digest: Digest { order.key.digest }
        var annotations: [String: String] { order.request.annotations }
        var layers: [CycleReport.Layer] { [] }
        var isolation: String? { nil }

        func push(
            to names: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
        ) async throws(BuildError) {
            try builder.pushFailure()
            var annotations = annotations
            annotations[Annotation.contentKey] = order.key.description
            for name in names {
                guard let tag = name.tag else { continue }
                builder.registry.add(
                    TagRecord(
                        tag: tag, digest: digest, created: order.request.createdAt, annotations: annotations),
                    to: name.repository)
            }
        }
    }
}
