import Builder
import Cluster
import JSON
import Synchronization

/// Turns the log of a build's container into the builder's events, while it is written.
final class JobLog: Sendable {
    private let client: ClusterClient
    private let path: ResourcePath
    private let progress: @Sendable (BuildEvent) -> Void
    private let state = Mutex(State())

    private struct State {
        var position = PodLogPosition()
        var result = JSONValue.null
        /// The last lines that are not events: what the process said of its end.
        var rest: [String] = []
    }

    /// Lines of these that are kept.
    private static let restLimit = 50

    /// - Parameter path: of the pod.
    init(_ client: ClusterClient, _ path: ResourcePath, progress: @escaping @Sendable (BuildEvent) -> Void) {
        self.client = client
        self.path = path
        self.progress = progress
    }

    /// What `--output json` printed at the end; null where it was not seen.
    var result: JSONValue { state.withLock { $0.result } }

    /// Follows the log until the container has ended or the task is cancelled. A connection that breaks is made again.
    func follow() async {
        var failures = 0
        while !Task.isCancelled {
            do throws(ClusterError) {
                try await read(isFollowed: true)
                // Whether the container has ended, its status says; until then there may be more.
                failures = 0
            } catch {
                if [.cancelled, .notFound].contains(error.code) { return }
                failures += 1
            }
            try? await Task.sleep(for: .seconds(min(5, 1 << min(failures, 3))))
        }
    }

    /// Reads what is left when the container has ended. What cannot be read is lost, and the build goes on without it.
    ///
    /// - Parameter isExplained: whether the container said by its result how it ended.
    func finish(isExplained: Bool) async {
        do throws(ClusterError) {
            try await read(isFollowed: false)
        } catch {
            progress(.note("the end of the log could not be read: \(error.cause ?? error.summary)"))
        }
        if !isExplained { for line in state.withLock({ $0.rest }) { progress(.note(line)) } }
    }

    private func read(isFollowed: Bool) async throws(ClusterError) {
        var position = state.withLock { $0.position }
        defer { state.withLock { $0.position = position } }
        try await client.log(of: path, container: JobManifest.container, from: &position, isFollowed: isFollowed, take)
    }

    private func take(_ line: [UInt8]) {
        guard !line.isEmpty else { return }
        if let known = BuildEventLine(line) {
            if let event = known.buildEvent { progress(event) }
        } else if let value = try? JSONReader.read(line), value["layers"] != .null {
            state.withLock { $0.result = value }
        } else {
            state.withLock { state in
                state.rest.append(String(decoding: line.prefix(4_000), as: UTF8.self))
                if state.rest.count > Self.restLimit { state.rest.removeFirst() }
            }
        }
    }
}
