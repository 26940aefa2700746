import Diagnostics
import ManifestUpdater

/// Finds what is built of a repository: the paths of its Flux Kustomizations, the kustomizations that stand for themselves, and what
/// no build reaches. Objects that one Kustomization leads to, by way of others, belong to one cluster.
struct FluxRoots {
    let sources: FluxSources
    let tree: RevisionTree
    /// Whether a git URL leads to the repository itself.
    let isOwn: (String) -> Bool

    /// Kustomizations that are made by Kustomizations, in a row.
    private static let rounds = 6

    /// - Parameters:
    ///   - patches: contents of patch files.
    ///   - wanted: patch files whose contents are needed, too.
    func inventory(patches: [String: [ObjectValue]], wanted: inout Set<String>) -> FluxInventory {
        var build = KustomizeBuild(sources, patches: patches, tree: tree)
        var kustomizations = sources.objects.filter { $0.kind == .kustomization }.map(KustomizeBuild.Built.init)
        var outputs: [[KustomizeBuild.Built]] = []
        for _ in 0..<Self.rounds {
            outputs = kustomizations.map { objects(of: $0, by: &build) }
            // Those that are built themselves count as they come out.
            var next: [KustomizeBuild.Built] = []
            var seen: Set<FluxObject> = []
            for one in outputs.joined() where one.object.kind == .kustomization && seen.insert(one.object).inserted {
                next.append(one)
            }
            let places = Set(next.map(\.object.location))
            next += kustomizations.filter { !places.contains($0.object.location) }
            if Set(next.map(\.object)) == Set(kustomizations.map(\.object)) { break }
            kustomizations = next
        }
        var finished: [FluxInventory.Finished] = []
        let clusters = Self.clusters(kustomizations.map(\.object), outputs)
        for (number, output) in outputs.enumerated() {
            finished += output.map { Self.finished($0, cluster: clusters[number]) }
        }
        var cluster = outputs.count
        for root in build.roots() where !build.reachedDirectories.contains(root) {
            finished += build.objects(of: root).map { Self.finished($0, cluster: cluster) }
            cluster += 1
        }
        wanted = build.wantedPatches
        let patchFiles = build.patchFiles()
        for object in sources.objects
        where !build.reachedFiles.contains(object.location.file) && !patchFiles.contains(object.location.file) {
            finished.append(Self.finished(KustomizeBuild.Built(object), cluster: cluster))
        }
        guard !build.isExhausted else {
            return FluxInventory(
                finished.map {
                    FluxInventory.Finished(
                        object: $0.object, cluster: $0.cluster, changedBy: [],
                        unknown: "the repository's kustomizations are too many, or too large, to be followed")
                })
        }
        return FluxInventory(finished)
    }

    /// What a Flux Kustomization applies.
    private func objects(
        of kustomization: KustomizeBuild.Built, by build: inout KustomizeBuild
    ) -> [KustomizeBuild.Built] {
        let object = kustomization.object
        guard let spec = object.spec, spec["sourceRef"]?["kind"]?.string == "GitRepository", isOfThisRepository(object),
            let path = KustomizeBuild.joined("", Self.relative(spec["path"]?.string ?? "")), tree.isDirectory(path)
        else { return [] }
        let place = object.location.description
        var built = build.objects(of: path)
        for text in (spec["components"]?.items ?? []).compactMap(\.string) {
            if let component = KustomizeBuild.joined(path, text) { built = build.component(component, over: built) }
        }
        built = build.changed(built, by: spec, in: path, at: place)
        guard let substitution = Substitution(spec["postBuild"]) else { return built }
        for index in built.indices {
            let metadata = built[index].object.value["metadata"]
            let key = "kustomize.toolkit.fluxcd.io/substitute"
            if metadata?["labels"]?[key]?.string == "disabled" || metadata?["annotations"]?[key]?.string == "disabled" {
                continue
            }
            do throws(Substitution.Unknown) {
                built[index].becomes(try substitution.applied(to: built[index].object.value), by: place)
            } catch {
                built[index].unknown = built[index].unknown ?? "\(place): \(error.reason)"
            }
        }
        return built
    }

    private static func relative(_ path: String) -> String { String(path.drop { $0 == "/" }) }

    /// A source that is not in the repository is taken for the repository itself: its path has to be there anyway.
    private func isOfThisRepository(_ kustomization: FluxObject) -> Bool {
        let reference = kustomization.spec?["sourceRef"]
        let name = reference?["name"]?.string ?? ""
        let namespace = reference?["namespace"]?.string ?? kustomization.namespace
        let found = sources.objects.filter { object in
            object.kind == .gitRepository && object.name == name
                && (object.namespace == nil || namespace == nil || object.namespace == namespace)
        }
        return found.isEmpty || found.contains { isOwn(FluxGitRepository($0).url) }
    }

    /// The smallest number of those that lead to each other.
    private static func clusters(_ kustomizations: [FluxObject], _ outputs: [[KustomizeBuild.Built]]) -> [Int] {
        var cluster = Array(outputs.indices)
        func root(_ number: Int) -> Int {
            var number = number
            while cluster[number] != number { number = cluster[number] }
            return number
        }
        var numbers: [FluxObject: Int] = [:]
        for (number, object) in kustomizations.enumerated() { numbers[object] = number }
        for (number, output) in outputs.enumerated() {
            for one in output where one.object.kind == .kustomization {
                guard let other = numbers[one.object] else { continue }
                let (left, right) = (root(number), root(other))
                cluster[max(left, right)] = min(left, right)
            }
        }
        return cluster.indices.map(root)
    }

    private static func finished(_ built: KustomizeBuild.Built, cluster: Int) -> FluxInventory.Finished {
        var unknown = built.unknown
        if unknown == nil, let text = placeholder(in: built.object.spec) {
            unknown = "'\(text.prefix(100))' is filled in by something that is not in the repository"
        }
        return FluxInventory.Finished(
            object: built.object, cluster: cluster, changedBy: built.changedBy, unknown: unknown)
    }

    /// `extract` and message templates have dollar signs of their own.
    private static func placeholder(in value: ObjectValue?) -> String? {
        switch value {
        case .text(let text)?: return text.contains("${") ? text : nil
        case .list(let items)?: return items.lazy.compactMap { placeholder(in: $0) }.first
        case .mapping(let fields)?:
            return fields.filter { $0.key != "extract" && !$0.key.hasPrefix("messageTemplate") }
                .sorted { $0.key < $1.key }.lazy.compactMap { placeholder(in: $0.value) }.first
        case .null?, nil: return nil
        }
    }
}
