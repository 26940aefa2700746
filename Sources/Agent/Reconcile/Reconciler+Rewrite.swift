import Diagnostics
import Git
import ManifestUpdater

/// New contents of files, with the changes that they hold.
struct Edits: Sendable {
    var files: [String: [UInt8]] = [:]
    var updates: [CycleReport.Update] = []
    var decisions: [CycleReport.Decision] = []

    var isEmpty: Bool { files.isEmpty }
}

extension Reconciler {
    /// The edits that the choices ask for on a revision. The targets are found again in that revision's files: a
    /// choice whose line somebody has changed meanwhile is dropped, and so a person's edit wins.
    func rewrite(_ choices: [Choice], at revision: Commit) async throws(AgentError) -> Edits {
        var edits = Edits()
        guard !choices.isEmpty else { return edits }
        let tree = try await tools.index.tree(of: revision, in: tools.mirror)
        for (file, choices) in Dictionary(grouping: choices, by: \.file).sorted(by: { $0.key < $1.key }) {
            guard let entry = tree.file(file) else {
                if tree.entry(file) == nil, choices.allSatisfy(\.mayMakeFile) {
                    rewrite(argo: choices, file: file, nil, &edits)
                } else {
                    edits.decisions.append(CycleReport.Decision(subject: file, reason: "the file is gone"))
                }
                continue
            }
            let bytes = try await tools.mirror.read(entry)
            rewrite(targets: choices, file: file, bytes, &edits)
            rewrite(argo: choices, file: file, edits.files[file] ?? bytes, &edits)
        }
        return edits
    }

    private func rewrite(targets choices: [Choice], file: String, _ bytes: [UInt8], _ edits: inout Edits) {
        var changes: [ManifestEdit] = []
        var updates: [CycleReport.Update] = []
        var scanned: ScanResult?
        for choice in choices {
            guard case .target(let wanted) = choice.place else { continue }
            let scan = scanned ?? ManifestScan.scan(file: file, bytes: bytes)
            scanned = scan
            guard let target = scan.targets.first(where: { $0.isSamePlace(as: wanted) }),
                target.held == nil || target.isMarker, target.image == wanted.image
            else {
                edits.decisions.append(
                    CycleReport.Decision(
                        subject: "\(file) \(wanted.workload) \(wanted.container)",
                        reason: "somebody changed it meanwhile"))
                continue
            }
            changes.append(ManifestEdit(target: target, newImage: choice.newImage))
            updates.append(
                CycleReport.Update(
                    file: file, line: target.location.line, workload: target.workload.description,
                    container: target.container, old: target.image,
                    new: target.written(for: ImageText(choice.newImage)), reason: choice.reason,
                    setter: target.setter, kind: target.workload.kind,
                    image: target.isMarker ? choice.newImage : nil))
        }
        guard !changes.isEmpty else { return }
        do {
            edits.files[file] = try ManifestUpdater.apply(changes, to: bytes, file: file)
            edits.updates += updates
        } catch {
            edits.decisions.append(
                CycleReport.Decision(
                    subject: error.place ?? file, reason: "not rewritten: \(error.summary)", remedy: error.hint))
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
