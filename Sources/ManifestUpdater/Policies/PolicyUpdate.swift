import Diagnostics
import YAML

/// A change of a workload's policies, as fluxctl asks for it. Names without a prefix: `automated`, `tag.app`.
package struct PolicyUpdate: Sendable, Equatable {
    package var add: [String: String]
    /// Wins over `add`.
    package var remove: Set<String>
    /// A tag filter for every container that `add` and `remove` do not name; "glob:*" takes the filters away.
    package var tagAll: String?

    package init(add: [String: String] = [:], remove: Set<String> = [], tagAll: String? = nil) {
        self.add = add
        self.remove = remove
        self.tagAll = tagAll
    }

    /// A pattern as fluxctl writes it: with its kind.
    package static func pattern(_ text: String) -> String {
        for prefix in ["semver:", "regexp:", "glob:"] where text.hasPrefix(prefix) { return text }
        if text.hasPrefix("regex:") { return "regexp:" + text.dropFirst("regex:".count) }
        return "glob:" + text
    }
}

extension ManifestUpdater {
    /// Edits the annotations of a workload. An annotation that is there keeps its own prefix, a new one gets `fluxcd.io/`, or
    /// `slipway.dev/` on kinds that Flux v1 does not know.
    ///
    /// - Parameter rules: where custom resources have their images.
    /// - Returns: `met` holds the workload's name when the file has it.
    package static func update(
        _ bytes: [UInt8], file: String, policies update: PolicyUpdate, of workloads: Set<String>,
        rules: [ImagePathRule] = []
    ) -> FileUpdate {
        let names = workloads.compactMap { $0.split(separator: "/").last.map(String.init) }
        guard names.contains(where: { ManifestScan.contains(bytes, $0) }) else { return FileUpdate() }
        let documents: [YAMLDocument]
        do {
            documents = try YAMLStream.parse(bytes, file: file)
        } catch {
            var result = FileUpdate()
            result.skipped = [ManifestSkip(file: file, line: error.location?.line, reason: error.summary)]
            return result
        }
        var request = UpdateRequest()
        request.rules = rules
        var updater = FileUpdater(file: file, bytes: bytes, documents: documents, request: request)
        for document in documents {
            for manifest in document.root.map(Manifest.all) ?? [] {
                let id = manifest.id.description
                guard workloads.contains(id), let home = AnnotationHome(manifest, rules: rules) else { continue }
                updater.result.met.insert(id)
                updater.apply(update, to: manifest, home)
            }
        }
        updater.refuseShared { _ in true }
        return updater.finished()
    }
}

/// Whose annotations an object's are, and so under which names a policy counts there.
private enum AnnotationHome {
    /// A kind that Flux v1 knows.
    case flux1
    /// A custom resource that `.slipway.yaml` names the images of: annotations of either tool count, new ones are ours.
    case named
    /// A kind with a pod template that Flux v1 does not know: only our own word turns updates on.
    case other

    /// `nil` for what is no workload.
    init?(_ manifest: Manifest, rules: [ImagePathRule]) {
        if manifest.podTemplate != nil || manifest.kind == "HelmRelease" {
            self = .flux1
        } else if rules.contains(where: { $0.covers(manifest) }) {
            self = .named
        } else if manifest.otherPodTemplate != nil {
            self = .other
        } else {
            return nil
        }
    }

    /// What a new annotation's name begins with.
    var prefix: String { self == .flux1 ? "fluxcd.io/" : "slipway.dev/" }

    private static let prefixes = ["fluxcd.io/", "flux.weave.works/", "slipway.dev/"]

    /// The annotations that say a policy.
    static func keys(of policy: String) -> [String] {
        let keys = prefixes.map { $0 + policy }
        guard policy.hasPrefix("tag.") else { return keys }
        return keys + ["filter.fluxcd.io/" + policy.dropFirst("tag.".count)]
    }

    /// The annotations by which a policy that is there counts.
    func countingKeys(of policy: String) -> [String] {
        self == .other && policy == "automated" ? [prefix + policy] : Self.keys(of: policy)
    }
}

extension FileUpdater {
    fileprivate mutating func apply(_ update: PolicyUpdate, to manifest: Manifest, _ home: AnnotationHome) {
        let object = manifest.id.description
        var add = update.add
        var remove = update.remove
        if let pattern = update.tagAll {
            var scanner = commandScanner()
            scanner.scan(manifest, document: 0)
            for container in Set(scanner.finished().targets.map(\.container))
            where add["tag.\(container)"] == nil && !remove.contains("tag.\(container)") {
                if pattern == "glob:*" { remove.insert("tag.\(container)") } else { add["tag.\(container)"] = pattern }
            }
        }
        for policy in remove { add[policy] = nil }
        guard let metadata = manifest.node["metadata"], metadata.pairs != nil else {
            skip(manifest.node, object: object, "it has no metadata")
            return
        }
        let annotations = metadata["annotations"]
        if let annotations, !annotations.isNull, annotations.pairs == nil {
            skip(annotations, object: object, "its annotations are no mapping")
            return
        }
        let unit = newUnit()
        let shared = annotations.map { $0.isAlias || $0.anchor != nil } ?? false
        let own = annotations?.pairs ?? []
        var new: [PlainValue.Pair] = []
        var gone: Set<String> = []
        var replaced: [(node: YAMLNode, key: String, value: String)] = []
        for (policy, value) in add.sorted(by: { $0.key < $1.key }) {
            let present = home.countingKeys(of: policy).filter { annotations?[$0] != nil }
            for key in present {
                guard let node = annotations?[key], node.text != value || node.isNull else { continue }
                if (try? ScalarSplice.replacing(node, in: bytes, with: value)) != nil, !node.isAlias {
                    planned.append(
                        PlannedEdit(
                            node: node, text: value, object: object, container: "", setter: "annotation \(key)",
                            unit: unit))
                } else if !shared, !metadata.isAlias, own.contains(where: { $0.key.text == key }), !node.isAlias,
                    let style = node.style, !style.isBlock, !node.range.isEmpty, node.tag == nil, node.anchor == nil
                {
                    replaced.append((node, key, value))
                } else {
                    gone.insert(key)
                    new.append(PlainValue.Pair(key, .text(value)))
                }
            }
            if present.isEmpty { new.append(PlainValue.Pair(home.prefix + policy, .text(value))) }
        }
        for policy in remove {
            for key in AnnotationHome.keys(of: policy) where annotations?[key] != nil { gone.insert(key) }
        }
        for one in replaced {
            self.add(
                .replace(one.node, with: .text(one.value)), at: one.node, object: object, old: one.node.text ?? "",
                new: one.value, setter: "annotation \(one.key)", unit: unit)
        }
        guard !new.isEmpty || !gone.isEmpty else { return }
        guard !shared, gone.isSubset(of: Set(own.compactMap(\.key.text))), !metadata.isAlias else {
            refusedUnits.insert(unit)
            skip(annotations ?? metadata, object: object, "its annotations are shared, by an anchor: write them out")
            return
        }
        func note(_ edit: StructureEdit, _ changes: [(YAMLNode, String, old: String, new: String)]) {
            for (index, change) in changes.enumerated() {
                self.add(
                    index == 0 ? edit : nil, at: change.0, object: object, old: change.old, new: change.new,
                    setter: "annotation \(change.1)", unit: unit)
            }
        }
        let additions = new.map { pair in
            (annotations ?? metadata, pair.key, old: "", new: Self.text(pair.value))
        }
        var rest = new
        if !gone.isEmpty, let annotations {
            let removals = gone.sorted().map { key in
                (annotations[key] ?? annotations, key, old: annotations[key]?.text ?? "", new: "")
            }
            let isEmptied = own.allSatisfy { pair in pair.key.text.map(gone.contains) ?? false }
            if isEmptied, !new.isEmpty, case .mapping(_, isFlow: true) = annotations.content {
                note(.refill(new, in: annotations), removals + additions)
                rest = []
            } else if isEmptied, new.isEmpty,
                let key = metadata.pairs?.last(where: { $0.key.text == "annotations" })?.key
            {
                note(.clear(annotations, keyOf: key), removals)
            } else {
                note(.remove(gone, from: annotations), removals)
            }
        }
        if !rest.isEmpty {
            if let annotations, annotations.isNull,
                let key = metadata.pairs?.last(where: { $0.key.text == "annotations" })?.key
            {
                note(.fill(annotations, with: .mapping(new), keyOf: key), additions)
            } else if let annotations {
                note(.add(new, to: annotations), additions)
            } else {
                note(.add([PlainValue.Pair("annotations", .mapping(new))], to: metadata), additions)
            }
        }
    }

    private static func text(_ value: PlainValue) -> String { if case .text(let text) = value { text } else { "" } }
}
