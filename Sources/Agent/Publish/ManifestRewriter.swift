import Diagnostics
import Git
import ManifestUpdater

/// Turns choices into new contents of files.
struct ManifestRewriter: Sendable {
    private let choices: [ImageChoice]
    /// What other requests of the cycle want in the same files.
    private let others: [ImageChoice]

    /// The choices as a change. The places are found again in the files of the head at hand: one that somebody has changed
    /// meanwhile is dropped, and so a person's edit wins.
    ///
    /// - Parameter others: what becomes commits of its own on the same branch. A value for which they want something else waits.
    static func request(
        _ choices: [ImageChoice], beside others: [ImageChoice] = [], writeBack: WriteBack? = nil
    ) -> ChangeRequest {
        let rewriter = ManifestRewriter(choices: choices, others: others)
        return ChangeRequest(writeBack: writeBack) { (files) throws(AgentError) in try await rewriter.changes(on: files)
        }
    }

    private func changes(on revision: RevisionFiles) async throws(AgentError) -> ChangeSet {
        var changes = ChangeSet()
        let others = Dictionary(grouping: others, by: \.file)
        for (file, choices) in Dictionary(grouping: choices, by: \.file).sorted(by: { $0.key < $1.key }) {
            let bytes = try await revision.read(file)
            if bytes == nil, revision.tree.entry(file) != nil || !choices.allSatisfy(\.edit.mayMakeFile) {
                changes.decisions.append(CycleReport.Decision(subject: file, reason: "the file is gone"))
                continue
            }
            changes.append(Self.changes(choices, beside: others[file] ?? [], file: file, bytes))
        }
        return changes
    }

    private static func changes(
        _ choices: [ImageChoice], beside others: [ImageChoice], file: String, _ bytes: [UInt8]?
    ) -> ChangeSet {
        var changes = ChangeSet()
        var choices = choices
        if !others.isEmpty {
            let all = ManifestUpdater.update(bytes, file: file, edits: (choices + others).map(\.edit))
            let contradicted = all.contradictions.filter { $0.key < choices.count }.sorted { $0.key < $1.key }
            changes.decisions += contradicted.map { CycleReport.Decision($0.value) }
            for (number, _) in contradicted.reversed() { choices.remove(at: number) }
        }
        let edited = ManifestUpdater.update(bytes, file: file, edits: choices.map(\.edit))
        for (number, choice) in choices.enumerated() where !edited.refused.contains(number) {
            guard let line = edited.found[number] else {
                let place = choice.place.written
                changes.decisions.append(
                    CycleReport.Decision(
                        subject: "\(file) \(place.workload) \(place.container)", reason: "somebody changed it meanwhile"
                    ))
                continue
            }
            if edited.update.bytes != nil { changes.updates.append(CycleReport.Update(choice, line: line)) }
        }
        changes.files[file] = edited.update.bytes
        changes.decisions += edited.update.skipped.map(CycleReport.Decision.init)
        return changes
    }
}

extension CycleReport.Update {
    /// What a choice changed.
    fileprivate init(_ choice: ImageChoice, line: Int) {
        let place = choice.place.written
        switch choice.place {
        case .target(let target):
            self.init(
                file: place.file, line: line, workload: place.workload, container: place.container,
                old: target.image.description,
                new: target.written(for: choice.newImage), reason: choice.reason, setter: target.setter,
                kind: target.workload.kind, image: target.isMarker ? choice.newImage.description : nil)
        case .argo(let argo, let old):
            let name = choice.newImage.name
            self.init(
                file: place.file, line: line, workload: place.workload, container: place.container,
                old: old.map { $0.name.isEmpty ? WrittenReference(name: name, tag: $0.tag).description : "\($0)" }
                    ?? "",
                new: choice.newImage.description, reason: choice.reason, kind: argo.application.kind)
        }
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
