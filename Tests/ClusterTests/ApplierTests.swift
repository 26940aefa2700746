import Cluster
import Diagnostics
import Foundation
import JSON
import TestSupport
import Testing
import YAML

/// Manifests in a real cluster.
@Suite(.tags(.integration), .enabled(if: RealCluster.isThere, "KUBECONFIG names no cluster"), .serialized)
struct ApplierTests {
    private let client: ClusterClient
    private let target: ApplyTarget
    private let namespace = "slipway-\(UUID().uuidString.prefix(8).lowercased())"

    init() async throws {
        client = try RealCluster.client()
        target = ApplyTarget(
            repository: "shop", namespace: namespace,
            inventory: ResourcePath(.configMap, namespace: namespace, name: "slipway-inventory-shop"))
        _ = try await client.create(
            ["kind": "Namespace", "apiVersion": "v1", "metadata": ["name": .string(namespace)]],
            at: ResourcePath(.namespace, name: namespace))
    }

    private func objects(_ yaml: String) throws -> [ManifestObject] {
        try YAMLStream.parse(Array(yaml.utf8)).enumerated().compactMap { index, document in
            try document.root.map { ManifestObject(try #require(JSONValue($0)), place: "deploy.yaml:\(index)") }
        }
    }

    private func map(_ name: String, _ value: String, extra: String = "") -> String {
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \(name)\(extra)}\ndata: {a: '\(value)'}\n"
    }

    private func said(_ report: ApplyReport) -> [String] {
        report.entries.map { entry in
            let word =
                switch entry.outcome {
                case .created: "created"
                case .changed: "changed"
                case .unchanged: "unchanged"
                case .corrected: "corrected"
                case .pruned: "pruned"
                case .kept: "kept"
                case .failed(let error): "failed \(error.code)"
                }
            return "\(entry.identity.kind) \(entry.identity.name) \(word)"
        }
    }

    private func value(_ name: String) async throws -> String? {
        try await client.find(ResourcePath(.configMap, namespace: namespace, name: name))?["data"]["a"].text
    }

    private func cleaned(_ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            try await client.delete(ResourcePath(.namespace, name: namespace))
            throw error
        }
        try await client.delete(ResourcePath(.namespace, name: namespace))
    }

    @Test func `created, unchanged, changed, corrected, taken over, pruned`() async throws {
        try await cleaned {
            let applier = Applier(client)
            let both = try objects(map("one", "1") + "---\n" + map("two", "1"))
            #expect(
                said(try await applier.apply(both, for: target, isComplete: true)) == [
                    "ConfigMap one created", "ConfigMap two created",
                ])
            #expect(
                said(try await applier.apply(both, for: target, isComplete: true)) == [
                    "ConfigMap one unchanged", "ConfigMap two unchanged",
                ])
            let changed = try objects(map("one", "2") + "---\n" + map("two", "1"))
            #expect(
                said(try await applier.apply(changed, for: target, isComplete: true)) == [
                    "ConfigMap one changed", "ConfigMap two unchanged",
                ])
            // Somebody changes an object by hand.
            var person = FieldManager(name: "person")
            person.takesOver = true
            let two = ResourcePath(.configMap, namespace: namespace, name: "two")
            _ = try await client.apply(try objects(map("two", "9"))[0].object, at: two, by: person)
            let report = try await applier.apply(changed, for: target, isComplete: true)
            #expect(said(report) == ["ConfigMap one unchanged", "ConfigMap two corrected"])
            #expect(report.takenOver.values.joined().contains { $0.contains(".data.a") && $0.contains("person") })
            #expect(try await value("two") == "1")
            // What leaves the manifests goes, in another agent as well, but not while something could not be read.
            let other = Applier(client)
            let one = try objects(map("one", "2"))
            #expect(said(try await other.apply(one, for: target, isComplete: false)) == ["ConfigMap one unchanged"])
            #expect(
                said(try await other.apply(one, for: target, isComplete: true)) == [
                    "ConfigMap one unchanged", "ConfigMap two pruned",
                ])
            #expect(try await value("two") == nil)
        }
    }

    @Test func `only what the inventory holds is deleted, and not what is annotated`() async throws {
        try await cleaned {
            let applier = Applier(client)
            let foreign = ResourcePath(.configMap, namespace: namespace, name: "foreign")
            _ = try await client.create(try objects(map("foreign", "1"))[0].object, at: foreign)
            let kept = map("kept", "1", extra: ", annotations: {slipway.dev/prune: disabled}")
            _ = try await applier.apply(try objects(kept + "---\n" + map("gone", "1")), for: target, isComplete: true)
            let report = try await applier.apply([], for: target, isComplete: true)
            #expect(said(report).sorted() == ["ConfigMap gone pruned", "ConfigMap kept kept"])
            #expect(try await value("foreign") == "1")
            #expect(try await value("kept") == "1")
            // It is nobody's any more: later cycles say nothing of it.
            #expect(said(try await applier.apply([], for: target, isComplete: true)) == [])
        }
    }

    @Test func `one that is refused stops no other, and the reason is told`() async throws {
        try await cleaned {
            let service = "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 99999}]}\n"
            let unknown = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n"
            let report = try await Applier(client).apply(
                try objects(service + "---\n" + unknown + "---\n" + map("one", "1")), for: target, isComplete: true)
            #expect(
                said(report).sorted() == [
                    "ConfigMap one created", "Service bad failed invalid", "Widget w failed notFound",
                ])
            let failures = report.entries.compactMap { entry -> String? in
                if case .failed(let error) = entry.outcome { error.description } else { nil }
            }
            #expect(failures.contains { $0.hasPrefix("deploy.yaml:0: ") && $0.contains("ports") })
            #expect(failures.contains { $0.contains("knows no kind 'Widget'") })
        }
    }

    @Test func `immutable fields are explained`() async throws {
        try await cleaned {
            let applier = Applier(client)
            func secret(_ text: String) throws -> [ManifestObject] {
                try objects(
                    "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nimmutable: true\nstringData: {a: \(text)}\n")
            }
            _ = try await applier.apply(try secret("one"), for: target, isComplete: true)
            let report = try await applier.apply(try secret("two"), for: target, isComplete: true)
            guard case .failed(let error) = try #require(report.entries.first).outcome else {
                Issue.record("\(said(report))")
                return
            }
            #expect(error.hint?.contains("cannot be changed") == true)
        }
    }

    @Test func `definitions are there before their objects, and go with them`() async throws {
        try await cleaned {
            let applier = Applier(client)
            let group = "\(namespace).example.com"
            let definition = """
                apiVersion: apiextensions.k8s.io/v1
                kind: CustomResourceDefinition
                metadata: {name: widgets.\(group)}
                spec:
                  group: \(group)
                  scope: Cluster
                  names: {kind: Widget, plural: widgets}
                  versions:
                    - name: v1
                      served: true
                      storage: true
                      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}

                """
            let widget = "apiVersion: \(group)/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 3}\n"
            let report = try await applier.apply(
                try objects(widget + "---\n" + definition), for: target, isComplete: true)
            #expect(said(report) == ["CustomResourceDefinition widgets.\(group) created", "Widget w created"])
            #expect(report.waiting.isEmpty)
            // An object of the whole cluster is known as that, whatever was known of its kind before.
            #expect(report.entries.last?.identity.namespace == "")
            #expect(
                said(try await applier.apply(try objects(widget + "---\n" + definition), for: target, isComplete: true))
                    .allSatisfy { $0.hasSuffix("unchanged") })
            let gone = try await applier.apply([], for: target, isComplete: true)
            #expect(said(gone).allSatisfy { $0.hasSuffix("pruned") })
        }
    }

    @Test func `a namespace that is being deleted is told at once`() async throws {
        try await cleaned {
            let gone = "\(namespace)-gone"
            // A control plane without a namespace controller never finishes it; with one, the ConfigMap's finalizer holds it.
            let path = ResourcePath(.namespace, name: gone)
            _ = try await client.create(
                try objects("apiVersion: v1\nkind: Namespace\nmetadata: {name: \(gone)}\n")[0].object, at: path)
            let held = ResourcePath(.configMap, namespace: gone, name: "held")
            _ = try await client.create(
                try objects(map("held", "1", extra: ", finalizers: [slipway.dev/test]"))[0].object, at: held)
            try await client.delete(path)
            let yaml =
                map("one", "1") + "---\n" + map("two", "1", extra: ", namespace: \(gone)")
                + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: \(gone)}\n"
            let report = try await Applier(client).apply(try objects(yaml), for: target, isComplete: true)
            #expect(said(report).contains("ConfigMap one created"))
            #expect(said(report).contains("ConfigMap two failed forbidden"))
            let told = report.entries.compactMap { entry -> String? in
                if case .failed(let error) = entry.outcome { error.description } else { nil }
            }
            #expect(told.contains { $0.contains("it is being deleted; what belongs into it is applied") }, "\(told)")
            _ = try await client.merge(["metadata": ["finalizers": []]], at: held)
        }
    }

    @Test func `a stranger's ConfigMap is no inventory`() async throws {
        try await cleaned {
            _ = try await client.create(
                try objects(map("slipway-inventory-shop", "1"))[0].object, at: target.inventory)
            let error = await #expect(throws: ClusterError.self) {
                _ = try await Applier(client).apply([], for: target, isComplete: true)
            }
            #expect(error?.summary.contains("not Slipway's") == true)
        }
    }

    @Test func `a namespace of the manifests may hold the inventory`() async throws {
        try await cleaned {
            let fresh = "\(namespace)-own"
            let own = ApplyTarget(
                repository: "shop", namespace: fresh,
                inventory: ResourcePath(.configMap, namespace: fresh, name: "slipway-inventory-shop"))
            let yaml = map("one", "1") + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: \(fresh)}\n"
            let report = try await Applier(client).apply(try objects(yaml), for: own, isComplete: true)
            #expect(said(report) == ["Namespace \(fresh) created", "ConfigMap one created"])
            #expect(said(try await Applier(client).apply(try objects(yaml), for: own, isComplete: true)).count == 2)
            try await client.delete(ResourcePath(.namespace, name: fresh))
        }
    }

    @Test func `objects of one list share a place, not a fate`() async throws {
        try await cleaned {
            let fresh = "\(namespace)-list"
            let own = ApplyTarget(
                repository: "shop", namespace: fresh,
                inventory: ResourcePath(.configMap, namespace: fresh, name: "slipway-inventory-shop"))
            let list = try [
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(fresh)}\n",
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: \(fresh)-2}\n",
                "apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 99999}]}\n",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: none}]}}}\n",
            ].map { ManifestObject(try objects($0)[0].object, place: "deploy.yaml:1:1") }
            let applier = Applier(client)
            var report = try await applier.apply(list, for: own, isComplete: true)
            #expect(
                said(report) == [
                    "Namespace \(fresh) created", "Namespace \(fresh)-2 created", "Service bad failed invalid",
                    "Deployment d created",
                ])
            // The Deployment of the same list is waited for, whatever came of the Service.
            await applier.wait(for: list, of: own, seconds: 0, into: &report)
            #expect(report.waiting.keys.map(\.kind) == ["Deployment"])
            for name in [fresh, "\(fresh)-2"] { try await client.delete(ResourcePath(.namespace, name: name)) }
        }
    }
}
