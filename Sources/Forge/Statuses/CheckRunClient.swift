import HTTP
import Synchronization
import Text

/// Shows builds as check runs of GitHub's (docs.github.com/rest/checks/runs), which only an App may make. A run is changed from
/// its beginning to its end; one that has ended stays, and what is built again is another one.
struct CheckRunClient: CommitStatusHost {
    let project: StatusProject
    let client: ForgeClient
    private let known = KnownRuns()

    init(project: StatusProject, client: ForgeClient) {
        self.project = project
        self.client = client
    }

    /// Bytes of a summary; GitHub counts characters, of which there are never more.
    static let summaryLimit = 65_535
    /// Annotations of one request.
    private static let annotationLimit = 50

    private struct Run: Encodable {
        struct Output: Encodable {
            struct Annotation: Encodable {
                let path: String
                let start_line: Int
                let end_line: Int
                let annotation_level = "failure"
                let message: String
            }

            let title: String
            let summary: String
            let annotations: [Annotation]?
        }

        let name: String
        /// Only of a new one.
        let head_sha: String?
        let status: String
        let conclusion: String?
        let details_url: String?
        let external_id: String
        let output: Output
    }

    private struct Answer: Decodable {
        let id: Int
        let status: String?
        let external_id: String?
    }

    func set(_ status: CommitStatus, of commit: String, on branch: String) async throws(ForgeError) {
        let key = KnownRuns.Key(commit: commit, name: status.name)
        if let id = try await running(key) {
            do throws(ForgeError) {
                let answer: Answer = try await send("PATCH", ["check-runs", String(id)], run(status, of: nil))
                known.note(answer.id, of: key, hasEnded: status.state.isEnd)
                return
            } catch {
                // It is gone.
                guard error.status == 404 else { throw error }
            }
        }
        let answer: Answer = try await send("POST", ["check-runs"], run(status, of: commit))
        known.note(answer.id, of: key, hasEnded: status.state.isEnd)
    }

    private func run(_ status: CommitStatus, of commit: String?) -> Run {
        let (state, conclusion) = Self.words(status.state)
        let details = status.details
        let summary = details?.summary ?? status.description
        let annotations = (details?.annotations ?? []).prefix(Self.annotationLimit).map {
            Run.Output.Annotation(
                path: $0.path, start_line: $0.line, end_line: $0.line,
                message: Self.cut($0.message, to: Self.summaryLimit))
        }
        return Run(
            name: status.name, head_sha: commit, status: state, conclusion: conclusion, details_url: status.link,
            external_id: Self.external(status.name),
            output: Run.Output(
                title: CommitStatus.cut(
                    status.state == .error ? "not built: \(status.description)" : status.description, to: 250),
                summary: Self.cut(summary, to: Self.summaryLimit), annotations: annotations.isEmpty ? nil : annotations)
        )
    }

    /// The run that is under way; after a restart GitHub is asked for it.
    private func running(_ key: KnownRuns.Key) async throws(ForgeError) -> Int? {
        struct List: Decodable { let check_runs: [Answer] }
        if let known = known.run(of: key) { return known.hasEnded ? nil : known.id }
        let list: List = try await explaining { () throws(ForgeError) in
            try await client.get(
                try url(
                    ["commits", key.commit, "check-runs"],
                    [("check_name", key.name), ("filter", "latest"), ("per_page", "100")]), headers: GitHub.headers)
        }
        return list.check_runs.first {
            $0.external_id == Self.external(key.name) && $0.status != "completed"
        }?.id
    }

    private func send(_ method: String, _ parts: [String], _ run: Run) async throws(ForgeError) -> Answer {
        try await explaining { () throws(ForgeError) in
            try await client.send(method, try url(parts), run, headers: GitHub.headers)
        }
    }

    private func explaining<Value>(_ body: () async throws(ForgeError) -> Value) async throws(ForgeError) -> Value {
        do throws(ForgeError) {
            return try await body()
        } catch {
            guard error.code == .authentication, error.status == 403 else { throw error }
            throw ForgeError(
                error.code, error.summary, place: error.place, cause: error.cause,
                hint: "grant the GitHub App 'Checks: write', and accept that where it is installed",
                status: error.status)
        }
    }

    private func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        var text = project.api.text
        while text.hasSuffix("/") { text.removeLast() }
        let path = ["repos"] + project.path.split(separator: "/").map(String.init) + parts
        for part in path { text += "/" + PercentEncoding.encode(part) }
        if !query.isEmpty { text += "?" + PercentEncoding.form(query) }
        do throws(HTTPError) { return try HTTPURL(text) } catch { throw ForgeError(error) }
    }

    // MARK: Words

    /// By which it is known whose run it is.
    private static func external(_ name: String) -> String { "slipway-build:" + name }

    private static func words(_ state: CommitStatus.State) -> (status: String, conclusion: String?) {
        switch state {
        case .pending: ("queued", nil)
        case .running: ("in_progress", nil)
        case .success: ("completed", "success")
        case .failure, .error: ("completed", "failure")
        case .cancelled: ("completed", "cancelled")
        }
    }

    /// Whole characters in at most so many bytes.
    static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var result = ""
        var left = limit - "…".utf8.count
        for character in text {
            left -= character.utf8.count
            guard left >= 0 else { break }
            result.append(character)
        }
        return result + "…"
    }
}

extension CommitStatus.State {
    var isEnd: Bool { self != .pending && self != .running }
}

/// The runs of this process; bounded, the oldest is forgotten first.
private final class KnownRuns: Sendable {
    struct Key: Hashable {
        let commit: String
        let name: String
    }

    struct Run {
        let id: Int
        let hasEnded: Bool
    }

    private static let limit = 1000
    private let state = Mutex<(runs: [Key: Run], order: [Key])>(([:], []))

    func run(of key: Key) -> Run? { state.withLock { $0.runs[key] } }

    func note(_ id: Int, of key: Key, hasEnded: Bool) {
        state.withLock { state in
            if state.runs.updateValue(Run(id: id, hasEnded: hasEnded), forKey: key) == nil {
                state.order.append(key)
                if state.order.count > Self.limit { state.runs[state.order.removeFirst()] = nil }
            }
        }
    }
}

/// A status, and a check run beside it. Where one is refused, the other is shown all the same.
struct StatusWithCheck: CommitStatusHost {
    let status: StatusClient
    let check: CheckRunClient

    func set(_ status: CommitStatus, of commit: String, on branch: String) async throws(ForgeError) {
        var failure: ForgeError?
        do throws(ForgeError) { try await check.set(status, of: commit, on: branch) } catch { failure = error }
        try await self.status.set(status, of: commit, on: branch)
        if let failure { throw failure }
    }
}
