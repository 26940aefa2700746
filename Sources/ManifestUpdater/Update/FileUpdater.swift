import Diagnostics
import YAML

extension ManifestUpdater {
    /// Carries out a request on one file. Pure: never fails, a file that cannot be handled is skipped with its reason.
    package static func update(_ bytes: [UInt8], file: String, request: UpdateRequest) -> FileUpdate {
        guard request.mayConcern(bytes, file: file) else { return FileUpdate() }
        let documents: [YAMLDocument]
        do {
            documents = try YAMLStream.parse(bytes, file: file)
        } catch {
            var update = FileUpdate()
            update.skipped = [ManifestSkip(file: file, line: error.location?.line, reason: error.summary)]
            return update
        }
        var updater = FileUpdater(file: file, bytes: bytes, documents: documents, request: request)
        updater.gather()
        return updater.finished()
    }
}

extension UpdateRequest {
    /// A search of the file's name and bytes: all files without anything that is asked for cost next to nothing.
    func mayConcern(_ bytes: [UInt8], file: String) -> Bool {
        if !resolved.isEmpty, Self.mayHoldMarkers(file), ManifestScan.contains(bytes, "\"$imagepolicy\"") {
            return true
        }
        if workloads.contains(where: { ManifestScan.contains(bytes, $0.workload.name) }) { return true }
        return !kustomizeImages.isEmpty && Self.isKustomization(file) || isHelmFile(file)
    }

    /// Flux v2's rule.
    static func mayHoldMarkers(_ file: String) -> Bool {
        file.hasSuffix(".yaml") || file.hasSuffix(".yml") || file == "Kustomization" || file.hasSuffix("/Kustomization")
    }
}

/// Gathers what a request asks for in one file, and writes it.
struct FileUpdater {
    /// A value and what it is to be.
    struct PlannedEdit {
        var node: YAMLNode
        var text: String
        var object: String
        var container: String
        var setter: String
        /// What is written together, or not at all.
        var unit: Int?
    }

    /// Who wants an entry of a kustomization, in the words of changes.
    struct Asker {
        var object: String
        var container: String
        var setter: String
        var unit: Int
    }

    /// A change of structure. One edit may make several changes, and goes with the first of them.
    struct Structure {
        var edit: StructureEdit?
        var change: ManifestChange
        var unit: Int?
    }

    let file: String
    let bytes: [UInt8]
    let documents: [YAMLDocument]
    let request: UpdateRequest
    let lines: LineIndex
    var planned: [PlannedEdit] = []
    var structure: [Structure] = []
    var unitCount = 0
    /// The units of which something cannot be written.
    var refusedUnits: Set<Int> = []
    /// Of these the ones that contradict others, each with what is said of it.
    var contradictions: [Int: ManifestSkip] = [:]
    /// The units that are Argo CD's places.
    var placeUnits: Set<Int> = []
    /// The Applications of the file.
    lazy var applications = Self.applications(in: documents)
    /// Units that want what another one wants, too, and are carried out with it.
    var twins: [Int: Int] = [:]
    /// What entries of kustomizations, and new ones by their names, are to be, and who asked first.
    var settledEntries: [YAMLNode: (image: UpdateRequest.KustomizeImage, asker: Asker)] = [:]
    var settledAdditions: [String: (image: UpdateRequest.KustomizeImage, asker: Asker)] = [:]
    var result = FileUpdate()
    /// Why nothing of the file may change; known when it is written.
    var encryption: String?
    /// Whether the result did not say what it was to say, so that the file stays as it is.
    var isUnproved = false

    init(file: String, bytes: [UInt8], documents: [YAMLDocument], request: UpdateRequest) {
        self.file = file
        self.bytes = bytes
        self.documents = documents
        self.request = request
        lines = LineIndex(bytes)
    }

    mutating func gather() {
        if !request.resolved.isEmpty, UpdateRequest.mayHoldMarkers(file) { gatherMarkers() }
        if !request.workloads.isEmpty { gatherWorkloads() }
        if !request.kustomizeImages.isEmpty, UpdateRequest.isKustomization(file) { gatherKustomizeImages() }
        if request.isHelmFile(file) { gatherHelmValues() }
    }

    mutating func newUnit() -> Int {
        unitCount += 1
        return unitCount
    }

    func line(_ node: YAMLNode) -> Int { lines.location(of: node.range.lowerBound, in: file).line }

    mutating func skip(_ node: YAMLNode, object: String = "", container: String = "", _ reason: String) {
        result.skipped.append(
            ManifestSkip(file: file, line: line(node), object: object, container: container, reason: reason))
    }

    /// Refuses a unit because another one wants something else in the same place.
    ///
    /// - Parameter isTold: whether that is said.
    mutating func contradict(
        _ unit: Int, at node: YAMLNode, object: String = "", container: String = "", isTold: Bool = true,
        _ reason: String
    ) {
        refusedUnits.insert(unit)
        let skip = ManifestSkip(file: file, line: line(node), object: object, container: container, reason: reason)
        if contradictions[unit] == nil { contradictions[unit] = skip }
        if isTold { result.skipped.append(skip) }
    }

    /// A pair that comes or goes.
    mutating func add(
        _ edit: StructureEdit?, at node: YAMLNode, object: String = "", container: String = "", old: String,
        new: String, setter: String, unit: Int? = nil
    ) {
        let place = lines.location(of: node.range.lowerBound, in: file)
        structure.append(
            Structure(
                edit: edit,
                change: ManifestChange(
                    file: file, line: place.line, column: place.column, object: object, container: container, old: old,
                    new: new, setter: setter), unit: unit))
    }

    // MARK: Flux v2

    private mutating func gatherMarkers() {
        var scanner = Scanner(file: file, bytes: bytes)
        for document in documents {
            guard let root = document.root else { continue }
            for found in scanner.markers(in: root) {
                let marker = found.marker
                let name = UpdateRequest.PolicyName(namespace: marker.namespace, name: marker.name)
                guard let image = request.resolved[name] else {
                    skip(
                        found.node, object: found.object?.description ?? "", container: found.container,
                        "the image policy \(name) of its marker is not resolved")
                    continue
                }
                result.met.insert(name.description)
                let (given, part): (String?, String) =
                    switch marker.field {
                    case .reference: (image.description, "")
                    case .tag: (image.tag, ":tag")
                    case .name: (image.name, ":name")
                    case .digest: (image.digest, ":digest")
                    }
                // An empty tag or digest would make another image of what the parts say together.
                guard let text = given else {
                    skip(
                        found.node, object: found.object?.description ?? "", container: found.container,
                        "its marker asks for a part that '\(image)' does not have: it has no \(part.dropFirst()); resolve "
                            + "\(name) to NAME:TAG@DIGEST")
                    continue
                }
                planned.append(
                    PlannedEdit(
                        node: found.node, text: text, object: found.object?.description ?? "",
                        container: found.container, setter: "policy \(name)\(part)"))
            }
        }
        for idle in scanner.idleMarkers() {
            result.skipped.append(
                ManifestSkip(
                    file: file, line: lines.location(of: idle.offset, in: file).line,
                    reason: "the marker does nothing: \(idle.reason)"))
        }
    }

    // MARK: Workloads

    /// Finds workloads as commands do: annotated or not.
    func commandScanner() -> Scanner {
        var scanner = Scanner(file: file, bytes: bytes, lines: lines)
        scanner.rules = request.rules
        scanner.listsAll = true
        return scanner
    }

    private mutating func gatherWorkloads() {
        var scanner = commandScanner()
        for document in documents {
            for manifest in document.root.map(Manifest.all) ?? [] { scanner.scan(manifest, document: document.index) }
        }
        let all = scanner.finished().targets
        let workloads = Dictionary(grouping: all, by: \.workload.description)
        var chosen: [(target: ImageTarget, image: WrittenReference)] = []
        for (number, wanted) in request.workloads.enumerated() {
            let name = wanted.workload.description
            guard let targets = workloads[name] else { continue }
            result.met.insert(UpdateRequest.key(ofWorkload: number))
            let named = targets.filter { wanted.container == nil || $0.container == wanted.container }
            let containers = Set(targets.map(\.container)).sorted().prefix(20).joined(separator: ", ")
            if wanted.container == nil, Set(named.map(\.container)).count > 1 {
                result.skipped.append(
                    ManifestSkip(
                        file: file, line: targets[0].location.line, object: name,
                        reason: "it has several containers (\(containers)): say which one by --container"))
            } else if named.isEmpty {
                result.skipped.append(
                    ManifestSkip(
                        file: file, line: targets[0].location.line, object: name, container: wanted.container ?? "",
                        reason: "container(s) not found: \(wanted.container ?? ""); there are \(containers)"))
            } else {
                chosen += named.map { ($0, wanted.image) }
            }
        }
        plan(for: chosen, among: all)
    }

    /// Everything is looked up once, however many containers have one name or share one value.
    private mutating func plan(for chosen: [(target: ImageTarget, image: WrittenReference)], among all: [ImageTarget]) {
        struct Asked: Hashable {
            let range: Range<Int>
            let place: ImageTarget.Identity
            let image: WrittenReference
        }
        let sharing = Dictionary(grouping: all, by: \.valueRange).filter { $0.value.count > 1 }
        let asked = Set(
            chosen.lazy.filter { sharing[$0.target.valueRange] != nil }.map {
                Asked(range: $0.target.valueRange, place: $0.target.identity, image: $0.image)
            })
        // Of those that share a value, the first one that does not ask for an image.
        var others: [Range<Int>: [WrittenReference: ImageTarget?]] = [:]
        var ranges: Set<Range<Int>> = []
        for (target, image) in chosen {
            for range in [target.valueRange, target.nameRange, target.registryRange] {
                range.map { _ = ranges.insert($0) }
            }
            guard let group = sharing[target.valueRange], others[target.valueRange]?[image] == nil else { continue }
            let other = group.first { !asked.contains(Asked(range: $0.valueRange, place: $0.identity, image: image)) }
            others[target.valueRange, default: [:]][image] = .some(other)
        }
        let nodes = documents.scalars(at: ranges)
        for (target, image) in chosen {
            let other = others[target.valueRange]?[image] ?? nil
            plan(for: target, image: image, sharing: other, nodes)
        }
    }

    private mutating func plan(
        for target: ImageTarget, image: WrittenReference, sharing: ImageTarget?, _ nodes: [Range<Int>: YAMLNode]
    ) {
        func skip(_ reason: String) {
            result.skipped.append(
                ManifestSkip(
                    file: file, line: target.location.line, object: target.workload.description,
                    container: target.container, reason: reason))
        }
        if !request.force {
            let held =
                switch target.held {
                case .locked?, .ignored?, .notAnImage?: target.held
                // A workload that nobody automated may hold a placeholder all the same.
                case .shared?, .unannotated?, .notAutomated?, .imagePolicy?, .leftOut?, .encrypted?, nil:
                    Scanner.unreadable(target.image)
                }
            if let held { return skip("\(held) (--force writes it all the same)") }
        }
        if !request.force, target.image.digest != nil, image.digest == nil {
            return skip(
                "it is pinned to a digest, and '\(image)' has none: write \(image)@DIGEST (--force writes it all the same)"
            )
        }
        if let sharing {
            return skip("its value is shared, by an anchor, with \(sharing.subject), which is not to be changed")
        }
        let unit = newUnit()
        let planned: [(Range<Int>, String)]
        do {
            planned = try target.values(for: image)
        } catch {
            return skip(error.reason)
        }
        for (range, text) in planned {
            guard let node = nodes[range] else {
                refusedUnits.insert(unit)
                return skip("its value was not found")
            }
            self.planned.append(
                PlannedEdit(
                    node: node, text: text, object: target.workload.description, container: target.container,
                    setter: "workload \(target.workload.description)", unit: unit))
        }
    }
}

extension UpdateRequest {
    /// How `FileUpdate.met` names the requests.
    package static func key(ofWorkload number: Int) -> String { "workload \(number)" }
    package static func key(ofKustomizeImage number: Int) -> String { "kustomize \(number)" }
    package static func key(ofHelmValue number: Int) -> String { "helm \(number)" }
}
