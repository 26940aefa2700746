import Foundation
import Synchronization

/// A Git LFS server in the test's own process (a fake): the batch API for downloads, and the objects themselves.
///
/// https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
package final class FakeLargeFileServer: Sendable {
    /// What is wrong with the server.
    package struct Faults: Sendable {
        /// Objects by their ids that it says it lacks.
        package var missing: Set<String> = []
        /// Bytes that it sends in place of an object's.
        package var content: [String: [UInt8]] = [:]
        /// Answers to the first downloads.
        package var statuses: [Int] = []
        /// Where it sends downloads; by default to itself.
        package var objects: String?

        package init() {}
    }

    private let stub: StubServer
    private let state: Faulty

    /// - Parameters:
    ///   - contents: what it keeps.
    ///   - authorization: the header's value that the API wants to see.
    package init(_ contents: [[UInt8]], authorization: String? = nil, faults: Faults = Faults()) throws {
        let objects = Dictionary(try contents.map { (try Self.id(of: $0), $0) }) { first, _ in first }
        let state = Faulty(faults)
        self.state = state
        stub = try StubServer { request in
            if request.path.hasSuffix("/objects/batch") {
                if let authorization, request.headers["authorization"] != authorization {
                    return .text(401, #"{"message": "who are you?"}"#)
                }
                return Self.batch(request, objects, state.faults.withLock { $0 })
            }
            let status = state.faults.withLock { $0.statuses.isEmpty ? 200 : $0.statuses.removeFirst() }
            guard status == 200 else { return .text(status, "no") }
            let id = String(request.path.split(separator: "/").last ?? "")
            let content = state.faults.withLock { $0.content[id] } ?? objects[id]
            return content.map { .answer(200, body: $0) } ?? .text(404, "no such object")
        }
    }

    private final class Faulty: Sendable {
        let faults: Mutex<Faults>
        init(_ faults: Faults) { self.faults = Mutex(faults) }
    }

    /// The id of content, worked out by another program than ours.
    package static func id(of content: [UInt8]) throws -> String {
        String(try Shell.run(["sha256sum"], input: content).stdout.prefix(64))
    }

    /// The pointer file for content.
    package static func pointer(to content: [UInt8]) throws -> String {
        "version https://git-lfs.github.com/spec/v1\noid sha256:\(try id(of: content))\nsize \(content.count)\n"
    }

    private static func batch(
        _ request: StubRequest, _ objects: [String: [UInt8]], _ faults: Faults
    ) -> StubReply {
        guard request.method == "POST",
            request.headers["content-type"]?.hasPrefix("application/vnd.git-lfs+json") == true,
            let question = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any],
            question["operation"] as? String == "download", let asked = question["objects"] as? [[String: Any]]
        else { return .text(422, #"{"message": "that is no question"}"#) }
        let host = faults.objects ?? "http://\(request.headers["host"] ?? "")"
        let answers = asked.map { object -> [String: Any] in
            let id = object["oid"] as? String ?? ""
            guard objects[id] != nil, !faults.missing.contains(id) else {
                return [
                    "oid": id, "size": object["size"] ?? 0, "error": ["code": 404, "message": "Object does not exist"],
                ]
            }
            return [
                "oid": id, "size": object["size"] ?? 0, "authenticated": true,
                "actions": [
                    "download": ["href": "\(host)/info/lfs/object/\(id)", "header": ["X-Ticket": "for-\(id)"]]
                ],
            ]
        }
        let body = (try? JSONSerialization.data(withJSONObject: ["transfer": "basic", "objects": answers])) ?? Data()
        return .answer(200, headers: [("Content-Type", "application/vnd.git-lfs+json")], body: Array(body))
    }

    package var url: String { stub.url }

    /// nginx's directives by which a git server hands the API's requests on.
    package var proxy: String {
        "location ~ /info/lfs/ { auth_basic off; proxy_pass \(url); proxy_set_header Host $http_host; }\n"
    }

    package var requests: [StubRequest] { stub.requests }
    package var batches: [StubRequest] { requests.filter { $0.path.hasSuffix("/objects/batch") } }
    package var downloads: [StubRequest] { requests.filter { !$0.path.hasSuffix("/objects/batch") } }

    package func change(_ body: (inout Faults) -> Void) { state.faults.withLock { body(&$0) } }

    package func stop() { stub.stop() }
}
