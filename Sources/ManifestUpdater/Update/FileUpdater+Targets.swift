import Diagnostics
import YAML

extension FileUpdater {
    /// - Returns: the units whose places are there, with their lines.
    mutating func gather(_ edits: [(unit: Int, target: ImageTarget, image: WrittenReference)]) -> [(Int, Int)] {
        if edits.isEmpty { return [] }
        let rules = Set(edits.compactMap(\.target.rule))
        let scan = ManifestScan.scan(documents, file: file, bytes: bytes, rules: Array(rules))
        let places = Dictionary(scan.targets.map { ($0.identity, $0) }, uniquingKeysWith: { first, _ in first })
        let found = edits.compactMap { edit -> (unit: Int, target: ImageTarget, image: WrittenReference)? in
            guard let target = places[edit.target.identity], target.held == nil || target.isMarker,
                target.image == edit.target.image
            else { return nil }
            return (edit.unit, target, edit.image)
        }
        let sharing = Dictionary(grouping: scan.targets, by: \.valueRange).filter { $0.value.count > 1 }
        let asked = Set(found.map(\.target.identity))
        let ranges = found.flatMap { [$0.target.valueRange, $0.target.digestRange].compactMap(\.self) }
        let nodes = documents.scalars(at: Set(ranges))
        for (unit, target, image) in found {
            // A shared value is changed only when every container that uses it asks for that.
            let other = target.isMarker ? nil : sharing[target.valueRange]?.first { !asked.contains($0.identity) }
            do throws(ScalarSplice.Refusal) {
                if let other { throw Self.shares(target, with: other) }
                for (range, text) in try target.tagValues(for: image) {
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
        return found.map { ($0.unit, $0.target.location.line) }
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
    fileprivate func tagValues(for new: WrittenReference) throws(ScalarSplice.Refusal) -> [(Range<Int>, String)] {
        switch field {
        case .reference(let prefix) where !Self.isImage(new.description, behind: prefix):
            throw ScalarSplice.Refusal(
                reason: "'\(new)' is not in the registry '\(prefix)' that stands beside the image")
        case .tag(let name) where name != nil && new.name != name:
            throw ScalarSplice.Refusal(
                reason:
                    "'\(new)' is more than another tag of '\(name ?? "")': the image's name stands in another value, and "
                    + "only the tag is changed")
        default: return try values(for: new)
        }
    }

    private static func isImage(_ text: String, behind prefix: String) -> Bool {
        text.hasPrefix(prefix) && text.utf8.count > prefix.utf8.count
    }
}
