import YAML

extension FileUpdater {
    mutating func gatherHelmValues() {
        for (number, wanted) in request.helmValues.enumerated() {
            for document in documents {
                guard let root = document.root, let node = root.at(wanted.path) else { continue }
                result.met.insert(UpdateRequest.key(ofHelmValue: number))
                guard node.text != nil else {
                    skip(node, "\(wanted.path) is no text but a collection")
                    continue
                }
                plan(
                    PlannedEdit(node: node, text: wanted.text, object: "", container: "", setter: "helm \(wanted.path)")
                )
            }
        }
        refuseShared { edit in edit.setter.hasPrefix("helm ") }
    }

    private mutating func plan(_ edit: PlannedEdit) {
        var edit = edit
        edit.node = edit.node.resolved
        planned.append(edit)
    }

    /// Drops what would change, by an anchor, also a value that nobody asked to change.
    mutating func refuseShared(_ isMeant: (PlannedEdit) -> Bool) {
        var aliases: [YAMLNode] = []
        for document in documents { document.root?.collectAliases(into: &aliases) }
        guard !aliases.isEmpty else { return }
        struct Asked: Hashable {
            let range: Range<Int>
            let text: String
        }
        let asked = planned.reduce(into: [:]) { $0[Asked(range: $1.node.range, text: $1.text), default: 0] += 1 }
        let users = AliasUsers(aliases)
        let definitions = Self.definitions(in: documents)
        var kept: [PlannedEdit] = []
        for edit in planned {
            let range = edit.node.range
            let isDefinition = definitions.contains {
                $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound
            }
            guard isMeant(edit), let (count, first) = users.users(of: range),
                asked[Asked(range: range, text: edit.text), default: 0] < (isDefinition ? count : count + 1)
            else {
                kept.append(edit)
                continue
            }
            if let unit = edit.unit { refusedUnits.insert(unit) }
            skip(
                edit.node, object: edit.object, container: edit.container,
                "its value is shared, by the anchor '\(first.anchor ?? "")', with line \(line(first)), "
                    + "which is not to be changed")
        }
        planned = kept
    }

    /// What is there for anchors only, and is read by nobody: values of keys that begin with `x-`, `.` or `_` at the top of a
    /// document, by the convention of Compose and of charts.
    private static func definitions(in documents: [YAMLDocument]) -> [Range<Int>] {
        documents.flatMap { $0.root?.pairs ?? [] }.filter { pair in
            let key = pair.key.text ?? ""
            return ["x-", ".", "_"].contains(where: key.hasPrefix)
        }.prefix(1_000).map(\.value.range)
    }
}

/// Which aliases stand for a node that holds a place. What aliases name lies inside one another or apart.
private struct AliasUsers {
    private struct Named {
        var range: Range<Int>
        /// Aliases of it and of what holds it.
        var count: Int
        var first: YAMLNode
        /// The next larger one that holds it.
        var holder: Int?
    }

    private var named: [Named] = []

    init(_ aliases: [YAMLNode]) {
        for (range, users) in Dictionary(grouping: aliases, by: \.resolved.range) {
            named.append(Named(range: range, count: users.count, first: users[0]))
        }
        named.sort { ($0.range.lowerBound, -$0.range.upperBound) < ($1.range.lowerBound, -$1.range.upperBound) }
        var open: [Int] = []
        for index in named.indices {
            while let last = open.last, named[last].range.upperBound < named[index].range.upperBound {
                open.removeLast()
            }
            if let holder = open.last {
                named[index].holder = holder
                named[index].count += named[holder].count
                if named[holder].first.range.lowerBound < named[index].first.range.lowerBound {
                    named[index].first = named[holder].first
                }
            }
            open.append(index)
        }
    }

    func users(of range: Range<Int>) -> (count: Int, first: YAMLNode)? {
        var (low, high) = (0, named.count)
        while low < high {
            let middle = (low + high) / 2
            if (named[middle].range.lowerBound, -named[middle].range.upperBound) <= (
                range.lowerBound, -range.upperBound
            ) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        var place: Int? = low == 0 ? nil : low - 1
        while let index = place, named[index].range.upperBound < range.upperBound { place = named[index].holder }
        return place.map { (named[$0].count, named[$0].first) }
    }
}

extension YAMLNode {
    /// The value at a path. A key that is written with its dots counts before a path through them.
    func at(_ path: ValuePath) -> YAMLNode? { at(path.steps[...]) }

    private func at(_ steps: ArraySlice<ValuePath.Step>) -> YAMLNode? {
        guard let step = steps.first else { return self }
        switch step {
        case .index(let index):
            guard let items, items.indices.contains(index) else { return nil }
            return items[index].at(steps.dropFirst())
        case .key:
            var name = ""
            var names: [(String, ArraySlice<ValuePath.Step>)] = []
            var rest = steps
            while case .key(let key)? = rest.first {
                name += name.isEmpty ? key : ".\(key)"
                rest = rest.dropFirst()
                names.append((name, rest))
            }
            for (name, rest) in names.reversed() {
                if let found = self[name]?.at(rest) { return found }
            }
            return nil
        }
    }

    /// The aliases of a tree, as written.
    func collectAliases(into found: inout [YAMLNode]) {
        switch content {
        case .alias: found.append(self)
        case .scalar: break
        case .sequence(let items, _): for item in items { item.collectAliases(into: &found) }
        case .mapping(let pairs, _):
            for pair in pairs {
                pair.key.collectAliases(into: &found)
                pair.value.collectAliases(into: &found)
            }
        }
    }
}
