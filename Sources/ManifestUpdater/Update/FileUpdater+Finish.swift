import Diagnostics
import YAML

extension FileUpdater {
    /// Writes what was asked for. What contradicts itself or cannot be written is skipped alone; a file that would come
    /// out otherwise than intended is skipped as a whole.
    mutating func finished() -> FileUpdate {
        var texts: [Range<Int>: (text: String, setter: String)] = [:]
        var contradicted: [Range<Int>: String] = [:]
        for wish in wishes {
            if let other = texts[wish.node.range], other.text != wish.text {
                contradicted[wish.node.range] =
                    "\(other.setter) and \(wish.setter) want different values: '\(other.text)' and '\(wish.text)'"
            }
            texts[wish.node.range] = (wish.text, wish.setter)
        }
        let scalars = wishes.map { splice(for: $0, contradiction: contradicted[$0.node.range]) }
        let groups = structureGroups()
        refuseUnits(of: groups)
        var values: [Range<Int>: String] = [:]
        var splices: [Splice] = []
        var changes: [ManifestChange] = []
        for (wish, splice) in zip(wishes, scalars) where values[wish.node.range] == nil {
            var reason = splice.reason
            if reason == nil, wish.unit.map(refusedUnits.contains) ?? false { reason = Self.leftWithTheRest }
            if let reason {
                skip(wish.node, object: wish.object, container: wish.container, reason)
                continue
            }
            guard let splice = splice.splice else { continue }
            splices.append(splice)
            values[wish.node.range] = wish.text
            let place = lines.location(of: wish.node.range.lowerBound, in: file)
            changes.append(
                ManifestChange(
                    file: file, line: place.line, column: place.column, object: wish.object, container: wish.container,
                    old: Scanner.trimmed(wish.node.text ?? ""), new: wish.text, setter: wish.setter))
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
                        reason: group.reason.map { "cannot be changed: \($0)" } ?? Self.leftWithTheRest))
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
            result.skipped.append(
                ManifestSkip(file: file, reason: error.summary + (error.cause.map { ": \($0)" } ?? "")))
        }
        return sorted()
    }

    private static let leftWithTheRest = "left as it is, because something that belongs to it cannot be changed"

    /// The splice of one value (none when it is right already), or why there cannot be one.
    private mutating func splice(for wish: Wish, contradiction: String?) -> (splice: Splice?, reason: String?) {
        if let contradiction {
            if let unit = wish.unit { refusedUnits.insert(unit) }
            return (nil, contradiction)
        }
        do {
            return (try ScalarSplice.replacing(wish.node, in: bytes, with: wish.text), nil)
        } catch {
            if let unit = wish.unit { refusedUnits.insert(unit) }
            return (nil, "cannot be changed to '\(wish.text)': \(error.reason)")
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
