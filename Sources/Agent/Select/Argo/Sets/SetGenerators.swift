import Diagnostics
import Git
import ManifestUpdater
import RegistryPoller
import YAML

/// What the generators of an `ApplicationSet` give, as far as the repository itself tells it.
///
/// https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/Generators/
struct SetGenerators: Sendable {
    /// One set of values, and the template that its generator puts over the set's own.
    struct Values: Sendable {
        var values: ArgoValue
        var template: ArgoValue?
    }

    let template: SetTemplate
    let files: SetFiles
    let isThisRepository: @Sendable (String) -> Bool
    let branch: String

    private static let limit = 10_000
    private static let kinds: Set<String> = [
        "list", "git", "matrix", "merge", "clusters", "clusterDecisionResource", "scmProvider", "pullRequest", "plugin",
    ]

    /// What one entry of a list of generators gives, filtered by its selector. An entry may hold several kinds.
    ///
    /// - Parameter depth: how many combinations are around it.
    func values(of entry: ArgoValue, depth: Int = 0) async throws(SetFailure) -> [Values] {
        var found: [Values] = []
        for pair in entry.pairs ?? [] where Self.kinds.contains(pair.key) {
            let body = pair.value
            let values: [ArgoValue]
            switch pair.key {
            case "list": values = try list(body)
            case "git": values = try await git(body)
            case "matrix", "merge":
                guard depth < 2 else { throw .wrong("'\(pair.key)' stands too deep inside of others") }
                values = pair.key == "matrix" ? try await matrix(body, depth) : try await merge(body, depth)
            default: throw .unknown("the generator '\(pair.key)' asks what git does not tell")
            }
            found += values.map { Values(values: $0, template: body["template"]) }
            guard found.count <= Self.limit else { throw .wrong("it gives more than \(Self.limit) Applications") }
        }
        if found.isEmpty, !(entry.pairs ?? []).contains(where: { Self.kinds.contains($0.key) }) {
            throw .wrong("a generator of none of the kinds \(Self.kinds.sorted().joined(separator: ", "))")
        }
        guard let selector = entry["selector"], selector != .null else { return found }
        let labels = ArgoLabelSelector(selector)
        if let problem = labels.problem { throw .wrong("the selector of its generator is wrong: \(problem)") }
        return found.filter { labels.matches(Self.flat($0.values)) }
    }

    // MARK: Lists

    private func list(_ body: ArgoValue) throws(SetFailure) -> [ArgoValue] {
        var elements = body["elements"]?.items ?? []
        if let text = body["elementsYaml"]?.filledText {
            guard !text.contains("{{") else { throw .unknown("its elementsYaml is a template without values") }
            guard let items = Self.parsed(Array(text.utf8))?.items else {
                throw .wrong("its elementsYaml is not a list")
            }
            elements += items
        }
        var result: [ArgoValue] = []
        for element in elements {
            guard let pairs = element.pairs else { throw .wrong("an element of its list is not a mapping") }
            if template.isGo {
                result.append(element)
                continue
            }
            var flat: [ArgoValue.Pair] = []
            for pair in pairs {
                if pair.key == "values", let values = pair.value.pairs {
                    flat += values.map { ArgoValue.Pair("values.\($0.key)", $0.value) }
                } else {
                    flat.append(pair)
                }
            }
            for pair in flat {
                guard case .text = pair.value else {
                    throw .wrong("the value of '\(pair.key)' in its list is not a text: write it in quotes")
                }
            }
            result.append(.map(flat))
        }
        return result
    }

    private static func parsed(_ bytes: [UInt8]) -> ArgoValue? {
        guard let documents = try? YAMLStream.parse(bytes), documents.count <= 1 else { return nil }
        return documents.first?.root.map { ArgoValue($0) } ?? .null
    }

    // MARK: Git

    private func git(_ body: ArgoValue) async throws(SetFailure) -> [ArgoValue] {
        guard isThisRepository(body["repoURL"]?.filledText ?? "") else {
            throw .unknown("the generator 'git' reads another repository")
        }
        let revision = body["revision"]?.scalarText ?? ""
        guard ["", "HEAD", branch].contains(revision) else {
            throw .unknown("the generator 'git' reads the revision '\(revision)', and '\(branch)' is watched")
        }
        let prefix = body["pathParamPrefix"]?.filledText
        var result: [ArgoValue] = []
        if let patterns = body["directories"]?.items {
            for directory in try files.directories(try Self.patterns(patterns)) {
                result.append(try completed(SetPath(directory).values(isGo: template.isGo, prefix), body))
            }
        } else if let patterns = body["files"]?.items {
            for entry in try files.files(try Self.patterns(patterns)) {
                let path = SetPath(file: entry.path).values(isGo: template.isGo, prefix)
                for content in try await contents(of: entry) {
                    let own = template.isGo ? content : .map(Self.flatPairs(content))
                    result.append(try completed(own.merged(with: path), body))
                }
            }
        }
        return result
    }

    private static func patterns(
        _ items: [ArgoValue]
    ) throws(SetFailure) -> [(path: String, isExcluded: Bool)] {
        var patterns: [(path: String, isExcluded: Bool)] = []
        for item in items {
            guard let path = item["path"]?.filledText else {
                throw .wrong("the generator 'git' has an item without a path")
            }
            guard !path.contains("{{") else { throw .wrong("'\(path)' names a value that nothing gives") }
            patterns.append((path, item["exclude"] == .bool(true)))
        }
        return patterns
    }

    private func contents(of entry: TreeEntry) async throws(SetFailure) -> [ArgoValue] {
        let bytes: [UInt8]
        do {
            bytes = try await files.read(entry)
        } catch {
            throw .wrong("\(entry.path) cannot be read: \(error.summary)")
        }
        switch Self.parsed(bytes) {
        case .null: return [.map([])]
        case .map(let pairs): return [.map(pairs)]
        case .list(let items) where items.allSatisfy({ $0.pairs != nil }): return items
        default: throw .wrong("\(entry.path), which its generator reads, is neither a mapping nor a list of mappings")
        }
    }

    /// With the generator's own `values`, which may be made of what it found.
    private func completed(_ found: ArgoValue, _ body: ArgoValue) throws(SetFailure) -> ArgoValue {
        guard let values = body["values"]?.pairs, !values.isEmpty else { return found }
        var rendered: [ArgoValue.Pair] = []
        for pair in values {
            rendered.append(ArgoValue.Pair(pair.key, .text(try template.render(pair.value.scalarText ?? "", found))))
        }
        return found.merged(
            with: template.isGo
                ? .map([ArgoValue.Pair("values", .map(rendered))])
                : .map(rendered.map { ArgoValue.Pair("values.\($0.key)", $0.value) }))
    }

    // MARK: Combinations

    private func children(_ body: ArgoValue) -> [ArgoValue] { body["generators"]?.items ?? [] }

    private func matrix(_ body: ArgoValue, _ depth: Int) async throws(SetFailure) -> [ArgoValue] {
        let children = children(body)
        guard children.count == 2 else { throw .wrong("the generator 'matrix' needs exactly two generators") }
        var result: [ArgoValue] = []
        for first in try await values(of: children[0], depth: depth + 1) {
            let rendered = template.renderKnown(children[1], first.values)
            for second in try await values(of: rendered, depth: depth + 1) {
                result.append(try combined(first.values, second.values))
                guard result.count <= Self.limit else { throw .wrong("it gives more than \(Self.limit) Applications") }
            }
        }
        return result
    }

    private func combined(_ first: ArgoValue, _ second: ArgoValue) throws(SetFailure) -> ArgoValue {
        // Of Go's values the first ones win, deep down.
        if template.isGo { return second.merged(with: first) }
        for pair in second.pairs ?? [] {
            if let other = first[pair.key], other != pair.value {
                throw .wrong("both generators of its 'matrix' give '\(pair.key)', and not the same")
            }
        }
        return first.merged(with: second)
    }

    private func merge(_ body: ArgoValue, _ depth: Int) async throws(SetFailure) -> [ArgoValue] {
        let children = children(body)
        let keys = (body["mergeKeys"]?.items ?? []).compactMap(\.filledText)
        guard children.count >= 2, !keys.isEmpty else {
            throw .wrong("the generator 'merge' needs two generators or more, and mergeKeys")
        }
        func identity(_ values: ArgoValue) -> [ArgoValue] { keys.map { values[$0] ?? .null } }
        var base: [ArgoValue] = []
        for (number, child) in children.enumerated() {
            var seen: Set<[ArgoValue]> = []
            var laid: [[ArgoValue]: ArgoValue] = [:]
            let found = try await values(of: child, depth: depth + 1).map(\.values)
            for one in found {
                guard seen.insert(identity(one)).inserted else {
                    throw .wrong("two sets of one generator of its 'merge' have the same mergeKeys")
                }
                laid[identity(one)] = one
            }
            if number == 0 {
                base = found
            } else {
                base = base.map { values in laid[identity(values)].map { values.merged(with: $0) } ?? values }
            }
        }
        return base
    }

    // MARK: Flat values

    /// `a.b` and `list.0` as texts.
    static func flatPairs(_ value: ArgoValue) -> [ArgoValue.Pair] {
        flat(value).sorted { $0.key < $1.key }.map { ArgoValue.Pair($0.key, .text($0.value)) }
    }

    static func flat(_ value: ArgoValue) -> [String: String] {
        var result: [String: String] = [:]
        func collect(_ value: ArgoValue, _ key: String) {
            func inner(_ name: String) -> String { key.isEmpty ? name : "\(key).\(name)" }
            switch value {
            case .map(let pairs): for pair in pairs { collect(pair.value, inner(pair.key)) }
            case .list(let items): for (index, item) in items.enumerated() { collect(item, inner("\(index)")) }
            default: result[key] = value.scalarText ?? ""
            }
        }
        collect(value, "")
        return result
    }
}
