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

/// Changes image references in manifests by splicing the bytes of their scalars. Pure: bytes in, bytes out.
package enum ManifestUpdater {
    /// Carries out edits on the bytes that their targets were found in.
    ///
    /// Only the bytes of the values change. The result is read again and compared node by node with the original: it is
    /// returned only if exactly the intended values differ.
    ///
    /// - Returns: the new bytes; the same ones when every value was right already.
    package static func apply(
        _ edits: [ManifestEdit], to bytes: [UInt8], file: String
    ) throws(UpdateError) -> [UInt8] {
        if edits.isEmpty { return bytes }
        let documents = try parse(bytes, file: file)
        let scan = ManifestScan.scan(documents, file: file, bytes: bytes)
        let values = try newValues(edits, scan)
        var splices: [Splice] = []
        var changes: [Range<Int>: String] = [:]
        let nodes = documents.scalars(at: values.keys)
        for (range, value) in values.sorted(by: { $0.key.lowerBound < $1.key.lowerBound }) {
            let place = value.edit.target.location.description
            guard let node = nodes[range] else {
                throw UpdateError(.stale, "the value is not where it was found", place: place)
            }
            do {
                guard let splice = try ScalarSplice.replacing(node, in: bytes, with: value.text) else { continue }
                splices.append(splice)
                changes[range] = value.text
            } catch {
                throw UpdateError(
                    .unsupported, "cannot change \(value.edit.target.subject)", place: place, cause: error.reason,
                    hint: "write the value on one line")
            }
        }
        if splices.isEmpty { return bytes }
        let result = Splice.apply(splices, to: bytes)
        try verify(result, against: documents, changes: changes, file: file)
        return result
    }

    private static func parse(_ bytes: [UInt8], file: String) throws(UpdateError) -> [YAMLDocument] {
        do {
            return try YAMLStream.parse(bytes, file: file)
        } catch {
            throw UpdateError(.unreadable, error.summary, place: error.place, hint: error.hint)
        }
    }

    // MARK: Values

    private struct NewValue {
        var edit: ManifestEdit
        var text: String
    }

    /// The new text of each scalar, after all who use it were asked.
    private static func newValues(
        _ edits: [ManifestEdit], _ scan: ScanResult
    ) throws(UpdateError) -> [Range<Int>: NewValue] {
        struct Place: Hashable {
            let range: Range<Int>
            let identity: ImageTarget.Identity
            var image: String?
        }
        let present = Set(scan.targets.map { Place(range: $0.valueRange, identity: $0.identity, image: $0.image) })
        let asked = Set(edits.map { Place(range: $0.target.valueRange, identity: $0.target.identity) })
        var values: [Range<Int>: NewValue] = [:]
        for edit in edits {
            let target = edit.target
            let place = target.location.description
            let isThere = present.contains(
                Place(range: target.valueRange, identity: target.identity, image: target.image))
            guard isThere else {
                throw UpdateError(
                    .stale, "\(target.subject) does not have the image '\(target.image)' here any more", place: place,
                    hint: "scan the file again")
            }
            let text = try newValue(edit)
            if let other = values[target.valueRange], other.text != text {
                throw UpdateError(
                    .conflict,
                    "\(target.subject) and \(other.edit.target.subject) share one value and want different images",
                    place: place, cause: "'\(text)' and '\(other.text)'",
                    hint: "give both the same policy, or write the image out in one of them")
            }
            values[target.valueRange] = NewValue(edit: edit, text: text)
            if let range = target.digestRange, let digest = ImageText(edit.newImage).digest {
                values[range] = NewValue(edit: edit, text: digest)
            }
        }
        // A shared value is changed only when every container that uses it asks for that.
        for target in scan.targets {
            guard let value = values[target.valueRange], !value.edit.target.isMarker else { continue }
            if !asked.contains(Place(range: target.valueRange, identity: target.identity)) {
                throw UpdateError(
                    .conflict,
                    "\(value.edit.target.subject) shares its value with \(target.subject), which is not updated",
                    place: value.edit.target.location.description, cause: target.held?.description,
                    hint: "automate both, or write the image out in one of them")
            }
        }
        return values
    }

    /// What the scalar has to say for the new image.
    private static func newValue(_ edit: ManifestEdit) throws(UpdateError) -> String {
        let place = edit.target.location.description
        let image = ImageText(edit.newImage)
        switch edit.target.field {
        case .reference(let prefix):
            guard edit.newImage.hasPrefix(prefix), edit.newImage.count > prefix.count else {
                throw UpdateError(
                    .invalidValue, "'\(edit.newImage)' is not in the registry '\(prefix)' that stands beside the image",
                    place: place)
            }
            return String(edit.newImage.dropFirst(prefix.count))
        case .tag(let name):
            guard let tag = image.tag, name == nil || image.name == name else {
                throw UpdateError(
                    .invalidValue, "'\(edit.newImage)' is more than another tag of '\(name ?? "")'", place: place,
                    hint: "the image's name stands in another value; only the tag is changed")
            }
            // A marker for the tag means the tag alone; a chart's tag may carry the digest.
            return name == nil || edit.target.digestRange != nil
                ? tag : tag + (image.digest.map { "@\($0)" } ?? "")
        case .name: return image.name
        case .digest: return image.digest ?? ""
        }
    }
}
