import YAML

/// Keel's section of a values file:
///
///     keel:
///       policy: minor
///       images:
///         - {repository: image.repository, tag: image.tag, digest: image.digest}
///
/// Keel sets the values of the installed release; in git they are what stands at these paths. https://keel.sh/docs/#helm
extension Scanner {
    mutating func scanKeelValues(_ values: YAMLNode, document: Int) {
        guard let section = values["keel"], section.pairs != nil else { return }
        let workload = WorkloadID(namespace: "default", kind: "Chart", name: chartName)
        guard let policyNode = section["policy"], let text = policyNode.text, !policyNode.isNull, !text.isEmpty else {
            return skip(section, "\(workload): its keel section has no policy, and Keel passes it over")
        }
        for pair in section.mergedPairs {
            guard let key = pair.key.text, !Self.sectionKeys.contains(key),
                let meant = suggestion(for: key, among: Self.sectionKeys)
            else { continue }
            return skip(
                pair.key, "\(workload): not followed: Keel does not read '\(key.prefix(40))' here; write '\(meant)'")
        }
        var policy = KeelPolicy(text)
        for (key, field) in [("matchTag", \KeelPolicy.matchTag), ("matchPreRelease", \KeelPolicy.matchPreRelease)] {
            guard let node = section[key], !node.isNull else { continue }
            guard node.style == .plain, let text = node.text, text == "true" || text == "false" else {
                return skip(node, "\(workload): not followed: '\(key)' has to be true or false, without quotes")
            }
            policy[keyPath: field] = text == "true"
        }
        policy.approvals = section["approvals"]?.text.flatMap { Int($0) } ?? 0
        let images = section["images"]?.items ?? []
        if images.isEmpty { skip(section, "\(workload): its keel section names no images") }
        for image in images { scanKeelImage(image, in: values, policy, of: workload, document: document) }
    }

    private static let sectionKeys = [
        "policy", "matchTag", "matchPreRelease", "trigger", "pollSchedule", "approvals", "approvalDeadline",
        "notificationChannels", "images",
    ]

    /// The chart's folder, else the file.
    private var chartName: String {
        let parts = file.split(separator: "/")
        return String(parts.dropLast().last ?? parts.last ?? "")
    }

    private mutating func scanKeelImage(
        _ image: YAMLNode, in values: YAMLNode, _ policy: KeelPolicy, of workload: WorkloadID, document: Int
    ) {
        guard let path = image["repository"]?.text, !path.isEmpty else {
            return skip(image, "\(workload): an image of its keel section has no repository")
        }
        guard let repository = values.at(path), let name = repository.text.map(Self.trimmed), !repository.isNull else {
            return skip(
                image,
                "\(workload): not followed: its keel section names '\(path.prefix(100))', which is not in this file")
        }
        var digest: YAMLNode?
        if let path = image["digest"]?.text, !path.isEmpty {
            guard let node = values.at(path), node.text != nil, !node.isNull else {
                return skip(
                    image,
                    "\(workload): not followed: its keel section wants a digest at '\(path.prefix(100))', which is not in "
                        + "this file; write \(path.prefix(100)): \"\"")
            }
            digest = node
        }
        var tag: (node: YAMLNode, text: String)?
        if let path = image["tag"]?.text, !path.isEmpty {
            guard let node = values.at(path), let text = node.text.map(Self.trimmed), !node.isNull, !text.isEmpty else {
                return skip(
                    image,
                    "\(workload): not followed: its keel section names '\(path.prefix(100))', which is not in this file"
                )
            }
            tag = (node, text)
        }
        var whole = WrittenReference(name)
        if let tag { whole = WrittenReference("\(name):\(tag.text)") }
        if let text = digest?.text, !text.isEmpty { whole.digest = text }
        addTarget(
            at: tag?.node ?? repository, image: whole,
            field: tag == nil ? .reference(prefix: "") : .tag(name: name), container: path, workload: workload,
            policies: FluxPolicies(annotations: [:]), document: document,
            name: tag == nil ? nil : repository.resolved.range, digest: digest?.resolved.range,
            keel: Keel(policy: policy, pinsDigest: digest != nil, isOfValues: true))
    }
}

extension YAMLNode {
    /// The value at a path of keys joined by dots.
    func at(_ path: String) -> YAMLNode? {
        var node: YAMLNode? = self
        for key in path.split(separator: ".") { node = node?[String(key)] }
        return node
    }
}
