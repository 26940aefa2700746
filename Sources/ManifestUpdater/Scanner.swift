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

    init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
    }

    mutating func location(of node: YAMLNode) -> SourceLocation {
        lines.location(of: node.range.lowerBound, in: file)
    }

    mutating func skip(_ node: YAMLNode, _ reason: String) {
        result.skipped.append(ScanResult.Skipped(place: location(of: node).description, reason: reason))
    }

    mutating func add(_ target: ImageTarget) { result.targets.append(target) }

    // MARK: Workloads

    mutating func scan(_ manifest: Manifest, document: Int) {
        if manifest.kind == "HelmRelease" {
            scanHelmRelease(manifest, document: document)
            return
        }
        let containers = manifest.containers
        guard !containers.isEmpty else { return }
        let policies = FluxPolicies(annotations: manifest.annotations)
        let workload = manifest.id
        for container in containers {
            guard let image = container["image"] else { continue }
            guard let name = container["name"]?.text else {
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
            addTarget(
                at: image, image: Self.trimmed(text), field: .reference(prefix: ""), container: name,
                workload: workload,
                policies: policies, document: document)
        }
    }

    /// Adds a target whose scalar, or the alias in its place, is `node`.
    mutating func addTarget(
        at node: YAMLNode, image: String, field: ImageTarget.Field, container: String, workload: WorkloadID,
        policies: FluxPolicies, document: Int, name: Range<Int>? = nil, registry: Range<Int>? = nil
    ) {
        var target = ImageTarget(
            file: file, documentIndex: document, workload: workload, container: container, image: image,
            field: field, valueRange: node.resolved.range, location: location(of: node),
            policy: policies.filter(of: container), source: .flux1Annotation,
            held: policies.held ?? Self.unreadable(image))
        (target.nameRange, target.registryRange) = (name, registry)
        add(target)
    }

    /// A block scalar may end with a line break that is not part of the reference.
    static func trimmed(_ text: String) -> String {
        var text = text[...]
        while text.last == "\n" { text.removeLast() }
        return String(text)
    }

    private static func unreadable(_ image: String) -> HoldReason? {
        if image.isEmpty { return .notAnImage("the image is empty") }
        // No reference holds any of these: `$(VAR)`, `${VAR}`, `{{ .Value }}`, `<your image>`.
        if image.utf8.contains(where: { $0 == UInt8(ascii: "$") || $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "<") })
        {
            return .notAnImage("'\(image.prefix(80))' holds a placeholder")
        }
        do {
            _ = try ImageLocation(image)
            return nil
        } catch {
            return .notAnImage("'\(image.prefix(80))' is no image reference")
        }
    }

    // MARK: Result

    /// The targets in the order of the file; those that share a scalar with a place that is held are held too.
    mutating func finished() -> ScanResult {
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
        return result
    }

    private mutating func holdShared() {
        let targets = result.targets
        guard targets.count > 1 else { return }
        for sharing in Dictionary(grouping: targets.indices, by: { targets[$0].valueRange }).values
        where sharing.count > 1 {
            guard let other = sharing.first(where: { targets[$0].held != nil }) else { continue }
            let why = targets[other].held?.description ?? ""
            for index in sharing where targets[index].held == nil {
                result.targets[index].held = .shared(with: "\(targets[other].subject), which is held: \(why)")
            }
        }
    }
}

extension ImageTarget {
    /// The workload and the container, for messages.
    var subject: String { container.isEmpty ? workload.description : "\(workload) container \(container)" }
}
