import Diagnostics
import YAML

extension FileUpdater {
    /// Writes what was asked for. What contradicts itself or cannot be written is skipped alone; a file that would come
    /// out otherwise than intended is skipped as a whole.
    mutating func finished() -> FileUpdate {
        var texts: [Range<Int>: (text: String, setter: String)] = [:]
        var contradicted: [Range<Int>: String] = [:]
        for edit in planned {
            guard let other = texts.updateValue((edit.text, edit.setter), forKey: edit.node.range),
                other.text != edit.text, contradicted[edit.node.range] == nil
            else { continue }
            contradicted[edit.node.range] =
                other.setter == edit.setter
                ? "two requests of \(edit.setter) want different values: '\(other.text)' and '\(edit.text)'"
                : "\(other.setter) and \(edit.setter) want different values: '\(other.text)' and '\(edit.text)'"
        }
        encryption = EncryptedFile(documents).refusal
        let groups = structureGroups()
        for group in groups {
            for node in group.edit.removedValues where contradicted[node.range] == nil {
                guard let other = texts[node.range], let change = group.changes.first else { continue }
                let reason = "\(other.setter) wants '\(other.text)', and \(change.setter) takes the value away"
                contradicted[node.range] = reason
                for (unit, change) in zip(group.units, group.changes) {
                    contradict(unit, at: node, object: change.object, container: change.container, reason)
                }
            }
        }
        let scalars = planned.map { splice(for: $0, contradiction: contradicted[$0.node.range]) }
        refuseUnits(of: groups)
        var values: [Range<Int>: String] = [:]
        var splices: [Splice] = []
        var changes: [ManifestChange] = []
        for (edit, splice) in zip(planned, scalars) where values[edit.node.range] == nil {
            var reason = splice.reason
            if reason == nil, splice.splice != nil, edit.unit.map(refusedUnits.contains) ?? false {
                reason = Self.leftWithTheRest
            }
            if let reason {
                if splice.isContradiction, let unit = edit.unit {
                    contradict(unit, at: edit.node, object: edit.object, container: edit.container, reason)
                } else {
                    skip(edit.node, object: edit.object, container: edit.container, reason)
                }
                continue
            }
            guard let splice = splice.splice else { continue }
            splices.append(splice)
            values[edit.node.range] = edit.text
            let place = lines.location(of: edit.node.range.lowerBound, in: file)
            changes.append(
                ManifestChange(
                    file: file, line: place.line, column: place.column, object: edit.object, container: edit.container,
                    old: edit.node.isNull ? "" : Scanner.trimmed(edit.node.text ?? ""), new: edit.text,
                    setter: edit.setter))
        }
        var edits: [StructureEdit] = []
        for group in groups {
            let isRefused = group.reason != nil || group.units.contains(where: refusedUnits.contains)
            guard isRefused else {
                splices += group.splices
                edits.append(group.edit)
                changes += group.changes
                continue
            }
            for change in group.changes {
                result.skipped.append(
                    ManifestSkip(
                        file: file, line: change.line, object: change.object, container: change.container,
                        reason: encryption ?? group.reason.map { "cannot be changed: \($0)" } ?? Self.leftWithTheRest))
            }
        }
        guard !splices.isEmpty else { return sorted() }
        let new = Splice.apply(splices, to: bytes)
        do {
            try ManifestUpdater.verify(new, against: documents, changes: values, edits: edits, file: file)
            result.bytes = new
            result.splices = splices.sorted { $0.range.lowerBound < $1.range.lowerBound }
            result.changes = changes
        } catch {
            isUnproved = true
            result.skipped.append(
                ManifestSkip(file: file, reason: error.summary + (error.cause.map { ": \($0)" } ?? "")))
        }
        return sorted()
    }

    private static let leftWithTheRest = "left as it is, because something that belongs to it cannot be changed"

    /// The splice of one value (none when it is right already), or why there cannot be one.
    private mutating func splice(
        for edit: PlannedEdit, contradiction: String?
    ) -> (splice: Splice?, reason: String?, isContradiction: Bool) {
        if let contradiction {
            if let unit = edit.unit { refusedUnits.insert(unit) }
            return (nil, contradiction, true)
        }
        do {
            let splice = try ScalarSplice.replacing(edit.node, in: bytes, with: edit.text)
            if splice != nil, let refusal = encryption ?? EncryptedFile.refusal(of: edit.node.text) {
                if let unit = edit.unit { refusedUnits.insert(unit) }
                return (nil, refusal, false)
            }
            return (splice, nil, false)
        } catch {
            if let unit = edit.unit { refusedUnits.insert(unit) }
            return (nil, "cannot be changed to '\(edit.text)': \(error.reason)", false)
        }
    }

    /// An edit of structure with its changes.
    private struct Group {
        var edit: StructureEdit
        var changes: [ManifestChange]
        var units: [Int]
        var splices: [Splice] = []
        var reason: String?
    }

    private func structureGroups() -> [Group] {
        var groups: [Group] = []
        for one in structure {
            let units = one.unit.map { [$0] } ?? []
            if let edit = one.edit {
                groups.append(Group(edit: edit, changes: [one.change], units: units))
            } else if !groups.isEmpty {
                groups[groups.count - 1].changes.append(one.change)
                groups[groups.count - 1].units += units
            }
        }
        let writer = StructureWriter(bytes)
        for index in groups.indices {
            do {
                groups[index].splices = try writer.splices(for: groups[index].edit)
                groups[index].reason = encryption
            } catch {
                groups[index].reason = error.reason
            }
        }
        return groups
    }

    /// What is written together is left together.
    private mutating func refuseUnits(of groups: [Group]) {
        var isMore = true
        while isMore {
            isMore = false
            for group in groups where group.reason != nil || group.units.contains(where: refusedUnits.contains) {
                for unit in group.units where refusedUnits.insert(unit).inserted { isMore = true }
            }
        }
    }

    private mutating func sorted() -> FileUpdate {
        result.changes.sort { ($0.line, $0.column) < ($1.line, $1.column) }
        result.skipped = result.skipped.enumerated().sorted {
            ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset)
        }.map(\.element)
        return result
    }
}

extension StructureEdit {
    /// The values that go with their keys.
    fileprivate var removedValues: [YAMLNode] {
        guard case .remove(let keys, let node) = self else { return [] }
        return (node.pairs ?? []).filter { $0.key.text.map(keys.contains) ?? false }.map(\.value)
    }
}
