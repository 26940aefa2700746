import OCI
import Synchronization
import TestSupport

/// A registry of ours that takes uploads in chunks and can lose them, as the specification describes it; docker-registry
/// forgets an upload that broke in the middle of a chunk.
final class ChunkServer: Sendable {
    struct State {
        var content: [UInt8] = []
        var isStored = false
        var requests: [String] = []
        /// How many bytes of the next request with a body arrive before the connection breaks.
        var breakAfter: Int?
        /// Larger bodies are refused with 413.
        var mostBody = Int.max
        var mostPatch = Int.max
        /// The first part of an upload is answered well, and not kept.
        var losesPatch = false
        var leastChunk: Int?
        /// Sessions are forgotten once.
        var forgets = false
    }

    private let shared: Shared
    private let stub: StubServer

    init(_ state: State = State()) throws {
        let shared = Shared(state)
        self.shared = shared
        stub = try StubServer { shared.answer($0) }
    }

    var host: String { stub.host }
    var seen: State { shared.state.withLock { $0 } }

    private final class Shared: Sendable {
        let state: Mutex<State>
        init(_ state: State) { self.state = Mutex(state) }

        func answer(_ request: StubRequest) -> StubReply {
            state.withLock { state in
                let range = request.headers["content-range"].map { " \($0)" } ?? ""
                state.requests.append(request.method + range)
                func progress(_ status: Int) -> StubReply {
                    var headers = [("Location", "/upload/\(state.content.count)")]
                    if !state.content.isEmpty { headers.append(("Range", "0-\(state.content.count - 1)")) }
                    if let least = state.leastChunk { headers.append(("OCI-Chunk-Min-Length", "\(least)")) }
                    return .text(status, "", headers: headers)
                }
                switch request.method {
                case "HEAD": return .text(state.isStored ? 200 : 404, "")
                case "POST":
                    state.content = []
                    return progress(202)
                case "GET":
                    if state.forgets {
                        state.forgets = false
                        return .text(404, "{}")
                    }
                    return progress(204)
                case "PATCH", "PUT":
                    let most = request.method == "PATCH" ? min(state.mostPatch, state.mostBody) : state.mostBody
                    if request.body.count > most { return .text(413, "too large") }
                    if state.losesPatch, request.method == "PATCH" {
                        state.losesPatch = false
                        return .text(202, "", headers: [("Location", "/upload/0"), ("Range", "0-0")])
                    }
                    if let count = state.breakAfter, !request.body.isEmpty {
                        state.breakAfter = nil
                        state.content += request.body.prefix(count)
                        return .reset([])
                    }
                    if request.method == "PATCH", let start = range.split(separator: "-").first,
                        Int(start.dropFirst()) != state.content.count
                    {
                        return .text(416, "")
                    }
                    state.content += request.body
                    if request.method == "PATCH" { return progress(202) }
                    let wanted = request.target.split(separator: "=").last.map(String.init) ?? ""
                    guard Digest.sha256(of: state.content).description == wanted else {
                        return .text(400, #"{"errors":[{"code":"DIGEST_INVALID"}]}"#)
                    }
                    state.isStored = true
                    return .text(201, "")
                default: return .text(405, "")
                }
            }
        }
    }
}
