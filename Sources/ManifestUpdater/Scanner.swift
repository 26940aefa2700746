import Diagnostics
import OCI
import YAML

/// Gathers the targets of one file.
struct Scanner {
    let file: String
    let bytes: [UInt8]
    private lazy var lines = LineIndex(bytes)
    private var result = ScanResult()
    /// Where the comments start that were taken as markers.
    var usedMarkers: Set<Int> = []
    /// Where quoted and block texts are that a marker's line touches.
    var longTexts: [Range<Int>] = []
    /// The lines that speak of image policies, found once a file.
    var markerLines: [Range<Int>]?
    /// Where custom resources have their images.
    var rules: [ImagePathRule] = []
    /// Whether custom resources are wanted that nothing automates, too: for lists and commands.
    var listsAll = false
    /// The rule for the object at hand.
    var rule: ImagePathRule?
    /// Why the filters of the object at hand cannot be trusted.
    var misnamed: String?

    /// - Parameter lines: those of the bytes, where they are known.
    init(file: String, bytes: [UInt8], lines: LineIndex? = nil) {
        self.file = file
        self.bytes = bytes
        if let lines { self.lines = lines }
    }

    mutating func location(of node: YAMLNode) -> SourceLocation {
        lines.location(of: node.range.lowerBound, in: file)
    }

    mutating func skip(_ node: YAMLNode, _ reason: String) {
        result.skipped.append(ScanResult.Skipped(place: location(of: node).description, reason: reason))
    }

    /// Something that looks as if it asked for something, and does not.
    mutating func remark(at place: SourceLocation, _ reason: String) {
        result.remarks.append(ScanResult.Skipped(place: place.description, reason: reason))
    }

    mutating func remarkIdleMarkers() {
        for idle in idleMarkers() {
            remark(at: lines.location(of: idle.offset, in: file), "the marker does nothing: \(idle.reason)")
        }
    }

    mutating func add(_ target: ImageTarget) { result.targets.append(target) }

    // MARK: Workloads

    mutating func scan(_ manifest: Manifest, document: Int) {
        if manifest.kind == "HelmRelease" {
            scanHelmRelease(manifest, document: document)
            return
        }
        let containers = manifest.containers
        guard !containers.isEmpty else { return scanOther(manifest, document: document) }
        let policies = FluxPolicies(annotations: manifest.annotations)
        let keel =
            policies.mentionsAutomation
            ? nil : KeelPolicy(annotations: manifest.annotations, labels: manifest.labels)
        scan(containers, of: manifest, policies, keel: keel, document: document)
    }

    /// The containers of an object that runs pods.
    mutating func scan(
        _ containers: [YAMLNode], of manifest: Manifest, _ policies: FluxPolicies, keel: KeelPolicy?, document: Int
    ) {
        let workload = manifest.id
        let initial = Set((manifest.podTemplate?["spec"]?["initContainers"]?.items ?? []).map(\.range.lowerBound))
        misnamed = policies.misnamedFilter(containers.compactMap { $0["name"]?.text ?? manifest.nameOfUnnamed })
        if keel != nil,
            let (key, meant) = KeelPolicy.mistyped(in: manifest.annotations)
                ?? KeelPolicy.mistyped(in: manifest.labels)
        {
            misnamed = "Keel does not read '\(key)'; did you mean '\(meant)'?"
        }
        defer { misnamed = nil }
        if keel == nil, !policies.mentionsAutomation { explainPodTemplate(of: manifest) }
        for container in containers {
            guard let image = container["image"] else { continue }
            guard let name = container["name"]?.text ?? manifest.nameOfUnnamed else {
                skip(container, "\(workload): a container without a name")
                continue
            }
            if container.duplicateKey?.key.text == "image" {
                skip(image, "\(workload) \(name): the key 'image' is there twice")
                continue
            }
            guard let text = image.text else {
                skip(image, "\(workload) \(name): the image is no text (a template?)")
                continue
            }
            var leftOut: String?
            if let (trigger, reason) = manifest.trigger(of: name) { leftOut = "\(reason) (\(location(of: trigger)))" }
            let isInitial = initial.contains(container.range.lowerBound)
            addTarget(
                at: image, image: WrittenReference(Self.trimmed(text)), field: .reference(prefix: ""), container: name,
                workload: workload, policies: policies, document: document,
                keel: keel.map { policy in
                    let isLeftOut = isInitial && manifest.annotations["keel.sh/initContainers"] != "true"
                    return Keel(
                        policy: policy,
                        leftOut: isLeftOut ? "Keel's rule: init containers only with keel.sh/initContainers" : nil)
                }, leftOut: leftOut)
        }
    }

    /// Keel looks at the object's own annotations and labels.
    private mutating func explainPodTemplate(of manifest: Manifest) {
        guard manifest.kind != "Pod", let metadata = manifest.podTemplate?["metadata"] else { return }
        for key in ["annotations", "labels"] {
            guard let node = metadata[key], KeelPolicy.isMentioned(in: Manifest.texts(node)) else { continue }
            skip(
                node,
                "\(manifest.id): not updated: keel.sh/policy stands in the \(key) of the pod template, where Keel does not "
                    + "look; move it to the \(key) of the \(manifest.kind)")
        }
    }

    mutating func add(_ object: FluxObject) { result.flux.objects.append(object) }

    mutating func addKustomization(_ value: ObjectValue) { result.flux.kustomizations[file] = value }

    mutating func add(_ application: ArgoApplication) { result.applications.append(application) }

    mutating func add(_ set: ArgoApplicationSet) { result.applicationSets.append(set) }

    mutating func add(_ updater: ArgoImageUpdater) { result.imageUpdaters.append(updater) }

    /// The entries of a kustomization's `images:`, when its own annotations say that they are followed; the container's
    /// place is taken by the entry's name.
    mutating func scanKustomization(_ root: YAMLNode, document: Int) {
        let annotations = Manifest.texts(root["metadata"]?["annotations"])
        let policies = FluxPolicies(annotations: annotations)
        guard policies.mentionsAutomation else { return }
        misnamed = policies.misnamedFilter((root["images"]?.items ?? []).compactMap { $0["name"]?.text })
        defer { misnamed = nil }
        let workload = WorkloadID(
            namespace: root["namespace"]?.text ?? "default", kind: "Kustomization",
            name: root["metadata"]?["name"]?.text ?? "kustomization")
        for entry in root["images"]?.items ?? [] {
            guard let original = entry["name"]?.text, let tag = entry["newTag"], let text = tag.text, !tag.isNull,
                !text.isEmpty
            else {
                skip(entry, "\(workload): an entry of 'images' without name and newTag cannot be followed")
                continue
            }
            let name = entry["newName"]?.text ?? original
            let digest = entry["digest"].flatMap { $0.isNull ? nil : $0 }
            let image = WrittenReference("\(name):\(text)" + (digest?.text.map { "@\($0)" } ?? ""))
            addTarget(
                at: tag, image: image, field: .tag(name: name), container: original, workload: workload,
                policies: policies, document: document, digest: digest?.resolved.range)
        }
    }

    /// What Keel's words say of an image.
    struct Keel {
        let policy: KeelPolicy
        var leftOut: String?
        /// Whether the digest has a place of its own.
        var pinsDigest = false
        /// Whether a chart's values say it.
        var isOfValues = false
    }

    /// Adds a target whose scalar, or the alias in its place, is `node`.
    mutating func addTarget(
        at node: YAMLNode, image: WrittenReference, field: ImageTarget.Field, container: String, workload: WorkloadID,
        policies: FluxPolicies, document: Int, name: Range<Int>? = nil, registry: Range<Int>? = nil,
        digest: Range<Int>? = nil, keel: Keel? = nil, leftOut: String? = nil
    ) {
        var held = policies.held
        if let keel {
            // Keel's own switch; locks and ignores count all the same.
            if held?.isNoAutomation ?? false {
                held = keel.policy.text == "never" ? .leftOut("Keel's policy is never") : nil
            }
            held = held ?? keel.leftOut.map { .leftOut($0) }
        }
        // Without the filter that was meant, any image would do.
        held = held ?? (leftOut ?? misnamed).map { .leftOut($0) }
        var target = ImageTarget(
            file: file, documentIndex: document, workload: workload, container: container, image: image,
            field: field, valueRange: node.resolved.range, location: location(of: node),
            policy: policies.filter(of: container),
            source: keel.map { .keel($0.policy) } ?? .flux1Annotation, held: held ?? Self.unreadable(image))
        target.rule = rule
        (target.nameRange, target.registryRange, target.digestRange) = (name, registry, digest)
        target.options = UpdateOptions(annotations: policies.annotations, container: container)
        if let keel {
            if keel.policy.approvals > 0 { target.options.needsApproval = true }
            if keel.pinsDigest { target.options.pinsDigest = true }
            target.options.canBeApproved = !keel.isOfValues
        }
        add(target)
    }

    /// A block scalar may end with a line break that is not part of the reference.
    static func trimmed(_ text: String) -> String {
        var text = text[...]
        while text.last == "\n" { text.removeLast() }
        return String(text)
    }

    /// Why a text cannot be an image's reference.
    static func unreadable(_ written: WrittenReference) -> HoldReason? {
        let image = written.description
        if image.isEmpty { return .notAnImage("the image is empty") }
        // No reference holds any of these: `$(VAR)`, `${VAR}`, `{{ .Value }}`, `<your image>`.
        if image.utf8.contains(where: { $0 == UInt8(ascii: "$") || $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "<") })
        {
            return .notAnImage("'\(image.prefix(80))' holds a placeholder")
        }
        do {
            _ = try Reference(image)
            return nil
        } catch {
            if image.hasPrefix("oci:") {
                return .notAnImage(
                    "'\(image.prefix(80))' is a directory of the agent's machine, which a repository may not read")
            }
            return .notAnImage("'\(image.prefix(80))' is no image reference")
        }
    }

    // MARK: Result

    /// The targets in the order of the file; those that share a scalar with a place that is held are held too.
    ///
    /// - Parameter encrypted: why no value of the file may change.
    mutating func finished(encrypted: String? = nil) -> ScanResult {
        result.targets = result.targets.enumerated().sorted {
            ($0.element.location.line, $0.element.location.column, $0.offset)
                < ($1.element.location.line, $1.element.location.column, $1.offset)
        }.map(\.element)
        var seen: [ImageTarget.Identity: Int] = [:]
        for index in result.targets.indices {
            let identity = result.targets[index].identity
            result.targets[index].occurrence = seen[identity, default: 0]
            seen[identity, default: 0] += 1
        }
        holdShared()
        if let encrypted {
            for index in result.targets.indices where result.targets[index].isFollowed {
                result.targets[index].held = .encrypted(encrypted)
            }
        }
        return result
    }

    /// Of what is written in one place a marker decides; else all who use it have to agree.
    private mutating func holdShared() {
        let targets = result.targets
        guard targets.count > 1 else { return }
        for sharing in Dictionary(grouping: targets.indices, by: { targets[$0].valueRange }).values
        where sharing.count > 1 {
            if let marker = sharing.first(where: { targets[$0].isMarker }), let decides = targets[marker].held {
                for index in sharing where !targets[index].isMarker {
                    let isHere = targets[index].location == targets[marker].location
                    result.targets[index].held =
                        isHere ? decides : .shared(with: "line \(targets[marker].location.line): \(decides)")
                }
                continue
            }
            guard let other = sharing.first(where: { targets[$0].held != nil }) else { continue }
            let why = targets[other].held?.description ?? ""
            for index in sharing where targets[index].held == nil {
                result.targets[index].held = .shared(with: "\(targets[other].subject), which is held: \(why)")
            }
        }
    }
}

extension ImageTarget {
    /// Whether something asks for updates, and nothing holds them back.
    fileprivate var isFollowed: Bool { held == nil || isMarker }

    /// The workload and the container, for messages.
    var subject: String { container.isEmpty ? workload.description : "\(workload) container \(container)" }
}
