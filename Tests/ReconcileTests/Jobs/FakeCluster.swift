import Cluster
import Foundation
import HTTP
import JSON
import TestSupport

/// An API server in memory, with what the controller of Jobs and a node would do: as much of it as builds use.
///
/// `@unchecked Sendable`: all state is used under `news`.
final class FakeCluster: @unchecked Sendable {
    /// What becomes of a Job's container.
    typealias Kubelet = @Sendable (FakePod) -> Void
    /// What stands for an answer; `nil`: the answer.
    typealias Fault = @Sendable (StubRequest, _ when: Moment) -> StubReply?

    enum Moment { case before, after }

    private struct Change {
        let version: Int
        let type: String
        let kind: String
        let object: JSONValue
    }

    private let news = NSCondition()
    private var objects: [String: JSONValue] = [:]
    private var changes: [Change] = []
    private var version = 1
    private var number = 0
    private var logs: [String: [String]] = [:]
    private var ended: Set<String> = []
    /// Pods whose log was asked for.
    private var readers: Set<String> = []
    private var kubelet: Kubelet
    private var fault: Fault?
    private var server: StubServer?

    init(_ kubelet: @escaping Kubelet) throws {
        self.kubelet = kubelet
        server = try StubServer { [weak self] request in self?.answer(request) ?? .reset([]) }
    }

    var endpoint: ClusterEndpoint {
        get throws {
            guard let server else { throw TestSupportError("there is no server") }
            var endpoint = ClusterEndpoint(server: try HTTPURL(server.url))
            endpoint.namespace = "builds"
            return endpoint
        }
    }

    var requests: [StubRequest] { server?.requests ?? [] }

    func locked<Value>(_ body: () throws -> Value) rethrows -> Value {
        news.lock()
        defer { news.unlock() }
        return try body()
    }

    func setKubelet(_ kubelet: @escaping Kubelet) { locked { self.kubelet = kubelet } }
    func setFault(_ fault: Fault?) { locked { self.fault = fault } }

    /// All objects of a kind, by name.
    func all(_ kind: String) -> [JSONValue] {
        locked { objects.filter { $0.key.hasPrefix("\(kind)/") }.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// How many containers were ever started.
    var started: Int { locked { number } }

    // MARK: The node's part

    func put(_ kind: String, _ object: JSONValue) { locked { store(kind, object) } }

    func change(_ kind: String, _ name: String, _ body: (inout JSONValue) -> Void) {
        locked {
            guard var object = objects["\(kind)/\(name)"] else { return }
            body(&object)
            store(kind, object)
        }
    }

    func remove(_ kind: String, _ name: String) { locked { erase(kind, name) } }

    func write(_ line: String, to pod: String) {
        locked {
            logs[pod, default: []].append(line)
            news.broadcast()
        }
    }

    /// Waits until somebody reads the log of a pod.
    func waitForReader(of pod: String) {
        locked {
            let limit = Date(timeIntervalSinceNow: 10)
            while !readers.contains(pod), news.wait(until: limit) {}
        }
    }

    func endLog(of pod: String) {
        locked {
            _ = ended.insert(pod)
            news.broadcast()
        }
    }

    // MARK: The server's part. All of it is called under the lock.

    private func store(_ kind: String, _ object: JSONValue) {
        version += 1
        var object = object
        object["metadata"]["resourceVersion"] = .string("\(version)")
        let path = "\(kind)/\(object["metadata"]["name"].text ?? "")"
        let type = objects[path] == nil ? "ADDED" : "MODIFIED"
        objects[path] = object
        changes.append(Change(version: version, type: type, kind: kind, object: object))
        news.broadcast()
    }

    private func erase(_ kind: String, _ name: String) {
        guard var object = objects.removeValue(forKey: "\(kind)/\(name)") else { return }
        object["metadata"]["deletionTimestamp"] = "2026-12-01T03:00:00Z"
        version += 1
        changes.append(Change(version: version, type: "DELETED", kind: kind, object: object))
        news.broadcast()
        let uid = object["metadata"]["uid"]
        for (path, owned) in objects
        where owned["metadata"]["ownerReferences"].items.contains(where: { $0["uid"] == uid }) {
            let parts = path.split(separator: "/").map(String.init)
            if parts[0] == "pods" { ended.insert(parts[1]) }
            erase(parts[0], parts[1])
        }
    }

    private func answer(_ request: StubRequest) -> StubReply {
        let fault: Fault? = locked { self.fault }
        if let reply = fault?(request, .before) { return reply }
        let answer = locked { reply(to: request) }
        return fault?(request, .after) ?? answer
    }

    private func reply(to request: StubRequest) -> StubReply {
        let parts = request.path.split(separator: "/").map(String.init)
        guard let place = parts.firstIndex(of: "namespaces"), parts.count > place + 2, parts[place + 1] == "builds"
        else {
            return Self.status(404, "NotFound")
        }
        let (kind, name) = (parts[place + 2], parts.count > place + 3 ? parts[place + 3] : nil)
        let query = Self.query(request.target)
        if let name, parts.last == "log" { return log(of: name, query) }
        let body = (try? JSONReader.read(request.body)) ?? .null
        switch (request.method, name) {
        case ("POST", nil): return create(kind, body)
        case ("GET", let name?): return objects["\(kind)/\(name)"].map(Self.ok) ?? Self.status(404, "NotFound")
        case ("GET", nil): return query["watch"] == nil ? list(kind, query) : watch(kind, query)
        case ("PATCH", let name?):
            guard let known = objects["\(kind)/\(name)"] else { return Self.status(404, "NotFound") }
            let merged = Self.merge(body, into: known)
            guard merged["metadata"]["uid"] == known["metadata"]["uid"] else { return Self.status(409, "Conflict") }
            store(kind, merged)
            if known["spec"]["suspend"].isTrue, !merged["spec"]["suspend"].isTrue { start(merged) }
            return Self.ok(merged)
        case ("DELETE", let name?):
            guard let known = objects["\(kind)/\(name)"] else { return Self.status(404, "NotFound") }
            if let uid = body["preconditions"]["uid"].text, uid != known["metadata"]["uid"].text {
                return Self.status(409, "Conflict")
            }
            erase(kind, name)
            return Self.ok(known)
        default: return Self.status(405, "MethodNotAllowed")
        }
    }

    private func create(_ kind: String, _ body: JSONValue) -> StubReply {
        guard let name = body["metadata"]["name"].text else { return Self.status(422, "Invalid") }
        guard objects["\(kind)/\(name)"] == nil else { return Self.status(409, "AlreadyExists") }
        var object = body
        object["metadata"]["namespace"] = "builds"
        object["metadata"]["uid"] = .string("uid-\(version)")
        store(kind, object)
        return Self.ok(objects["\(kind)/\(name)"] ?? .null)
    }

    /// A pod for the Job, and what becomes of it.
    private func start(_ job: JSONValue) {
        number += 1
        let pod = FakePod(cluster: self, job: job, name: "\(job["metadata"]["name"].text ?? "")-\(number)")
        let kubelet = kubelet
        Thread.detachNewThread { kubelet(pod) }
    }

    private func matching(_ kind: String, _ query: [String: String], _ object: JSONValue) -> Bool {
        for pair in (query["labelSelector"] ?? "").split(separator: ",") {
            let sides = pair.split(separator: "=").map(String.init)
            if object["metadata"]["labels"][sides[0]].text != sides.last { return false }
        }
        guard let field = query["fieldSelector"] else { return true }
        return field == "metadata.name=\(object["metadata"]["name"].text ?? "")"
    }

    private func list(_ kind: String, _ query: [String: String]) -> StubReply {
        let found = objects.filter { $0.key.hasPrefix("\(kind)/") && matching(kind, query, $0.value) }
            .sorted { $0.key < $1.key }.map(\.value)
        return Self.ok(["items": .array(found), "metadata": ["resourceVersion": .string("\(version)")]])
    }

    /// Ends with the first news, or after a while.
    private func watch(_ kind: String, _ query: [String: String]) -> StubReply {
        let since = Int(query["resourceVersion"] ?? "") ?? 0
        let limit = Date(timeIntervalSinceNow: 2)
        while true {
            let found = changes.filter { $0.version > since && $0.kind == kind && matching(kind, query, $0.object) }
            guard found.isEmpty else {
                let lines = found.map { change -> String in
                    var object = change.object
                    object["metadata"]["resourceVersion"] = .string("\(change.version)")
                    let line: JSONValue = ["type": .string(change.type), "object": object]
                    return String(decoding: line.encoded, as: UTF8.self) + "\n"
                }
                return .text(200, lines.joined())
            }
            if !news.wait(until: limit) { return .text(200, "") }
        }
    }

    /// Lines have their number as the fraction of their second, so that no two share a time.
    private func log(of pod: String, _ query: [String: String]) -> StubReply {
        guard objects["pods/\(pod)"] != nil else { return Self.status(404, "NotFound") }
        readers.insert(pod)
        news.broadcast()
        let limit = Date(timeIntervalSinceNow: 5)
        while query["follow"] == "true", !ended.contains(pod), news.wait(until: limit) {}
        let lines = (logs[pod] ?? []).enumerated().map { number, line in
            "2026-12-01T03:00:00.\(String(1_000 + number).dropFirst())Z \(line)\n"
        }
        return .text(200, lines.joined())
    }

    private static func ok(_ object: JSONValue) -> StubReply { .answer(200, body: object.encoded) }

    private static func status(_ code: Int, _ reason: String) -> StubReply {
        .text(
            code,
            #"{"kind":"Status","status":"Failure","message":"it is \#(reason)","reason":"\#(reason)","code":\#(code)}"#)
    }

    private static func query(_ target: String) -> [String: String] {
        let items = URLComponents(string: target)?.queryItems ?? []
        return Dictionary(items.map { ($0.name, $0.value ?? "") }) { $1 }
    }

    /// RFC 7386
    private static func merge(_ patch: JSONValue, into target: JSONValue) -> JSONValue {
        guard case .object(let members) = patch else { return patch }
        var result = target
        for (key, value) in members {
            if value.isNull { result.remove(key) } else { result[key] = merge(value, into: target[key]) }
        }
        return result
    }
}
