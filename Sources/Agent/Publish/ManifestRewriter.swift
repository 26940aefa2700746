import Diagnostics
import Git
import ManifestUpdater

/// Turns choices into new contents of files.
struct ManifestRewriter: Sendable {
    /// The choices as a change. The places are found again in the files of the head at hand: one that somebody has changed
    /// meanwhile is dropped, and so a person's edit wins.
    static func request(_ choices: [ImageChoice], writeBack: WriteBack? = nil) -> ChangeRequest {
        ChangeRequest(writeBack: writeBack) { (files) throws(AgentError) in try await changes(choices, on: files) }
    }

    private static func changes(
        _ choices: [ImageChoice], on revision: RevisionFiles
    ) async throws(AgentError) -> ChangeSet {
        var changes = ChangeSet()
        for (file, choices) in Dictionary(grouping: choices, by: \.file).sorted(by: { $0.key < $1.key }) {
            guard let bytes = try await revision.read(file) else {
                if revision.tree.entry(file) == nil, choices.allSatisfy(\.mayMakeFile) {
                    changes.append(applications(choices, file: file, nil))
                } else {
                    changes.decisions.append(CycleReport.Decision(subject: file, reason: "the file is gone"))
                }
                continue
            }
            changes.append(targets(choices, file: file, bytes))
            changes.append(applications(choices, file: file, changes.files[file] ?? bytes))
        }
        return changes
    }

    // MARK: Workloads and markers

    private static func targets(_ choices: [ImageChoice], file: String, _ bytes: [UInt8]) -> ChangeSet {
        var changes = ChangeSet()
        let wanted = choices.compactMap { choice in
            if case .target(let target) = choice.place { (choice: choice, target: target) } else { nil }
        }
        let edited = ManifestUpdater.update(
            bytes, file: file, edits: wanted.map { ManifestEdit(target: $0.target, newImage: $0.choice.newImage) })
        for (number, one) in wanted.enumerated() where !edited.refused.contains(number) {
            guard let target = edited.found[number] else {
                changes.decisions.append(
                    CycleReport.Decision(
                        subject: "\(file) \(one.target.workload) \(one.target.container)",
                        reason: "somebody changed it meanwhile"))
                continue
            }
            if edited.update.bytes == nil { continue }
            changes.updates.append(
                CycleReport.Update(
                    file: file, line: target.location.line, workload: target.workload.description,
                    container: target.container, old: target.image,
                    new: target.written(for: ImageText(one.choice.newImage)), reason: one.choice.reason,
                    setter: target.setter, kind: target.workload.kind,
                    image: target.isMarker ? one.choice.newImage : nil))
        }
        changes.files[file] = edited.update.bytes
        changes.decisions += edited.update.skipped.map(CycleReport.Decision.init)
        return changes
    }

    // MARK: Argo's places

    /// Writes the choices for Argo's places in one file; one that says meanwhile something else is left to the person who
    /// wrote it.
    private static func applications(_ choices: [ImageChoice], file: String, _ bytes: [UInt8]?) -> ChangeSet {
        var changes = ChangeSet()
        var places: [(ArgoPlace, ImageText)] = []
        var updates: [CycleReport.Update] = []
        for choice in choices {
            guard case .application(let place, let old) = choice.place else { continue }
            guard bytes.flatMap({ ManifestUpdater.image(at: place, in: $0) }) == old else {
                changes.decisions.append(
                    CycleReport.Decision(
                        subject: "\(file) \(place.application) \(place.image)", reason: "somebody changed it meanwhile")
                )
                continue
            }
            let new = ImageText(choice.newImage)
            places.append((place, new))
            updates.append(
                CycleReport.Update(
                    file: file, line: 1, workload: place.application.description, container: place.image,
                    old: old.map { $0.name.isEmpty ? ImageText(name: new.name, tag: $0.tag).description : "\($0)" }
                        ?? "",
                    new: choice.newImage, reason: choice.reason, kind: place.application.kind))
        }
        guard !places.isEmpty else { return changes }
        let update = ManifestUpdater.update(bytes, file: file, places: places)
        changes.decisions += update.skipped.map(CycleReport.Decision.init)
        guard let new = update.bytes else { return changes }
        changes.files[file] = new
        for var one in updates {
            let lines = update.changes.filter { $0.object == one.workload && $0.container == one.container }
            guard let first = lines.first ?? update.changes.first(where: { $0.object == one.workload }) else {
                continue
            }
            one.line = first.line
            changes.updates.append(one)
        }
        return changes
    }
}

extension ImageTarget {
    /// The name of the policy in a Flux v2 marker, as Flux's templates show it.
    var setter: String? {
        guard case .flux2Marker(let namespace, let name) = source else { return nil }
        switch field {
        case .reference: return "\(namespace):\(name)"
        case .tag: return "\(namespace):\(name):tag"
        case .name: return "\(namespace):\(name):name"
        case .digest: return "\(namespace):\(name):digest"
        }
    }
}

extension CycleReport.Decision {
    /// A value that was to be written and was not.
    init(_ skip: ManifestSkip) {
        let place = skip.file + (skip.line.map { ":\($0)" } ?? "")
        let subject = [place, skip.object, skip.container].filter { !$0.isEmpty }.joined(separator: " ")
        self.init(subject: subject, reason: "not rewritten: \(skip.reason)")
    }
}
