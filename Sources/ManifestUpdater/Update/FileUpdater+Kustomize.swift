import YAML

extension FileUpdater {
    /// The entries of `images:` as `kustomize edit set image` leaves them: a tag takes the place of a digest and a digest
    /// that of a tag, unless both are given. A kustomization at the top of the directory gets the entry that none has.
    mutating func gatherKustomizeImages() {
        for document in documents {
            guard let root = document.root else { continue }
            for (number, wanted) in request.kustomizeImages.enumerated() {
                for entry in root["images"]?.items ?? [] where entry["name"]?.text == wanted.name {
                    result.met.insert(UpdateRequest.key(ofKustomizeImage: number))
                    set(wanted, in: entry)
                }
                if request.kustomizeAdditions[number] == file, document.index == 0 {
                    result.met.insert(UpdateRequest.key(ofKustomizeImage: number))
                    addKustomizeImage(wanted, to: root)
                }
            }
        }
        refuseShared { edit in edit.setter.hasPrefix("kustomize ") }
    }

    mutating func set(_ wanted: UpdateRequest.KustomizeImage, in entry: YAMLNode) {
        let setter = "kustomize \(wanted.name)"
        let unit = newUnit()
        guard settle(wanted, settledEntries[entry], at: entry) else { return }
        settledEntries[entry] = (wanted, unit)
        var keys: [(String, String)] = []
        if let name = wanted.newName, entry["newName"] != nil || name != wanted.name { keys.append(("newName", name)) }
        if let tag = wanted.newTag { keys.append(("newTag", tag)) }
        if let digest = wanted.digest { keys.append(("digest", digest)) }
        if let kept = wanted.kept, isMissing(kept == .tag ? "newTag" : "digest", in: entry) {
            refusedUnits.insert(unit)
            let (has, other) = kept == .tag ? ("newTag", "@*") : ("digest", ":*")
            skip(
                entry, container: wanted.name,
                "it has no \(has) to keep: write \(wanted.newName ?? "NEWNAME")\(other), or say which")
            return
        }
        var missing: [PlainValue.Pair] = []
        for (key, text) in keys {
            guard let node = entry[key] else {
                missing.append(PlainValue.Pair(key, .text(text)))
                continue
            }
            planned.append(
                PlannedEdit(
                    node: node.resolved, text: text, object: "", container: wanted.name, setter: setter, unit: unit))
        }
        var surplus: Set<String> = []
        if wanted.newTag != nil, wanted.digest == nil, entry["digest"] != nil { surplus.insert("digest") }
        if wanted.digest != nil, wanted.newTag == nil, entry["newTag"] != nil { surplus.insert("newTag") }
        // As kustomize does: what is not kept goes.
        if wanted.kept == .tag, entry["digest"] != nil { surplus.insert("digest") }
        if wanted.kept == .digest, entry["newTag"] != nil { surplus.insert("newTag") }
        // A merged or shared entry is written elsewhere: only what stands here can be added to or taken from.
        let own = Set((entry.pairs ?? []).compactMap(\.key.text))
        guard !missing.isEmpty || !surplus.isEmpty else { return }
        guard !entry.isAlias, entry.anchor == nil, surplus.isSubset(of: own) else {
            refusedUnits.insert(unit)
            skip(entry, container: wanted.name, "its keys are shared, by an anchor: write the entry out")
            return
        }
        for pair in missing {
            guard case .text(let text) = pair.value else { continue }
            add(
                .add([pair], to: entry), at: entry, container: wanted.name, old: "", new: text, setter: setter,
                unit: unit)
        }
        for key in surplus.sorted() {
            add(
                .remove([key], from: entry), at: entry[key] ?? entry, container: wanted.name,
                old: entry[key]?.text ?? "", new: "", setter: setter, unit: unit)
        }
    }

    private func isMissing(_ key: String, in entry: YAMLNode) -> Bool {
        entry[key].map { $0.isNull || $0.text?.isEmpty ?? true } ?? true
    }

    /// Whether an entry is still to be written: the same edit twice is one, two different ones are none.
    private mutating func settle(
        _ wanted: UpdateRequest.KustomizeImage, _ other: (image: UpdateRequest.KustomizeImage, unit: Int)?,
        at node: YAMLNode
    ) -> Bool {
        guard let other else { return true }
        if other.image != wanted {
            refusedUnits.insert(other.unit)
            skip(node, container: wanted.name, "two requests want different images for '\(wanted.name)'")
        }
        return false
    }

    /// A new entry, where no kustomization has one.
    mutating func addKustomizeImage(_ wanted: UpdateRequest.KustomizeImage, to root: YAMLNode) {
        let unit = newUnit()
        guard settle(wanted, settledAdditions[wanted.name], at: root) else { return }
        settledAdditions[wanted.name] = (wanted, unit)
        var pairs = [PlainValue.Pair("name", .text(wanted.name))]
        if let name = wanted.newName, name != wanted.name { pairs.append(PlainValue.Pair("newName", .text(name))) }
        if let tag = wanted.newTag { pairs.append(PlainValue.Pair("newTag", .text(tag))) }
        if let digest = wanted.digest { pairs.append(PlainValue.Pair("digest", .text(digest))) }
        let entry = PlainValue.mapping(pairs)
        let edit: StructureEdit
        let place: YAMLNode
        if let pair = root.pairs?.last(where: { $0.key.text == "images" }) {
            place = pair.value
            edit =
                pair.value.isNull
                ? .fill(pair.value, with: .list([entry]), keyOf: pair.key) : .append([entry], to: pair.value)
        } else {
            place = root
            edit = .add([PlainValue.Pair("images", .list([entry]))], to: root)
        }
        let image = ImageText(name: wanted.newName ?? wanted.name, tag: wanted.newTag, digest: wanted.digest)
        add(
            edit, at: place, container: wanted.name, old: "", new: image.description,
            setter: "kustomize \(wanted.name)", unit: unit)
    }
}
