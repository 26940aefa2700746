import Diagnostics
import ManifestUpdater
import YAML

/// What `kustomize build` makes of Flux v2's objects: the resources of kustomizations, with the changes that they make to them.
/// Objects of other kinds are passed over.
///
/// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
struct KustomizeBuild {
    /// An object on its way.
    struct Built: Sendable, Hashable {
        var object: FluxObject
        /// The names and namespaces that it had, by which patches find it still.
        var names: Set<String>
        var namespaces: Set<String>
        /// The kustomizations that changed it.
        var changedBy: [String] = []
        /// Why nobody knows its final form.
        var unknown: String?

        init(_ object: FluxObject) {
            self.object = object
            names = [object.name]
            namespaces = Set([object.namespace].compactMap(\.self))
        }

        mutating func becomes(_ value: ObjectValue, by place: String) {
            guard value != object.value else { return }
            object.value = value
            names.insert(object.name)
            if let namespace = object.namespace { namespaces.insert(namespace) }
            if !changedBy.contains(place) { changedBy.append(place) }
        }
    }

    private let tree: RevisionTree
    private let files: [String: [FluxObject]]
    /// The directories that have a kustomization, with its path.
    private let kustomizations: [String: (path: String, value: ObjectValue)]
    /// The contents of patch files that were read.
    private let patches: [String: [ObjectValue]]
    private var done: [String: [Built]] = [:]

    /// Patch files that concern objects and were not read.
    private(set) var wantedPatches: Set<String> = []
    /// The files whose objects were taken, and the directories that were built.
    private(set) var reachedFiles: Set<String> = []
    private(set) var reachedDirectories: Set<String> = []

    /// What is still done of the work, which a repository can ask for without end.
    private var workLeft = 20_000_000
    /// Whether there was more to be done, so that nothing of what is known can be trusted.
    var isExhausted: Bool { workLeft < 0 }

    private mutating func charge(_ work: Int) -> Bool {
        workLeft -= work
        return workLeft >= 0
    }

    /// Kustomizations in kustomizations.
    private static let depthLimit = 24
    /// Objects of one build.
    private static let objectLimit = 5_000

    init(_ sources: FluxSources, patches: [String: [ObjectValue]], tree: RevisionTree) {
        self.tree = tree
        self.patches = patches
        files = Dictionary(grouping: sources.objects, by: \.location.file)
        var kustomizations: [String: (path: String, value: ObjectValue)] = [:]
        for (path, value) in sources.kustomizations.sorted(by: { $0.key > $1.key }) {
            kustomizations[Self.directory(of: path)] = (path, value)
        }
        self.kustomizations = kustomizations
    }

    static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    /// A path that a kustomization names; `nil` for what is not in the repository.
    static func joined(_ directory: String, _ path: String) -> String? {
        if path.contains("://") || path.contains("?ref=") || path.hasPrefix("/") || path.hasPrefix("git@") {
            return nil
        }
        var parts = directory.split(separator: "/")
        for part in path.split(separator: "/") where part != "." {
            if part == ".." {
                if parts.popLast() == nil { return nil }
            } else {
                parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }

    /// The directories with a kustomization that no other one takes in, and that stand for themselves.
    func roots() -> [String] {
        var taken: Set<String> = []
        for (directory, kustomization) in kustomizations {
            for key in ["resources", "bases", "components"] {
                for text in kustomization.value[key]?.items.compactMap(\.string) ?? [] {
                    if let path = Self.joined(directory, text) { taken.insert(path) }
                }
            }
        }
        return kustomizations.filter { directory, kustomization in
            !taken.contains(directory) && kustomization.value["kind"]?.string != "Component"
        }.keys.sorted()
    }

    // MARK: Resources

    /// All that a directory gives: by its kustomization, or, as Flux makes one where there is none, all of its manifests.
    mutating func objects(of directory: String, depth: Int = 0) -> [Built] {
        if let known = done[directory] { return known }
        guard depth < Self.depthLimit else { return [] }
        // Whoever leads back here while it is built gets nothing.
        done[directory] = []
        reachedDirectories.insert(directory)
        var built: [Built] = []
        if kustomizations[directory] != nil {
            built = kustomized(directory, [], depth: depth)
        } else {
            let prefix = directory.isEmpty ? "" : directory + "/"
            let nested = kustomizations.keys.filter { $0.hasPrefix(prefix) && $0 != directory }.sorted()
            var tops: [String] = []
            for path in nested where !tops.contains(where: { path.hasPrefix($0 + "/") }) { tops.append(path) }
            for file in files.keys.sorted()
            where file.hasPrefix(prefix) && !tops.contains(where: { file.hasPrefix($0 + "/") }) {
                built += objects(in: file)
            }
            for top in tops { built += objects(of: top, depth: depth + 1) }
        }
        built = Array(built.prefix(Self.objectLimit))
        done[directory] = built
        return built
    }

    private mutating func objects(in file: String) -> [Built] {
        guard let objects = files[file] else { return [] }
        reachedFiles.insert(file)
        return objects.map(Built.init)
    }

    /// What a component makes of objects.
    mutating func component(_ directory: String, over given: [Built]) -> [Built] {
        reachedDirectories.insert(directory)
        return kustomized(directory, given, depth: 1)
    }

    /// The files that kustomizations name as patches: they have the form of objects, and are none.
    func patchFiles() -> Set<String> {
        var paths: Set<String> = []
        for (directory, kustomization) in kustomizations {
            let texts =
                (kustomization.value["patchesStrategicMerge"]?.items ?? []).compactMap(\.string)
                + ["patches", "patchesJson6902"].flatMap { kustomization.value[$0]?.items ?? [] }
                .compactMap { $0["path"]?.string }
            for text in texts where !text.contains("\n") {
                if let path = Self.joined(directory, text) { paths.insert(path) }
            }
        }
        return paths
    }

    /// A kustomization's resources behind what is given, with its changes.
    private mutating func kustomized(_ directory: String, _ given: [Built], depth: Int) -> [Built] {
        guard let (path, value) = kustomizations[directory], depth < Self.depthLimit else { return given }
        var built = given
        func paths(_ key: String) -> [String] {
            (value[key]?.items ?? []).compactMap(\.string).compactMap { Self.joined(directory, $0) }
        }
        for resource in paths("resources") + paths("bases")
        where built.count < Self.objectLimit && charge(1 + built.count / 16) {
            built += tree.file(resource) != nil ? objects(in: resource) : objects(of: resource, depth: depth + 1)
        }
        for component in paths("components") where charge(1 + built.count) {
            reachedDirectories.insert(component)
            built = kustomized(component, built, depth: depth + 1)
        }
        guard !built.isEmpty else { return [] }
        return changed(Array(built.prefix(Self.objectLimit)), by: value, in: directory, at: path)
    }

    // MARK: Changes

    /// The changes of a kustomization, or of a Flux Kustomization's `spec`, in the order in which Kustomize makes them.
    ///
    /// - Parameter place: what messages call it.
    mutating func changed(
        _ built: [Built], by value: ObjectValue, in directory: String, at place: String
    ) -> [Built] {
        var built = built
        for entry in value["patchesStrategicMerge"]?.items ?? [] {
            guard let text = entry.string else { continue }
            let isInline = text.contains("\n")
            patch(
                &built, isInline ? .text(text) : .null, path: isInline ? nil : text, target: nil, in: directory,
                at: place)
        }
        for entry in (value["patches"]?.items ?? []) + (value["patchesJson6902"]?.items ?? []) {
            patch(
                &built, entry["patch"] ?? .null, path: entry["path"]?.string, target: entry["target"], in: directory,
                at: place)
        }
        let namespace = (value["namespace"] ?? value["targetNamespace"])?.string
        let (prefix, suffix) = (value["namePrefix"]?.string ?? "", value["nameSuffix"]?.string ?? "")
        var labels = value["commonLabels"]?.texts ?? [:]
        for entry in value["labels"]?.items ?? [] { labels.merge(entry["pairs"]?.texts ?? [:]) { _, new in new } }
        labels.merge(value["commonMetadata"]?["labels"]?.texts ?? [:]) { _, new in new }
        for index in built.indices where charge(labels.count + prefix.utf8.count / 64 + suffix.utf8.count / 64) {
            built[index].setMetadata(namespace: namespace, prefix: prefix, suffix: suffix, labels: labels, by: place)
        }
        for (key, reason) in [
            ("replacements", "its replacements are not followed"),
            ("transformers", "its transformers are not followed"),
        ] where !(value[key]?.items ?? []).isEmpty {
            markUnknown(&built, value[key]?.items ?? [], "\(place): \(reason)")
        }
        return built
    }

    /// Replacements that name their targets' kinds leave others alone.
    private func markUnknown(_ built: inout [Built], _ entries: [ObjectValue], _ reason: String) {
        for index in built.indices where built[index].unknown == nil {
            let kind = built[index].object.kind.rawValue
            let isMeant = entries.contains { entry in
                let targets = entry["targets"]?.items ?? []
                return targets.isEmpty
                    || targets.contains { ($0["select"]?["kind"]?.string).map { $0 == kind } ?? true }
            }
            if isMeant { built[index].unknown = reason }
        }
    }

    private mutating func patch(
        _ built: inout [Built], _ inline: ObjectValue, path: String?, target: ObjectValue?, in directory: String,
        at place: String
    ) {
        if let kind = target?["kind"]?.string, !kind.isEmpty, FluxObject.Kind(rawValue: kind) == nil { return }
        let documents: [ObjectValue]
        var source = place
        if let path {
            guard let file = Self.joined(directory, path), tree.file(file) != nil else {
                return mark(&built, target, "\(place): the patch '\(path.prefix(100))' is not in the repository")
            }
            source = file
            guard let known = patches[file] else {
                wantedPatches.insert(file)
                return
            }
            documents = known
        } else {
            guard case .text(let text) = inline, let read = Self.documents(Array(text.utf8)) else {
                return mark(&built, target, "\(place): a patch is not YAML")
            }
            documents = read
        }
        for document in documents where document != .null {
            guard let patch = ObjectPatch(document) else {
                mark(&built, target, "\(source): it is no patch")
                continue
            }
            guard charge(built.count) else { return }
            apply(patch, document, to: &built, target: target, source: source)
        }
    }

    private mutating func apply(
        _ patch: ObjectPatch, _ document: ObjectValue, to built: inout [Built], target: ObjectValue?, source: String
    ) {
        var remaining: [Built] = []
        let target = target.map(KustomizeTarget.init)
        let cost = 200 + document.count
        for var one in built {
            let isMeant: Bool
            if let target {
                isMeant = target.matches(one)
            } else {
                let metadata = document["metadata"]
                isMeant =
                    document["kind"]?.string == one.object.kind.rawValue
                    && metadata?["name"]?.string.map(one.names.contains) ?? false
                    && metadata?["namespace"]?.string.map { one.namespaces.isEmpty || one.namespaces.contains($0) }
                        ?? true
            }
            guard isMeant, charge(cost) else {
                remaining.append(one)
                continue
            }
            do throws(ObjectPatch.Failure) {
                guard var value = try patch.applied(to: one.object.value) else { continue }
                if case .merge = patch { value = Self.keepingIdentity(of: one.object.value, in: value) }
                one.becomes(value, by: source)
            } catch {
                one.unknown = "\(source): \(error.reason)"
            }
            remaining.append(one)
        }
        built = remaining
    }

    /// A strategic merge renames nothing.
    private static func keepingIdentity(of old: ObjectValue, in new: ObjectValue) -> ObjectValue {
        guard case .mapping(var fields) = new, case .mapping(var metadata)? = fields["metadata"] else { return new }
        metadata["name"] = old["metadata"]?["name"]
        metadata["namespace"] = old["metadata"]?["namespace"]
        fields["metadata"] = .mapping(metadata)
        fields["kind"] = old["kind"]
        return .mapping(fields)
    }

    private func mark(_ built: inout [Built], _ target: ObjectValue?, _ reason: String) {
        let target = target.map(KustomizeTarget.init)
        for index in built.indices where target?.matches(built[index]) ?? true {
            built[index].unknown = built[index].unknown ?? reason
        }
    }

    /// The documents of a patch; `nil` for what is not YAML.
    static func documents(_ bytes: [UInt8]) -> [ObjectValue]? {
        guard let documents = try? YAMLStream.parse(bytes) else { return nil }
        return documents.compactMap(\.root).compactMap { ObjectValue($0) }
    }
}

extension KustomizeBuild.Built {
    fileprivate mutating func setMetadata(
        namespace: String?, prefix: String, suffix: String, labels: [String: String], by place: String
    ) {
        guard case .mapping(var fields) = object.value, case .mapping(var metadata)? = fields["metadata"] else {
            return
        }
        if let namespace { metadata["namespace"] = .text(namespace) }
        if !prefix.isEmpty || !suffix.isEmpty { metadata["name"] = .text(prefix + object.name + suffix) }
        if !labels.isEmpty {
            var all = object.labels
            all.merge(labels) { _, new in new }
            metadata["labels"] = .mapping(all.mapValues { .text($0) })
        }
        fields["metadata"] = .mapping(metadata)
        becomes(.mapping(fields), by: place)
    }
}
