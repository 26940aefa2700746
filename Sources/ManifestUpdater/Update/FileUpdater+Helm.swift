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
                wish(Wish(node: node, text: wanted.text, object: "", container: "", setter: "helm \(wanted.path)"))
            }
        }
        refuseShared { wish in wish.setter.hasPrefix("helm ") }
    }

    private mutating func wish(_ wish: Wish) {
        var wish = wish
        wish.node = wish.node.resolved
        wishes.append(wish)
    }

    /// Drops what would change, by an anchor, also a value that nobody asked to change.
    mutating func refuseShared(_ isMeant: (Wish) -> Bool) {
        var aliases: [YAMLNode] = []
        for document in documents { document.root?.collectAliases(into: &aliases) }
        guard !aliases.isEmpty else { return }
        var kept: [Wish] = []
        for wish in wishes {
            let range = wish.node.range
            let users = aliases.filter {
                $0.resolved.range.lowerBound <= range.lowerBound && range.upperBound <= $0.resolved.range.upperBound
            }
            let asked = wishes.filter { $0.node.range == range && $0.text == wish.text }.count
            if isMeant(wish), !users.isEmpty, asked < users.count + 1 {
                if let unit = wish.unit { refusedUnits.insert(unit) }
                skip(
                    wish.node, object: wish.object, container: wish.container,
                    "its value is shared, by the anchor '\(users[0].anchor ?? "")', with line \(line(users[0])), "
                        + "which is not to be changed")
            } else {
                kept.append(wish)
            }
        }
        wishes = kept
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
