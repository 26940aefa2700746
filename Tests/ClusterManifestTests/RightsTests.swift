import Agent
import Cluster
import Foundation
import HTTP
import JSON
import Logging
import Notifications
import TestSupport
import Testing

private enum RightsCluster {
    static let isThere = ProcessInfo.processInfo.environment["KUBECONFIG"].map { !$0.isEmpty } ?? false
}

/// The shipped Roles in a real cluster: each feature has what it needs, and each right is one that it would miss.
@Suite(.tags(.integration), .enabled(if: RightsCluster.isThere, "KUBECONFIG names no cluster"), .serialized)
struct RightsTests {
    private let admin: ClusterClient
    private let namespace = "slipway-rights-\(UUID().uuidString.prefix(8).lowercased())"

    private static let role = ResourceKind("rbac.authorization.k8s.io", "v1", plural: "roles", kind: "Role")
    private static let binding = ResourceKind(
        "rbac.authorization.k8s.io", "v1", plural: "rolebindings", kind: "RoleBinding")
    private static let account = ResourceKind("", "v1", plural: "serviceaccounts", kind: "ServiceAccount")

    init() throws {
        let file = try #require(ProcessInfo.processInfo.environment["KUBECONFIG"])
        admin = ClusterClient(try Kubeconfig(file: file).endpoint(), userAgent: "slipway-test")
    }

    @Test(arguments: ClusterFeature.allCases)
    func `each right of a feature's role is needed`(feature: ClusterFeature) async throws {
        try await withNamespace { try await check(feature) }
    }

    @Test func `Events are written on the Deployment, and counted, by the shipped role`() async throws {
        try await withNamespace {
            let client = try await agent()
            try await grant(try shipped([]))
            let deployment = try await deploy()
            let pod = try #require(AgentPod(PodEnvironment(name: "slipway-1-a", namespace: namespace)))
            let recorder = EventRecorder(
                ClusterEvents(client), pod: pod, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            func take(_ title: String) {
                let now = SystemClock().now
                recorder.take([Notice(.buildFailed, of: "shop", title: title, text: "exit code 2", at: now)])
            }
            take("shop: the build of web failed")
            take("shop: the build of api failed")
            let events = ResourcePath(ClusterEvents.kind, namespace: namespace)
            var found: [JSONValue] = []
            try await waitUntil("the Event is counted") {
                found = try await admin.list(events).objects.filter {
                    $0["reportingController"].text == "slipway.dev/agent"
                }
                return found.first?["series"]["count"].integer == 2
            }
            #expect(found.count == 1)
            let event = try #require(found.first)
            #expect(event["regarding"]["kind"] == "Deployment")
            #expect(event["regarding"]["uid"] == deployment["metadata"]["uid"])
            #expect(event["note"] == "shop: the build of web failed\nexit code 2")
            #expect(event["type"] == "Warning")
        }
    }

    /// What the chart installs, and controllers make of it: a Deployment, its ReplicaSet and a pod of that.
    private func deploy() async throws -> JSONValue {
        let labels: JSONValue = ["app": "slipway"]
        let pod: JSONValue = [
            "serviceAccountName": "slipway", "automountServiceAccountToken": false,
            "containers": [["name": "slipway", "image": "slipway"]],
        ]
        func make(_ kind: ResourceKind, _ name: JSONValue, of owner: JSONValue?, _ spec: JSONValue) async throws
            -> JSONValue
        {
            var object: JSONValue = [
                "apiVersion": .string(kind.apiVersion), "kind": .string(kind.kind),
                "metadata": ["name": name, "labels": labels], "spec": spec,
            ]
            if let owner {
                object["metadata"]["ownerReferences"] = [
                    [
                        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                        "uid": owner["metadata"]["uid"], "controller": true,
                    ]
                ]
            }
            return try await admin.create(object, at: ResourcePath(kind, namespace: namespace))
        }
        let template: JSONValue = ["metadata": ["labels": labels], "spec": pod]
        let set: JSONValue = ["replicas": 1, "selector": ["matchLabels": labels], "template": template]
        var paused = set
        // Where there are controllers, they leave it as it is.
        paused["paused"] = true
        let deployment = try await make(Self.apps("Deployment"), "slipway", of: nil, paused)
        let replicaSet = try await make(Self.apps("ReplicaSet"), "slipway-1", of: deployment, set)
        _ = try await make(.pod, "slipway-1-a", of: replicaSet, pod)
        return deployment
    }

    private static func apps(_ kind: String) -> ResourceKind {
        ResourceKind("apps", "v1", plural: kind.lowercased() + "s", kind: kind)
    }

    private func withNamespace(_ body: () async throws -> Void) async throws {
        let path = ResourcePath(.namespace, name: namespace)
        _ = try await admin.create(
            ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]], at: path)
        do {
            try await body()
        } catch {
            try await admin.delete(path)
            throw error
        }
        try await admin.delete(path)
    }

    private func check(_ feature: ClusterFeature) async throws {
        let settings: [String] =
            switch feature {
            case .apply: ["events=false", "apply.namespaces={\(namespace)}"]
            case .builds: ["events=false", "builder=kubernetes"]
            case .leaderElection: ["events=false", "replicas=2"]
            case .events: []
            }
        let shipped = try shipped(settings)
        #expect(!shipped.isEmpty)
        let client = try await agent()
        let examination = ClusterExamination(client: client, needed: [feature: [namespace]])

        // The API server hears of a changed Role a moment after it has taken it.
        try await grant(shipped)
        var found: DoctorFinding?
        try await waitUntil("all rights of \(feature) are granted") {
            found = try await finding(of: feature, by: examination)
            return found?.status == .ok
        }
        for right in ClusterRight.all where right.feature == feature {
            try await grant(shipped.compactMap { Self.without(right, $0) })
            let expected = "\(right.shown) in \(namespace)"
            try await waitUntil("only \(expected) is missing") {
                found = try await finding(of: feature, by: examination)
                return found?.cause == expected
            }
            #expect(found?.status == .error)
        }
    }

    /// The rules of the Role that the chart makes.
    private func shipped(_ settings: [String]) throws -> [JSONValue] {
        let rules = try Helm.objects(settings).filter { $0["kind"] as? String == "Role" }
            .flatMap { $0["rules"] as? [Any] ?? [] }
        return try JSONReader.read(Array(try JSONSerialization.data(withJSONObject: rules))).items
    }

    /// A client as the chart's service account, which has no rights but those of its Role.
    private func agent() async throws -> ClusterClient {
        let account = ResourcePath(Self.account, namespace: namespace, name: "slipway")
        _ = try await admin.create(
            ["apiVersion": "v1", "kind": "ServiceAccount", "metadata": ["name": "slipway"]], at: account)
        _ = try await admin.create(
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": ["name": "slipway"],
                "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "slipway"],
                "subjects": [["kind": "ServiceAccount", "name": "slipway", "namespace": .string(namespace)]],
            ], at: ResourcePath(Self.binding, namespace: namespace, name: "slipway"))
        let tokens = ResourceKind("", "v1", plural: "serviceaccounts/slipway/token", kind: "TokenRequest")
        let answer = try await admin.create(
            ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": ["expirationSeconds": 600]],
            at: ResourcePath(tokens, namespace: namespace))
        var endpoint = admin.endpoint
        endpoint.trust.clientCertificate = nil
        endpoint.trust.clientKey = nil
        endpoint.credentials = .bearer(try #require(answer["status"]["token"].text))
        endpoint.namespace = namespace
        return ClusterClient(endpoint, userAgent: "slipway-test")
    }

    private func grant(_ rules: [JSONValue]) async throws {
        var manager = FieldManager(name: "test")
        manager.takesOver = true
        _ = try await admin.apply(
            [
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": "slipway"],
                "rules": .array(rules),
            ], at: ResourcePath(Self.role, namespace: namespace, name: "slipway"), by: manager)
    }

    private func finding(
        of feature: ClusterFeature, by examination: ClusterExamination
    ) async throws -> DoctorFinding {
        try #require(await examination.findings().first { $0.subject == feature.rawValue })
    }

    /// A rule without one right; `nil` where nothing is left of it.
    private static func without(_ right: ClusterRight, _ rule: JSONValue) -> JSONValue? {
        func has(_ key: String, _ text: String) -> Bool { rule[key].items.contains(.string(text)) }
        guard has("apiGroups", right.group), has("resources", right.resource), has("verbs", right.verb) else {
            return rule
        }
        var rest = rule
        let verbs = rule["verbs"].items.filter { $0 != .string(right.verb) }
        rest["verbs"] = .array(verbs)
        if !verbs.isEmpty { return rest }
        return nil
    }
}
