import Agent
import Cluster
import Foundation
import HTTP
import JSON
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
        let path = ResourcePath(.namespace, name: namespace)
        _ = try await admin.create(
            ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]], at: path)
        do {
            try await check(feature)
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
        let rules = try Helm.objects(settings).filter { $0["kind"] as? String == "Role" }
            .flatMap { $0["rules"] as? [Any] ?? [] }
        let text = try JSONSerialization.data(withJSONObject: rules)
        let shipped = try JSONReader.read(Array(text)).items
        #expect(!shipped.isEmpty)
        let client = try await agent()
        let examination = ClusterExamination(client: client, needed: [feature: [namespace]])

        try await grant(shipped)
        let all = try await finding(of: feature, by: examination)
        #expect(all.status == .ok, "\(all)")
        for right in ClusterRight.all where right.feature == feature {
            try await grant(shipped.compactMap { Self.without(right, $0) })
            let missing = try await finding(of: feature, by: examination)
            #expect(missing.status == .error)
            #expect(missing.cause == "\(right.shown) in \(namespace)")
        }
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
