import Diagnostics
import YAML

/// A new image for a place.
package struct ManifestEdit: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        /// One that a scan found.
        case target(ImageTarget)
        /// One of Argo CD's, with what it said when the edit was decided.
        case argo(ArgoPlace, old: WrittenReference?)
    }

    package let place: Place
    /// The whole image: name, tag, and digest if one is to be written.
    package let newImage: WrittenReference

    package init(place: Place, newImage: WrittenReference) {
        self.place = place
        self.newImage = newImage
    }

    package init(target: ImageTarget, newImage: WrittenReference) {
        self.init(place: .target(target), newImage: newImage)
    }

    /// Whether the file may come into being by this edit.
    package var mayMakeFile: Bool {
        guard case .argo(let place, _) = place else { return false }
        return place.holder == .overrides
    }
}

/// What became of edits in one file.
package struct EditedFile: Sendable {
    package var update = FileUpdate()
    /// For each edit the line of its place in the file at hand; `nil` where it is gone, is held, or holds another image than when
    /// the edit was decided.
    package var found: [Int?]
    /// The edits that were not carried out, each with a reason in `update.skipped`.
    package var refused: Set<Int> = []
    /// Of these the ones that want something else than another edit in the same place, each with what is said of it.
    package var contradictions: [Int: ManifestSkip] = [:]
}

extension ManifestUpdater {
    /// Carries out edits, each for itself: one that contradicts another, or cannot be written, holds up no other one. The
    /// places are found again in the file at hand, which may be another one than the one that was scanned. Pure.
    ///
    /// - Parameter bytes: `nil` when the file is not there.
    package static func update(_ bytes: [UInt8]?, file: String, edits: [ManifestEdit]) -> EditedFile {
        var edited = EditedFile(found: edits.map { _ in nil })
        if edits.isEmpty { return edited }
        let documents: [YAMLDocument]
        do {
            documents = try YAMLStream.parse(bytes ?? [], file: file)
        } catch {
            edited.update.skipped = [ManifestSkip(file: file, line: error.location?.line, reason: error.summary)]
            edited.refused = Set(edits.indices)
            return edited
        }
        if documents.allSatisfy({ $0.root == nil }), edits.allSatisfy(\.mayMakeFile) {
            return ArgoOverrides.made(file: file, after: bytes ?? [], edits: edits)
        }
        var updater = FileUpdater(file: file, bytes: bytes ?? [], documents: documents, request: UpdateRequest())
        edited.found = updater.gather(edits)
        edited.update = updater.finished()
        let isLost = edited.update.bytes == nil && updater.isUnproved
        for number in edits.indices where edited.found[number] != nil {
            let unit = FileUpdater.unit(ofEdit: number)
            if isLost || updater.isRefused(unit) { edited.refused.insert(number) }
            edited.contradictions[number] = updater.contradictions[unit]
        }
        return edited
    }
}

extension FileUpdater {
    /// Edits are units, numbered from one: an image's values are written together or not at all.
    static func unit(ofEdit number: Int) -> Int { number + 1 }

    func isRefused(_ unit: Int) -> Bool {
        refusedUnits.contains(unit) || twins[unit].map(refusedUnits.contains) ?? false
    }

    /// - Returns: as `EditedFile.found`.
    fileprivate mutating func gather(_ edits: [ManifestEdit]) -> [Int?] {
        var targets: [(unit: Int, target: ImageTarget, image: WrittenReference)] = []
        var places: [(unit: Int, place: ArgoPlace, old: WrittenReference?, image: WrittenReference)] = []
        for (number, edit) in edits.enumerated() {
            let unit = Self.unit(ofEdit: number)
            switch edit.place {
            case .target(let target): targets.append((unit, target, edit.newImage))
            case .argo(let place, let old): places.append((unit, place, old, edit.newImage))
            }
        }
        unitCount = edits.count
        var found = [Int?](repeating: nil, count: edits.count)
        for (unit, line) in gather(targets) + gather(places) { found[unit - 1] = line }
        return found
    }
}
