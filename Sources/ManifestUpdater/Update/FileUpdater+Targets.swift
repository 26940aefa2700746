import Diagnostics
import YAML

/// A new image for a place that a scan found.
package struct ManifestEdit: Hashable, Sendable {
    package let target: ImageTarget
    /// The whole image: name, tag, and digest if one is to be written.
    package let newImage: String

    package init(target: ImageTarget, newImage: String) {
        self.target = target
        self.newImage = newImage
    }
}

/// What became of edits in one file.
package struct EditedFile: Sendable {
    package var update = FileUpdate()
    /// For each edit its place in the file at hand; `nil` where it is gone, is held, or holds another image than when the edit
    /// was decided.
    package var found: [ImageTarget?]
    /// The edits that were not carried out, each with a reason in `update.skipped`.
    package var refused: Set<Int> = []
}

extension ManifestUpdater {
    /// Carries out edits, each for itself: one that contradicts another, or cannot be written, holds up no other one. The
    /// places are found again in the file at hand, which may be another one than the one that was scanned. Pure.
    package static func update(_ bytes: [UInt8], file: String, edits: [ManifestEdit]) -> EditedFile {
        var edited = EditedFile(found: edits.map { _ in nil })
        if edits.isEmpty { return edited }
        let documents: [YAMLDocument]
        do {
            documents = try YAMLStream.parse(bytes, file: file)
        } catch {
            edited.update.skipped = [ManifestSkip(file: file, line: error.location?.line, reason: error.summary)]
            edited.refused = Set(edits.indices)
            return edited
        }
        var updater = FileUpdater(file: file, bytes: bytes, documents: documents, request: UpdateRequest())
        edited.found = updater.gather(edits)
        edited.update = updater.finished()
        let isLost = edited.update.bytes == nil && updater.isUnproved
        edited.refused = Set(
            edits.indices.filter { edited.found[$0] != nil && (isLost || updater.isRefused(edit: $0)) })
        return edited
    }
}

extension FileUpdater {
    /// Edits are units, numbered from one: an image's values are written together or not at all.
    func isRefused(edit number: Int) -> Bool { refusedUnits.contains(number + 1) }

    fileprivate mutating func gather(_ edits: [ManifestEdit]) -> [ImageTarget?] {
        let rules = Set(edits.compactMap(\.target.rule))
        let scan = ManifestScan.scan(documents, file: file, bytes: bytes, rules: Array(rules))
        let places = Dictionary(scan.targets.map { ($0.identity, $0) }, uniquingKeysWith: { first, _ in first })
        let found = edits.map { edit -> ImageTarget? in
            guard let target = places[edit.target.identity], target.held == nil || target.isMarker,
                target.image == edit.target.image
            else { return nil }
            return target
        }
        let sharing = Dictionary(grouping: scan.targets, by: \.valueRange).filter { $0.value.count > 1 }
        let asked = Set(found.compactMap { $0?.identity })
        let ranges = found.compactMap(\.self).flatMap { [$0.valueRange, $0.digestRange].compactMap(\.self) }
        let nodes = documents.scalars(at: Set(ranges))
        for (edit, target) in zip(edits, found) {
            let unit = newUnit()
            guard let target else { continue }
            // A shared value is changed only when every container that uses it asks for that.
            let other = target.isMarker ? nil : sharing[target.valueRange]?.first { !asked.contains($0.identity) }
            do throws(ScalarSplice.Refusal) {
                if let other { throw Self.shares(target, with: other) }
                for (range, text) in try target.tagValues(for: edit.newImage) {
                    guard let node = nodes[range] else { throw ScalarSplice.Refusal(reason: "its value was not found") }
                    planned.append(
                        PlannedEdit(
                            node: node, text: text, object: target.workload.description, container: target.container,
                            setter: target.setter, unit: unit))
                }
            } catch {
                refusedUnits.insert(unit)
                result.skipped.append(
                    ManifestSkip(
                        file: file, line: target.location.line, object: target.workload.description,
                        container: target.container, reason: error.reason))
            }
        }
        return found
    }

    private static func shares(_ target: ImageTarget, with other: ImageTarget) -> ScalarSplice.Refusal {
        ScalarSplice.Refusal(
            reason: "it shares its value with \(other.subject), which is not updated"
                + (other.held.map { " (\($0))" } ?? "")
                + ": automate both, or write the image out in one of them")
    }
}

extension ImageTarget {
    /// What asks, in messages about values.
    fileprivate var setter: String {
        if case .flux2Marker(let namespace, let name) = source { return "policy \(namespace):\(name)" }
        return subject
    }

    /// What the scalars of this image have to say for another tag of the same image.
    fileprivate func tagValues(for new: String) throws(ScalarSplice.Refusal) -> [(Range<Int>, String)] {
        switch field {
        case .reference(let prefix) where !new.hasPrefix(prefix) || new.utf8.count <= prefix.utf8.count:
            throw ScalarSplice.Refusal(
                reason: "'\(new)' is not in the registry '\(prefix)' that stands beside the image")
        case .tag(let name) where name != nil && ImageText(new).name != name:
            throw ScalarSplice.Refusal(
                reason:
                    "'\(new)' is more than another tag of '\(name ?? "")': the image's name stands in another value, and "
                    + "only the tag is changed")
        default: return try values(for: new)
        }
    }
}
