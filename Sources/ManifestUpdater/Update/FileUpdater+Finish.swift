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
        var values: [Range<Int>: String] = [:]
        var splices: [Splice] = []
        var changes: [ManifestChange] = []
        for wish in wishes where values[wish.node.range] == nil {
            if let reason = contradicted[wish.node.range] {
                skip(wish.node, object: wish.object, container: wish.container, reason)
                continue
            }
            do {
                guard let splice = try ScalarSplice.replacing(wish.node, in: bytes, with: wish.text) else { continue }
                splices.append(splice)
            } catch {
                skip(
                    wish.node, object: wish.object, container: wish.container,
                    "cannot be changed to '\(wish.text)': \(error.reason)")
                continue
            }
            values[wish.node.range] = wish.text
            let place = lines.location(of: wish.node.range.lowerBound, in: file)
            changes.append(
                ManifestChange(
                    file: file, line: place.line, column: place.column, object: wish.object, container: wish.container,
                    old: Scanner.trimmed(wish.node.text ?? ""), new: wish.text, setter: wish.setter))
        }
        var edits: [StructureEdit] = []
        let writer = StructureWriter(bytes)
        var isRefused = false
        for (edit, change) in structure {
            do {
                if let edit {
                    isRefused = true
                    splices += try writer.splices(for: edit)
                    edits.append(edit)
                    isRefused = false
                }
                if !isRefused { changes.append(change) }
            } catch {
                result.skipped.append(
                    ManifestSkip(
                        file: file, line: change.line, object: change.object, container: change.container,
                        reason: "cannot be changed: \(error.reason)"))
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

    private mutating func sorted() -> FileUpdate {
        result.changes.sort { ($0.line, $0.column) < ($1.line, $1.column) }
        result.skipped = result.skipped.enumerated().sorted {
            ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset)
        }.map(\.element)
        return result
    }
}
