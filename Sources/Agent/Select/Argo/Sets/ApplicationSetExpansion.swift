import Diagnostics
import Git
import ManifestUpdater
import YAML

/// The Applications that the ApplicationSets of a repository make, where the repository tells all their values.
struct ApplicationSetExpansion: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let files: SetFiles

    private(set) var applications: [ArgoApplication] = []
    private(set) var decisions: [CycleReport.Decision] = []

    init(repository: AgentConfiguration.RepositoryConfiguration, files: SetFiles) {
        self.repository = repository
        self.files = files
    }

    /// - Parameter areSelected: whether something selects Applications by their names; else only annotations count.
    mutating func expand(_ sets: [ArgoApplicationSet], areSelected: Bool) async {
        for set in sets where areSelected || Self.isAnnotated(set.spec) { await expand(set) }
    }

    private static func isAnnotated(_ value: ArgoValue) -> Bool {
        switch value {
        case .text(let text): text.contains(ArgoApplication.prefix)
        case .list(let items): items.contains(where: isAnnotated)
        case .map(let pairs):
            pairs.contains { $0.key.contains(ArgoApplication.prefix) || isAnnotated($0.value) }
        case .null, .bool, .number: false
        }
    }

    private mutating func decide(_ set: ArgoApplicationSet, _ reason: String, remedy: String? = nil) {
        decisions.append(
            CycleReport.Decision(
                subject: "\(set.file):\(set.location.line) \(set.description)", reason: reason, remedy: remedy))
    }

    private mutating func expand(_ set: ArgoApplicationSet) async {
        let urls = [repository.url] + repository.aliases
        let template = SetTemplate(isGo: set.spec["goTemplate"] == .bool(true))
        let generators = SetGenerators(
            template: template, files: files,
            isThisRepository: { KanikoDiscovery.isSameRepository($0, as: urls) }, branch: repository.branch)
        var made: [ArgoApplication] = []
        var unknown: [String] = []
        do throws(SetFailure) {
            for (number, entry) in (set.spec["generators"]?.items ?? []).enumerated() {
                let found: [SetGenerators.Values]
                do throws(SetFailure) {
                    found = try await generators.values(of: entry)
                } catch {
                    guard case .unknown(let reason) = error else { throw error }
                    unknown.append("\(reason) (generators[\(number)])")
                    continue
                }
                for values in found { made.append(try application(set, values, template)) }
            }
        } catch {
            decide(set, "makes no Applications here: \(error.reason)")
            return
        }
        let names = Dictionary(grouping: made, by: \.workload.name)
        for (name, twins) in names.sorted(by: { $0.key < $1.key }) where twins.count > 1 {
            decide(set, "\(twins.count) of its Applications are called '\(name)': none of them is taken")
        }
        let single = made.filter { names[$0.workload.name]?.count == 1 }
        for reason in unknown {
            decide(
                set,
                "\(reason): no Applications are taken from it"
                    + (single.isEmpty ? "" : "; \(single.count) of its other generators are"))
        }
        applications += single
    }

    private func application(
        _ set: ArgoApplicationSet, _ values: SetGenerators.Values, _ template: SetTemplate
    ) throws(SetFailure) -> ArgoApplication {
        var object = set.spec["template"] ?? .map([])
        if let own = values.template { object = object.merged(with: Self.filled(own)) }
        var rendered = try template.render(Self.relevant(object), values.values)
        if let patch = set.spec["templatePatch"]?.filledText {
            let text = try template.render(patch, values.values)
            guard let documents = try? YAMLStream.parse(Array(text.utf8)), documents.count <= 1 else {
                throw .wrong("its templatePatch is not YAML once it is rendered")
            }
            if let root = documents.first?.root { rendered = Self.relevant(rendered.merged(with: ArgoValue(root))) }
        }
        guard
            var application = ArgoApplication(
                rendered, file: set.file, location: set.location, applicationSet: set.description)
        else { throw .wrong("one of its Applications has no name") }
        // Wherever the template would put it.
        application.namespace = set.namespace
        application.workload = WorkloadID(
            namespace: set.namespace ?? "default", kind: "Application", name: application.workload.name)
        return application
    }

    /// Without what is empty: such fields of a generator's template say nothing.
    private static func filled(_ value: ArgoValue) -> ArgoValue {
        guard case .map(let pairs) = value else { return value }
        return .map(
            pairs.map { ArgoValue.Pair($0.key, filled($0.value)) }.filter { pair in
                ![.null, .text(""), .map([]), .list([])].contains(pair.value)
            })
    }

    /// The fields on which updates depend: the others need not be rendered.
    private static func relevant(_ object: ArgoValue) -> ArgoValue {
        func pick(_ value: ArgoValue?, _ keys: [String], _ change: (ArgoValue.Pair) -> ArgoValue = { $0.value })
            -> ArgoValue
        {
            .map((value?.pairs ?? []).filter { keys.contains($0.key) }.map { ArgoValue.Pair($0.key, change($0)) })
        }
        func source(_ value: ArgoValue) -> ArgoValue {
            pick(
                value,
                ["repoURL", "targetRevision", "path", "chart", "ref", "helm", "kustomize", "plugin", "directory"]
            ) { pair in
                switch pair.key {
                case "helm": pair.value.pairs == nil ? pair.value : pick(pair.value, ["parameters"])
                case "kustomize": pair.value.pairs == nil ? pair.value : pick(pair.value, ["images"])
                case "plugin", "directory": pair.value.pairs == nil ? pair.value : .map([])
                default: pair.value
                }
            }
        }
        return pick(object, ["metadata", "spec"]) { pair in
            if pair.key == "metadata" {
                return pick(pair.value, ["name", "labels", "annotations"]) { pair in
                    guard pair.key == "annotations" else { return pair.value }
                    return .map(
                        (pair.value.pairs ?? []).filter {
                            $0.key.contains(ArgoApplication.prefix) || $0.key.contains("{{")
                        })
                }
            }
            return pick(pair.value, ["source", "sources", "sourceHydrator"]) { pair in
                switch pair.key {
                case "sources": .list((pair.value.items ?? []).map(source))
                case "source": source(pair.value)
                default: pick(pair.value, ["drySource"]) { source($0.value) }
                }
            }
        }
    }
}
