import YAML

/// One Kubernetes object of a file.
struct Manifest {
    let node: YAMLNode
    let kind: String

    /// The objects of a document: itself, or the items of a `List`, of a `DeploymentList`, and of lists in lists. The
    /// parser's limits bound the walk, aliases included.
    static func all(in root: YAMLNode) -> [Manifest] {
        var found: [Manifest] = []
        collect(root, kind: nil, into: &found)
        return found
    }

    private static func collect(_ node: YAMLNode, kind inherited: String?, into found: inout [Manifest]) {
        guard let kind = node["kind"]?.text ?? inherited else { return }
        if kind.hasSuffix("List"), let items = node["items"]?.items {
            // The items of a typed list may leave out their kind.
            let itemKind = kind == "List" ? nil : String(kind.dropLast(4))
            for item in items { collect(item, kind: itemKind, into: &found) }
        } else {
            found.append(Manifest(node: node, kind: kind))
        }
    }

    var id: WorkloadID {
        let metadata = node["metadata"]
        return WorkloadID(
            namespace: Self.nonEmpty(metadata?["namespace"]) ?? "default", kind: kind,
            name: Self.nonEmpty(metadata?["name"]) ?? Self.nonEmpty(metadata?["generateName"]) ?? "(unnamed)")
    }

    /// `nil` for an object without a name: a kustomization, a values file with a `kind`.
    var idIfNamed: WorkloadID? {
        Self.nonEmpty(node["metadata"]?["name"]) == nil && Self.nonEmpty(node["metadata"]?["generateName"]) == nil
            ? nil : id
    }

    private static func nonEmpty(_ node: YAMLNode?) -> String? {
        guard let node, !node.isNull, let text = node.text, !text.isEmpty else { return nil }
        return text
    }

    /// `metadata.annotations` as texts. Values that are no texts in YAML (`true`) count as they are written.
    var annotations: [String: String] { Self.texts(node["metadata"]?["annotations"]) }

    var labels: [String: String] { Self.texts(node["metadata"]?["labels"]) }

    static func texts(_ node: YAMLNode?) -> [String: String] {
        var result: [String: String] = [:]
        for pair in node?.mergedPairs ?? [] {
            if let key = pair.key.text, let value = pair.value.text { result[key] = value }
        }
        return result
    }

    /// The pod template with its `metadata` and `spec`; `nil` for objects that run no pods.
    var podTemplate: YAMLNode? {
        switch kind {
        case "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job":
            node["spec"]?["template"]
        case "CronJob": node["spec"]?["jobTemplate"]?["spec"]?["template"]
        case "Pod": node
        case "PodTemplate": node["template"]
        default: nil
        }
    }

    /// The containers of the pod, of every sort, in the order in which they start.
    var containers: [YAMLNode] {
        let spec = podTemplate?["spec"]
        return ["initContainers", "containers", "ephemeralContainers"].flatMap { spec?[$0]?.items ?? [] }
    }
}
