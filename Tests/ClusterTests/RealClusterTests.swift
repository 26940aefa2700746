import Cluster
import Diagnostics
import Foundation
import HTTP
import JSON
import TestSupport
import Testing

/// Against a real cluster, which `KUBECONFIG` names (`make test-cluster`).
@Suite(.tags(.integration), .enabled(if: RealCluster.isThere, "KUBECONFIG names no cluster"), .serialized)
struct RealClusterTests {
    private let client: ClusterClient

    init() throws { client = try RealCluster.client() }

    private func withNamespace(_ body: (String) async throws -> Void) async throws {
        let name = "slipway-\(UUID().uuidString.prefix(8).lowercased())"
        let path = ResourcePath(.namespace, name: name)
        _ = try await client.create(
            ["kind": "Namespace", "apiVersion": "v1", "metadata": ["name": .string(name)]], at: path)
        do {
            try await body(name)
        } catch {
            try await client.delete(path)
            throw error
        }
        try await client.delete(path)
    }

    private func map(_ name: String, _ data: JSONValue) -> JSONValue {
        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name)], "data": data]
    }

    @Test func `the server says its version`() async throws {
        #expect(try await client.read("/version")["major"].text == "1")
    }

    @Test func `objects are made, found, replaced, patched, deleted`() async throws {
        try await withNamespace { namespace in
            let path = ResourcePath(.configMap, namespace: namespace, name: "one")
            #expect(try await client.find(path) == nil)
            let made = try await client.create(map("one", ["a": "1"]), at: path)
            let twice = await #expect(throws: ClusterError.self) {
                _ = try await client.create(map("one", [:]), at: path)
            }
            #expect(twice?.code == .conflict)
            var next = made
            next["data"] = ["a": "2"]
            _ = try await client.replace(next, at: path)
            // The version that was read first is not there any more.
            let stale = await #expect(throws: ClusterError.self) { _ = try await client.replace(made, at: path) }
            #expect(stale?.code == .conflict)
            #expect(try await client.merge(["data": ["b": "3"]], at: path)["data"] == ["a": "2", "b": "3"])
            let other = await #expect(throws: ClusterError.self) {
                try await client.delete(path, uid: "00000000-0000-0000-0000-000000000000")
            }
            #expect(other?.code == .conflict)
            try await client.delete(path, uid: made["metadata"]["uid"].text)
            try await client.delete(path)
            #expect(try await client.find(path) == nil)
        }
    }

    @Test func `apply tells who owns a field, and takes it over when it is asked to`() async throws {
        try await withNamespace { namespace in
            let path = ResourcePath(.configMap, namespace: namespace, name: "one")
            _ = try await client.apply(map("one", ["a": "1", "b": "1"]), at: path, by: FieldManager(name: "person"))
            var slipway = FieldManager(name: "slipway")
            let conflict = await #expect(throws: ClusterError.self) {
                _ = try await client.apply(map("one", ["a": "2"]), at: path, by: slipway)
            }
            #expect(conflict?.details.map(\.field) == [".data.a"])
            #expect(conflict?.details.first?.message.contains("person") == true)
            slipway.takesOver = true
            slipway.isDryRun = true
            #expect(try await client.apply(map("one", ["a": "2"]), at: path, by: slipway)["data"]["a"] == "2")
            #expect(try await client.get(path)["data"]["a"] == "1")
            slipway.isDryRun = false
            #expect(
                try await client.apply(map("one", ["a": "2"]), at: path, by: slipway)["data"] == ["a": "2", "b": "1"])
        }
    }

    @Test func `lists of more than a page`() async throws {
        try await withNamespace { namespace in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<600 {
                    group.addTask {
                        let path = ResourcePath(.configMap, namespace: namespace)
                        _ = try await client.create(map("m\(number)", [:]), at: path)
                    }
                }
                try await group.waitForAll()
            }
            let (objects, version) = try await client.list(ResourcePath(.configMap, namespace: namespace))
            let names = Set(objects.compactMap { $0["metadata"]["name"].text })
            #expect(names.isSuperset(of: (0..<600).map { "m\($0)" }))
            #expect(!version.isEmpty)
        }
    }

    @Test func `a watch sees what happens`() async throws {
        try await withNamespace { namespace in
            let path = ResourcePath(.configMap, namespace: namespace, name: "one")
            let (changes, feed) = AsyncStream<String>.makeStream()
            let watching = Task {
                await client.watch(path) { change in
                    switch change {
                    case .listed: feed.yield("listed")
                    case .added: feed.yield("added")
                    case .modified: feed.yield("modified")
                    case .deleted: feed.yield("deleted")
                    case .failed(let error): feed.yield("failed \(error)")
                    }
                    return true
                }
            }
            defer { watching.cancel() }
            var told = changes.makeAsyncIterator()
            #expect(await told.next() == "listed")
            _ = try await client.create(map("one", [:]), at: path)
            #expect(await told.next() == "added")
            _ = try await client.merge(["data": ["a": "1"]], at: path)
            #expect(await told.next() == "modified")
            try await client.delete(path)
            #expect(await told.next() == "deleted")
        }
    }

    @Test func `who has no rights is refused with the reason`() async throws {
        var endpoint = client.endpoint
        endpoint.trust.clientCertificate = nil
        endpoint.trust.clientKey = nil
        endpoint.credentials = .bearer("no-such-token")
        let stranger = ClusterClient(endpoint, userAgent: "slipway-test")
        let error = await #expect(throws: ClusterError.self) {
            _ = try await stranger.list(ResourcePath(.secret, namespace: "kube-system"))
        }
        #expect(error?.code == .unauthorized)
        #expect(error?.description.contains("no-such-token") == false)
    }
}

enum RealCluster {
    private static let file = ProcessInfo.processInfo.environment["KUBECONFIG"]

    static var isThere: Bool { file?.isEmpty == false }

    static func client() throws -> ClusterClient {
        let file = try #require(file)
        return ClusterClient(try Kubeconfig(file: file).endpoint(), userAgent: "slipway-test")
    }
}
