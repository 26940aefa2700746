import FoundationEssentials
import YAML

/// Workloads of kinds that Slipway knows nothing else of: whatever has a pod's `spec` at `spec.template`.
extension Manifest {
    /// The pod template of such a kind: Rollout, CloneSet, Knative Service, DeploymentConfig …
    var otherPodTemplate: YAMLNode? {
        guard podTemplate == nil, let template = node["spec"]?["template"],
            template["spec"]?["containers"]?.items != nil
        else { return nil }
        return template
    }

    /// What a container without a name is called: Knative allows one.
    var nameOfUnnamed: String? { podTemplate == nil ? id.name : nil }

    /// Why a container's image is the cluster's to write, and where that is said: OpenShift's image triggers.
    func trigger(of container: String) -> (node: YAMLNode, reason: String)? {
        for trigger in node["spec"]?["triggers"]?.items ?? [] {
            guard let change = trigger["imageChangeParams"], change["automatic"]?.text == "true",
                change["containerNames"]?.items?.contains(where: { $0.text == container }) ?? false
            else { continue }
            return (trigger, "an image trigger of OpenShift writes it")
        }
        let key = "image.openshift.io/triggers"
        guard let text = annotations[key], let annotation = node["metadata"]?["annotations"]?[key],
            let triggers = try? JSONDecoder().decode([AnnotatedTrigger].self, from: Data(text.utf8))
        else { return nil }
        let isTriggered = triggers.contains { trigger in
            !trigger.isPaused
                && ["\"\(container)\"", "'\(container)'"].contains { trigger.fieldPath.contains("name==\($0)") }
        }
        return isTriggered ? (annotation, "the annotation \(key) lets OpenShift write it") : nil
    }

    /// https://docs.openshift.com/container-platform/latest/openshift_images/triggering-updates-on-imagestream-changes.html
    private struct AnnotatedTrigger: Decodable {
        let fieldPath: String
        let isPaused: Bool

        private enum CodingKeys: String, CodingKey { case fieldPath, paused }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            fieldPath = try container.decode(String.self, forKey: .fieldPath)
            let flag = try? container.decode(Bool.self, forKey: .paused)
            let text = try? container.decode(String.self, forKey: .paused)
            isPaused = flag ?? (text == "true")
        }
    }
}

extension Scanner {
    /// An object of a kind that is not a workload's own. Slipway's annotations count for whatever has a pod template; those of
    /// other tools do nothing there, as in these tools, and that is said.
    mutating func scanOther(_ manifest: Manifest, document: Int) {
        let annotations = manifest.annotations
        let policies = FluxPolicies(annotations: annotations)
        let isKeels = KeelPolicy.isMentioned(in: annotations) || KeelPolicy.isMentioned(in: manifest.labels)
        guard policies.mentionsAutomation || isKeels || listsAll, !UpdateRequest.isKustomization(file) else { return }
        if policies.mentionsAutomation || listsAll, let found = rules.first(where: { $0.covers(manifest) }) {
            return scan(manifest, by: found, policies, document: document)
        }
        guard policies.mentionsAutomation || isKeels else { return }
        guard policies.isOurs else {
            let (tool, key) =
                policies.mentionsAutomation ? ("Flux v1", "fluxcd.io/automated") : ("Keel", "keel.sh/policy")
            return skip(
                manifest.node,
                "\(manifest.id): not updated: \(tool) knows no \(manifest.kind), so '\(key)' does nothing on it; "
                    + "annotate it with slipway.dev/automated: \"true\" to have its images followed")
        }
        guard let template = manifest.otherPodTemplate else {
            return skip(
                manifest.node,
                "\(manifest.id): not updated: it is annotated, and a \(manifest.kind) has no image at "
                    + "spec.template.spec.containers; name its places under 'images:' in .slipway.yaml")
        }
        let spec = template["spec"]
        let containers = ["initContainers", "containers", "ephemeralContainers"].flatMap { spec?[$0]?.items ?? [] }
        scan(containers, of: manifest, policies, keel: nil, document: document)
    }

    /// The images of a custom resource, where the repository says that they are.
    private mutating func scan(
        _ manifest: Manifest, by found: ImagePathRule, _ policies: FluxPolicies, document: Int
    ) {
        let values = found.paths.flatMap { $0.values(in: manifest.node) }
        if values.isEmpty {
            let paths = found.paths.map(\.description).joined(separator: ", ")
            skip(
                manifest.node,
                "\(manifest.id): not updated: there is nothing at \(paths), where .slipway.yaml expects images")
        }
        misnamed = policies.misnamedFilter(values.map(\.name))
        rule = found
        defer { (misnamed, rule) = (nil, nil) }
        for (node, name) in values {
            guard let text = node.text else {
                skip(node, "\(manifest.id) \(name): the image is no text")
                continue
            }
            addTarget(
                at: node, image: WrittenReference(Self.trimmed(text)), field: .reference(prefix: ""), container: name,
                workload: manifest.id, policies: policies, document: document)
        }
    }
}
