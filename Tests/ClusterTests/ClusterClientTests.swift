import Cluster
import Foundation
import HTTP
import JSON
import Synchronization
import TestSupport
import Testing

/// Answers that a real API server gives seldom.
@Suite(.tags(.unit)) struct ClusterClientTests {
    private static let kept = Mutex<[StubServer]>([])

    private static func client(
        _ answer: @escaping @Sendable (StubRequest, Int) -> StubReply
    ) throws -> (ClusterClient, StubServer) {
        let count = Atomic(0)
        let server = try StubServer { request in answer(request, count.add(1, ordering: .relaxed).oldValue) }
        // A test that does not ask the server holds no reference to it, and without one it stops.
        kept.withLock { $0.append(server) }
        let endpoint = ClusterEndpoint(server: try HTTPURL(server.url))
        return (ClusterClient(endpoint, userAgent: "slipway-test"), server)
    }

    private static let pods = ResourcePath(.pod, namespace: "shop")
    private static let pod = ResourcePath(.pod, namespace: "shop", name: "api")

    private static func status(_ code: Int, _ reason: String, headers: [(String, String)] = []) -> StubReply {
        .text(
            code,
            #"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"it is \#(reason)","reason":"\#(reason)","code":\#(code)}"#,
            headers: headers)
    }

    @Test func `lists come in pages, and begin again when the server forgot the first`() async throws {
        let (client, server) = try Self.client { request, number in
            switch number {
            case 0:
                .text(200, #"{"items":[{"n":1}],"metadata":{"continue":"a b","resourceVersion":"5"}}"#)
            case 1: Self.status(410, "Expired")
            case 2: .text(200, #"{"items":[{"n":1}],"metadata":{"continue":"c","resourceVersion":"6"}}"#)
            default: .text(200, #"{"items":[{"n":2}],"metadata":{"resourceVersion":"6"}}"#)
            }
        }
        let (objects, version) = try await client.list(Self.pods, selector: "app=shop,tier!=db")
        #expect(objects == [["n": 1], ["n": 2]])
        #expect(version == "6")
        let targets = server.requests.map(\.target)
        #expect(targets[0] == "/api/v1/namespaces/shop/pods?limit=500&labelSelector=app%3Dshop%2Ctier%21%3Ddb")
        #expect(targets[1].hasSuffix("&continue=a%20b"))
        #expect(targets[2] == targets[0])
    }

    @Test func `a kind that the server does not know is asked for once a cycle`() async throws {
        let (client, server) = try Self.client { _, number in
            number < 2
                ? Self.status(404, "NotFound") : .text(200, #"{"resources":[{"name":"widgets","kind":"Widget"}]}"#)
        }
        let directory = ResourceDirectory(client)
        let widgets = (0..<4).map { number -> ManifestObject in
            let name = JSONValue.string("w\(number)")
            return ManifestObject(
                ["apiVersion": "example.com/v1", "kind": "Widget", "metadata": ["name": name]], place: "w.yaml")
        }
        for cycle in 1...2 {
            await directory.lookAgain()
            for widget in widgets {
                await #expect(throws: ClusterError.self) { _ = try await directory.kind(of: widget) }
            }
            #expect(server.requests.count == cycle)
        }
        // Its definition has come.
        await directory.lookAgain()
        for widget in widgets { #expect(try await directory.kind(of: widget).plural == "widgets") }
        #expect(server.requests.count == 3)
    }

    @Test(arguments: [
        (401, "Unauthorized", ClusterError.Code.unauthorized), (403, "Forbidden", .forbidden),
        (404, "NotFound", .notFound),
        (409, "Conflict", .conflict), (410, "Expired", .gone), (422, "Invalid", .invalid),
    ])
    func `failures have codes and the server's words`(_ status: Int, _ reason: String, _ code: ClusterError.Code)
        async throws
    {
        let (client, _) = try Self.client { _, _ in Self.status(status, reason) }
        let error = await #expect(throws: ClusterError.self) { _ = try await client.get(Self.pod) }
        #expect(error?.code == code)
        #expect(error?.summary == "cannot get Pod shop/api")
        #expect(error?.cause == "it is \(reason)")
    }

    @Test func `the words of others cannot steer a terminal`() async throws {
        let (client, _) = try Self.client { _, _ in
            .text(422, #"{"kind":"Status","message":"a\u001b[31mb\n"}"#)
        }
        let error = await #expect(throws: ClusterError.self) { _ = try await client.get(Self.pod) }
        #expect(error?.cause == "a\u{fffd}[31mb\u{fffd}")
    }

    @Test func `reading is tried again, making is not`() async throws {
        for method in ["GET", "POST"] {
            let (client, server) = try Self.client { _, number in
                number == 0 ? .text(503, "not yet", headers: [("Retry-After", "0")]) : .text(200, "{}")
            }
            if method == "GET" {
                _ = try await client.get(Self.pod)
                #expect(server.requests.count == 2)
            } else {
                let error = await #expect(throws: ClusterError.self) { _ = try await client.create([:], at: Self.pods) }
                #expect(error?.code == .unavailable)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test func `who is asked to wait waits, whatever was asked`() async throws {
        let (client, server) = try Self.client { _, number in
            number < 2 ? Self.status(429, "TooManyRequests", headers: [("Retry-After", "0")]) : .text(201, "{}")
        }
        _ = try await client.create([:], at: Self.pods)
        #expect(server.requests.map(\.method) == ["POST", "POST", "POST"])
    }

    @Test func `a conflict names fields and owners`() async throws {
        let (client, server) = try Self.client { _, _ in
            .text(
                409,
                #"{"kind":"Status","message":"Apply failed","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"hpa\"","field":".spec.replicas"}]}}"#
            )
        }
        var manager = FieldManager(name: "slipway")
        manager.impersonated = "system:serviceaccount:shop:deployer"
        let error = await #expect(throws: ClusterError.self) {
            _ = try await client.apply(["kind": "Pod"], at: Self.pod, by: manager)
        }
        #expect(error?.code == .conflict)
        #expect(error?.details.map(\.reason) == ["FieldManagerConflict"])
        #expect(error?.details.map(\.message) == ["conflict with \"hpa\""])
        #expect(error?.details.map(\.field) == [".spec.replicas"])
        let request = try #require(server.requests.first)
        #expect(request.target == "/api/v1/namespaces/shop/pods/api?fieldManager=slipway&force=false")
        #expect(request.headers["content-type"] == "application/apply-patch+yaml")
        #expect(request.headers["impersonate-user"] == "system:serviceaccount:shop:deployer")
    }

    @Test func `a token file is read for each request`() async throws {
        let folder = try TemporaryDirectory("token")
        let server = try StubServer { _ in .text(200, "{}") }
        var endpoint = ClusterEndpoint(server: try HTTPURL(server.url))
        endpoint.credentials = .tokenFile(folder.file("token"))
        let client = ClusterClient(endpoint, userAgent: "slipway-test")
        for token in ["one", "two\n"] {
            try token.write(toFile: folder.file("token"), atomically: true, encoding: .utf8)
            _ = try await client.get(Self.pod)
        }
        #expect(server.requests.map { $0.headers["authorization"] } == ["Bearer one", "Bearer two"])
    }

    @Test func `a plugin is asked again when its token is refused`() async throws {
        let folder = try TemporaryDirectory("plugin")
        let script = """
            #!/bin/sh
            echo x >> "$COUNT"
            n=$(wc -l < "$COUNT")
            case "$KUBERNETES_EXEC_INFO" in *ExecCredential*) ;; *) exit 3;; esac
            echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"token-'$n'"}}'
            """
        try script.write(toFile: folder.file("plugin"), atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.file("plugin"))
        let server = try StubServer { request in
            request.headers["authorization"] == "Bearer token-1" && request.path.hasSuffix("late")
                ? .text(401, "") : .text(200, "{}")
        }
        let config = """
            kind: Config
            current-context: c
            contexts: [{name: c, context: {cluster: k, user: u}}]
            clusters: [{name: k, cluster: {server: "\(server.url)"}}]
            users:
              - name: u
                user:
                  exec:
                    apiVersion: client.authentication.k8s.io/v1
                    command: \(folder.file("plugin"))
                    env: [{name: COUNT, value: \(folder.file("count"))}]
            """
        try config.write(toFile: folder.file("config"), atomically: true, encoding: .utf8)
        let client = ClusterClient(try Kubeconfig(file: folder.file("config")).endpoint(), userAgent: "slipway-test")
        for name in ["api", "api", "late"] {
            _ = try await client.get(ResourcePath(.pod, namespace: "shop", name: name))
        }
        #expect(
            server.requests.map { $0.headers["authorization"] } == [
                "Bearer token-1", "Bearer token-1", "Bearer token-1", "Bearer token-2",
            ])
    }

    // MARK: Watches

    private static func event(_ type: String, _ version: Int, name: String = "api") -> String {
        #"{"type":"\#(type)","object":{"metadata":{"name":"\#(name)","resourceVersion":"\#(version)"}}}"# + "\n"
    }

    /// What a watch tells until `count` things were told.
    private static func told(_ count: Int, by client: ClusterClient) async -> [String] {
        var told: [String] = []
        await client.watch(pods) { change in
            switch change {
            case .listed(let objects): told.append("listed \(objects.count)")
            case .added(let object): told.append("added \(object["metadata"]["resourceVersion"].text ?? "")")
            case .modified(let object): told.append("modified \(object["metadata"]["resourceVersion"].text ?? "")")
            case .deleted(let object): told.append("deleted \(object["metadata"]["resourceVersion"].text ?? "")")
            case .failed(let error): told.append("failed \(error.code)")
            }
            return told.count < count
        }
        return told
    }

    @Test func `a watch that ends is resumed behind what was seen, bookmarks too`() async throws {
        let (client, server) = try Self.client { request, number in
            switch number {
            case 0: .text(200, #"{"items":[{}],"metadata":{"resourceVersion":"5"}}"#)
            case 1: .text(200, Self.event("ADDED", 6) + Self.event("BOOKMARK", 9))
            default: .text(200, Self.event("MODIFIED", 11) + Self.event("DELETED", 12))
            }
        }
        #expect(await Self.told(4, by: client) == ["listed 1", "added 6", "modified 11", "deleted 12"])
        let versions = server.requests.map { $0.target.split(separator: "resourceVersion=").dropFirst().first ?? "" }
        #expect(versions == ["", "5", "9"])
    }

    @Test func `a forgotten version begins with a list again`() async throws {
        let gone = #"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"# + "\n"
        let (client, _) = try Self.client { request, number in
            switch number {
            case 0, 2: .text(200, #"{"items":[],"metadata":{"resourceVersion":"5"}}"#)
            case 1: .text(200, Self.event("ADDED", 6) + gone)
            case 3: Self.status(410, "Gone")
            default: .text(200, #"{"items":[{},{}],"metadata":{"resourceVersion":"7"}}"#)
            }
        }
        #expect(await Self.told(4, by: client) == ["listed 0", "added 6", "listed 0", "listed 2"])
    }

    @Test func `a watch that is refused says so and goes on`() async throws {
        let (client, _) = try Self.client { _, number in
            number == 0 ? Self.status(403, "Forbidden") : .text(200, #"{"items":[],"metadata":{}}"#)
        }
        #expect(await Self.told(2, by: client) == ["failed forbidden", "listed 0"])
    }

    @Test func `a reader that is too slow loses no change`() async throws {
        let all = (1...5_000).map { Self.event("ADDED", $0) }.joined()
        let (client, _) = try Self.client { request, number in
            guard number > 0 else { return .text(200, #"{"items":[],"metadata":{"resourceVersion":"0"}}"#) }
            let seen = Int(request.target.split(separator: "resourceVersion=").last ?? "") ?? 0
            return .text(
                200, seen == 0 ? all : (seen + 1...max(seen + 1, 5_000)).map { Self.event("ADDED", $0) }.joined())
        }
        let told = await Self.told(5_001, by: client)
        #expect(told == ["listed 0"] + (1...5_000).map { "added \($0)" })
    }
}
