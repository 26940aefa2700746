import YAML

/// The images of a HelmRelease, as Flux v1 finds them under `spec.values`:
///
///     image: repo:tag                          image + tag side by side
///     registry + image + tag side by side      image: { repository, tag[, registry] }
///
/// At the top the container is called `chart-image`, one level down by its key. Annotations name other places:
/// `repository.fluxcd.io/<alias>: dot.path`, with `registry.fluxcd.io/<alias>` and `tag.fluxcd.io/<alias>`.
extension Scanner {
    mutating func scanHelmRelease(_ manifest: Manifest, document: Int) {
        let annotations = manifest.annotations
        let policies = FluxPolicies(annotations: annotations)
        let workload = manifest.id
        guard let values = manifest.node["spec"]?["values"], values.pairs != nil else {
            if policies.held == nil {
                remark(
                    at: location(of: manifest.node),
                    "\(workload) is automated, and it has no spec.values in which an image could be written")
            }
            return
        }
        if let section = values["keel"], section["policy"] != nil, section["images"] != nil {
            skip(
                section,
                "\(workload): Keel's section is not followed under spec.values: what Keel sets in the release, Flux puts back; "
                    + "annotate the HelmRelease with slipway.dev/automated: \"true\"")
        }
        var images: [(container: String, parts: Parts)] = []
        if let parts = Parts(of: values) { images.append(("chart-image", parts)) }
        for pair in values.mergedPairs {
            if let key = pair.key.text, let parts = Parts(of: pair.value) { images.append((key, parts)) }
        }
        for alias in Self.mappedAliases(annotations) {
            func node(_ kind: String) -> YAMLNode? { annotations["\(kind).fluxcd.io/\(alias)"].flatMap(values.at) }
            guard let repository = node("repository") ?? node("image"), repository.text != nil else {
                let key = annotations["repository.fluxcd.io/\(alias)"] == nil ? "image" : "repository"
                skip(manifest.node, "\(workload): \(key).fluxcd.io/\(alias) names no text under spec.values")
                continue
            }
            // A mapping takes over what is found by itself at the same place, with its filter.
            let mapped = Parts(repository: repository, tag: node("tag"), registry: node("registry"))
            images.removeAll { $0.container == alias || $0.parts.sharesValue(with: mapped) }
            images.append((alias, mapped))
        }
        if images.isEmpty, policies.held == nil {
            remark(
                at: location(of: manifest.node),
                "\(workload) is automated, and there is no image under spec.values: write image and tag there, or name their "
                    + "places by repository.fluxcd.io/<alias> and tag.fluxcd.io/<alias>")
        }
        misnamed = policies.misnamedFilter(images.map(\.container))
        defer { misnamed = nil }
        for image in images {
            guard let (node, text, field) = image.parts.target else {
                skip(image.parts.repository, "\(workload) \(image.container): no tag is written for this image")
                continue
            }
            addTarget(
                at: node, image: text, field: field, container: image.container, workload: workload,
                policies: policies, document: document,
                name: node == image.parts.repository ? nil : image.parts.repository.resolved.range,
                registry: image.parts.registry.flatMap { $0.isNull || $0.text == "" ? nil : $0.resolved.range })
        }
    }

    /// What annotations name places for: by `repository.fluxcd.io/NAME`, or `image.fluxcd.io/NAME` of a whole reference.
    private static func mappedAliases(_ annotations: [String: String]) -> [String] {
        Set(
            ["repository.fluxcd.io/", "image.fluxcd.io/"].flatMap { prefix in
                annotations.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            }
        ).sorted()
    }

    private struct Parts {
        var repository: YAMLNode
        var tag: YAMLNode?
        var registry: YAMLNode?

        init(repository: YAMLNode, tag: YAMLNode?, registry: YAMLNode?) {
            self.repository = repository
            self.tag = tag
            self.registry = registry
        }

        init?(of values: YAMLNode) {
            guard let image = values["image"] else { return nil }
            if image.text != nil, !image.isNull {
                self.init(repository: image, tag: values["tag"], registry: values["registry"])
            } else if let repository = image["repository"], repository.text != nil, !repository.isNull {
                self.init(repository: repository, tag: image["tag"], registry: image["registry"])
            } else {
                return nil
            }
        }

        /// Whether a change of one would change the other, too.
        func sharesValue(with other: Parts) -> Bool {
            func values(_ parts: Parts) -> Set<Range<Int>> {
                Set([parts.repository, parts.tag].compactMap { $0?.resolved.range })
            }
            return !values(self).isDisjoint(with: values(other))
        }

        /// The scalar to change, the whole image, and what of it the scalar holds.
        var target: (YAMLNode, WrittenReference, ImageTarget.Field)? {
            guard let name = repository.text.map(Scanner.trimmed), !name.isEmpty else { return nil }
            var prefix = ""
            if let registry, !registry.isNull, let text = registry.text, !text.isEmpty { prefix = "\(text)/" }
            if let tag, !tag.isNull, let text = tag.text.map(Scanner.trimmed), !text.isEmpty {
                return (tag, WrittenReference("\(prefix)\(name):\(text)"), .tag(name: prefix + name))
            }
            if tag != nil || WrittenReference(name).tag == nil { return nil }
            return (repository, WrittenReference(prefix + name), .reference(prefix: prefix))
        }
    }
}
