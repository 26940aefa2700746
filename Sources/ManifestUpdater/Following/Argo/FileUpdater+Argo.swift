import YAML

extension FileUpdater {
    static func applications(in documents: [YAMLDocument]) -> [WorkloadID: YAMLNode] {
        var found: [WorkloadID: YAMLNode] = [:]
        for manifest in documents.flatMap({ $0.root.map(Manifest.all) ?? [] })
        where manifest.kind == "Application" && found[manifest.id] == nil { found[manifest.id] = manifest.node }
        return found
    }

    /// The mapping that holds `helm:` and `kustomize:`.
    private mutating func holder(of place: ArgoPlace) -> YAMLNode? {
        switch place.holder {
        case .application(let id, let index):
            let spec = applications[id]?["spec"]
            switch index {
            case .single: return spec?["source"]
            case .dry: return spec?["sourceHydrator"]?["drySource"]
            case .item(let index):
                guard let sources = spec?["sources"]?.items, sources.indices.contains(index) else { return nil }
                return sources[index]
            }
        case .overrides, .kustomization, .values: return documents.lazy.compactMap(\.root).first
        }
    }

    /// A key that is not there, of a mapping below the root that is. Anything else that is missing may be a typing error.
    private static func gap(at path: String, in root: YAMLNode) -> (parent: YAMLNode, key: String)? {
        guard let dot = path.lastIndex(of: "."), let whole = ValuePath(path), whole.steps.count > 1,
            case .key(let key)? = whole.steps.last, String(path[path.index(after: dot)...]) == key,
            let parent = ValuePath(String(path[..<dot])).flatMap({ root.at($0) }), let pairs = parent.pairs,
            !pairs.isEmpty
        else { return nil }
        return (parent, key)
    }

    private func value(of name: String, at place: ArgoPlace, in holder: YAMLNode) -> YAMLNode? {
        if place.holder == .values { return ValuePath(name).flatMap { holder.at($0) } }
        guard let keys = place.list?.keys else { return nil }
        let items = holder[keys[0]]?[keys[1]]?.items ?? []
        return items.last { $0["name"]?.text == name }?["value"]
    }

    mutating func image(at place: ArgoPlace) -> WrittenReference? {
        guard let holder = holder(of: place) else { return nil }
        func text(_ name: String?) -> String? {
            guard let name, let node = value(of: name, at: place, in: holder), !node.isNull, let text = node.text,
                !text.isEmpty
            else { return nil }
            return Scanner.trimmed(text)
        }
        switch place.form {
        case .helmSpec(let name), .plugin(_, _, let name?): return text(name).map { WrittenReference($0) }
        case .helm(let name, let tag), .plugin(let name, let tag, nil):
            let (known, version) = (text(name), text(tag))
            guard known != nil || version != nil else { return nil }
            let parts = WrittenReference("x:\(version ?? "")")
            return WrittenReference(name: known ?? "", tag: version == nil ? nil : parts.tag, digest: parts.digest)
        case .kustomize(let original):
            if place.holder == .kustomization {
                guard let entry = holder["images"]?.items?.last(where: { $0["name"]?.text == original }) else {
                    return nil
                }
                return WrittenReference(
                    name: entry["newName"]?.text ?? original, tag: entry["newTag"]?.text,
                    digest: entry["digest"]?.text)
            }
            for node in (holder["kustomize"]?["images"]?.items ?? []).reversed() {
                guard let text = node.text, ArgoPlace.original(text) == original else { continue }
                return WrittenReference(text.firstIndex(of: "=").map { String(text[text.index(after: $0)...]) } ?? text)
            }
            return nil
        }
    }

    /// One that says meanwhile something else is left to the person who wrote it.
    ///
    /// - Returns: the units whose places are there, with their lines.
    mutating func gather(
        _ edits: [(unit: Int, place: ArgoPlace, old: WrittenReference?, image: WrittenReference)]
    ) -> [(Int, Int)] {
        let places = edits.filter { image(at: $0.place) == $0.old }
        placeUnits.formUnion(places.map(\.unit))
        gather(places.map { ($0.unit, $0.place, $0.image) })
        // That of the first value that changes.
        var lines: [Int: Int] = [:]
        for edit in planned where edit.node.isNull || edit.node.text != edit.text {
            if let unit = edit.unit, placeUnits.contains(unit), lines[unit] == nil { lines[unit] = line(edit.node) }
        }
        for one in structure {
            if let unit = one.unit, placeUnits.contains(unit), lines[unit] == nil { lines[unit] = one.change.line }
        }
        let meant = placeUnits
        refuseShared { $0.unit.map(meant.contains) ?? false }
        return places.map { ($0.unit, lines[twins[$0.unit] ?? $0.unit] ?? 1) }
    }

    private mutating func gather(_ places: [(unit: Int, place: ArgoPlace, image: WrittenReference)]) {
        // What is missing in one list comes by one edit.
        var parameters: [(place: ArgoPlace, name: String, value: String, unit: Int)] = []
        var images: [(place: ArgoPlace, text: String, unit: Int)] = []
        var gaps: [(parent: YAMLNode, key: String, value: String, place: ArgoPlace, unit: Int)] = []
        for (unit, place, image) in places {
            guard let holder = holder(of: place) else {
                result.skipped.append(
                    ManifestSkip(
                        file: file, object: place.application.description, container: place.image,
                        reason: "the place to write to is not there"))
                refusedUnits.insert(unit)
                continue
            }
            if place.holder == .kustomization {
                gatherKustomization(place, image, in: holder, unit)
                continue
            }
            for (name, value) in place.parameters(for: image) {
                if let node = self.value(of: name, at: place, in: holder) {
                    // A name that means the same image is kept as it is written: `acme/app` of the chart's own registry.
                    if value == image.name, let text = node.text, ArgoPlace.isShort(text, of: value) { continue }
                    plan(node, value, place, unit)
                } else if place.holder == .values, let gap = Self.gap(at: name, in: holder) {
                    gaps.append((gap.parent, gap.key, value, place, unit))
                } else if place.holder == .values {
                    refusedUnits.insert(unit)
                    skip(
                        holder, object: place.application.description, container: place.image,
                        "there is no value at \(name): add it to \(file)")
                } else {
                    parameters.append((place, name, value, unit))
                }
            }
            if let text = place.kustomizeImage(for: image) {
                guard case .kustomize(let original) = place.form else { continue }
                let node = holder["kustomize"]?["images"]?.items?.last {
                    $0.text.map { ArgoPlace.original($0) == original } ?? false
                }
                if let node { plan(node, text, place, unit) } else { images.append((place, text, unit)) }
            }
        }
        var filled: Set<YAMLNode> = []
        for gap in gaps where filled.insert(gap.parent).inserted {
            // The image updater writes tags before names.
            let group = settled(
                gaps.reversed().filter { $0.parent == gap.parent }.map {
                    Addition(place: $0.place, name: $0.key, text: $0.value, unit: $0.unit)
                }, in: holder(of: gap.place) ?? gap.parent)
            if group.isEmpty { continue }
            let edit = StructureEdit.add(group.map { PlainValue.Pair($0.name, .text($0.text)) }, to: gap.parent)
            for (index, one) in group.enumerated() {
                add(
                    index == 0 ? edit : nil, at: gap.parent, object: one.place.application.description,
                    container: one.place.image, old: "", new: "\(one.name): \(one.text)", setter: one.place.setter,
                    unit: one.unit)
            }
        }
        struct List: Hashable {
            let holder: ArgoPlace.Holder
            let list: ArgoParameterList
        }
        var lists: Set<List> = []
        for first in parameters {
            guard let holder = holder(of: first.place), let list = first.place.list,
                lists.insert(List(holder: first.place.holder, list: list)).inserted
            else { continue }
            var group = settled(
                parameters.filter { $0.place.holder == first.place.holder && $0.place.list == list }.map {
                    Addition(place: $0.place, name: $0.name, text: $0.value, unit: $0.unit)
                }, in: holder)
            if group.isEmpty { continue }
            if first.place.holder == .overrides {
                group.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
            }
            add(
                group.map { list.item(($0.name, $0.text), in: first.place.holder) },
                named: first.place.holder == .overrides ? group.map(\.name) : [], to: list.keys, of: holder,
                for: group.map { ($0.place, "\($0.name): \($0.text)", $0.unit) })
        }
        var seen: Set<ArgoPlace.Holder> = []
        for first in images where seen.insert(first.place.holder).inserted {
            guard let holder = holder(of: first.place) else { continue }
            let group = settled(
                images.filter { $0.place.holder == first.place.holder }.map {
                    Addition(place: $0.place, name: ArgoPlace.original($0.text), text: $0.text, unit: $0.unit)
                }, in: holder)
            if group.isEmpty { continue }
            add(
                group.map { .text($0.text) }, to: ["kustomize", "images"], of: holder,
                for: group.map { ($0.place, $0.text, $0.unit) })
        }
    }

    private mutating func plan(_ node: YAMLNode, _ text: String, _ place: ArgoPlace, _ unit: Int) {
        planned.append(
            PlannedEdit(
                node: node.resolved, text: text, object: place.application.description, container: place.image,
                setter: place.setter, unit: unit))
    }

    /// An item that is to come into a list.
    private struct Addition {
        var place: ArgoPlace
        var name: String
        var text: String
        var unit: Int
    }

    /// The names for which different values are wanted.
    static func contradicted(in planned: [(name: String, value: String)]) -> Set<String> {
        var values: [String: String] = [:]
        var result: Set<String> = []
        for (name, value) in planned where values.updateValue(value, forKey: name) ?? value != value {
            result.insert(name)
        }
        return result
    }

    static func contradiction(_ name: String) -> String {
        "images want different values for '\(name)': give each names of its own by helm.image-name and helm.image-tag, or "
            + "kustomize.image-name"
    }

    /// Of the same wanted twice one; of different values for one name none, with a reason.
    private mutating func settled(_ additions: [Addition], in holder: YAMLNode) -> [Addition] {
        let contradicted = Self.contradicted(in: additions.map { ($0.name, $0.text) })
        var result: [Addition] = []
        var kept: [String: Int] = [:]
        for one in additions {
            if contradicted.contains(one.name) {
                contradict(
                    one.unit, at: holder, object: one.place.application.description, container: one.place.image,
                    Self.contradiction(one.name))
            } else if let other = kept[one.name] {
                twins[one.unit] = other
            } else {
                kept[one.name] = one.unit
                result.append(one)
            }
        }
        return result
    }

    /// Items for a list below two keys, of which each may be missing.
    ///
    /// - Parameter names: those of the items, where a list that is sorted by them is to stay so.
    private mutating func add(
        _ items: [PlainValue], named names: [String] = [], to keys: [String], of holder: YAMLNode,
        for changes: [(place: ArgoPlace, text: String, unit: Int)]
    ) {
        let edit: StructureEdit
        let inner = PlainValue.list(items)
        let outer = holder[keys[0]]
        if let outer, !outer.isNull {
            if let list = outer[keys[1]], !list.isNull {
                edit = Self.sorted(items, names: names, in: list) ?? .append(items, to: list)
            } else if let list = outer[keys[1]], let key = outer.pairs?.last(where: { $0.key.text == keys[1] })?.key {
                edit = .fill(list, with: inner, keyOf: key)
            } else {
                edit = .add([PlainValue.Pair(keys[1], inner)], to: outer)
            }
        } else if let outer, let key = holder.pairs?.last(where: { $0.key.text == keys[0] })?.key {
            edit = .fill(outer, with: .mapping([PlainValue.Pair(keys[1], inner)]), keyOf: key)
        } else {
            edit = .add([PlainValue.Pair(keys[0], .mapping([PlainValue.Pair(keys[1], inner)]))], to: holder)
        }
        for (index, change) in changes.enumerated() {
            add(
                index == 0 ? edit : nil, at: holder, object: change.place.application.description,
                container: change.place.image, old: "", new: change.text, setter: change.place.setter,
                unit: change.unit)
        }
    }

    /// The image updater sorts parameters by their names in each file that it writes: elsewhere it would move ours.
    private static func sorted(_ items: [PlainValue], names: [String], in list: YAMLNode) -> StructureEdit? {
        guard case .sequence(let old, isFlow: false) = list.content, !names.isEmpty else { return nil }
        let known = old.map { $0["name"]?.text ?? "" }
        func precedes(_ left: String, _ right: String) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }
        guard zip(known, known.dropFirst()).allSatisfy({ !precedes($1, $0) }) else { return nil }
        let places = names.map { name in known.firstIndex { precedes(name, $0) } ?? known.count }
        guard places.contains(where: { $0 < known.count }) else { return nil }
        return .insert(zip(items, places).map { (value: $0, before: $1) }, in: list)
    }

    private mutating func gatherKustomization(
        _ place: ArgoPlace, _ image: WrittenReference, in root: YAMLNode, _ unit: Int
    ) {
        guard case .kustomize(let original) = place.form else { return }
        let wanted = UpdateRequest.KustomizeImage(
            name: original, newName: image.name, newTag: image.tag, digest: image.digest)
        let asker = Asker(
            object: place.application.description, container: place.image, setter: place.setter, unit: unit)
        let entries = (root["images"]?.items ?? []).filter { $0["name"]?.text == original }
        if entries.isEmpty { addKustomizeImage(wanted, to: root, for: asker) }
        for entry in entries { set(wanted, in: entry, for: asker) }
    }
}
