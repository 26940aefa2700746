import Diagnostics
package import ManifestUpdater
package import OCI
import RegistryPoller

/// Which workloads get which images, decided as `fluxctl release` decides it. Pure, once the images are known.
package struct Release: Sendable {
    package enum Selection: Sendable {
        /// This image, for every container that runs another tag of its repository. The digest is for references that
        /// are pinned.
        case exactly(WrittenReference, digest: Digest?)
        /// For every container the best image that its filter allows.
        case latest(AvailableImages)
    }

    let selection: Selection
    /// None: all.
    let named: [String]
    let excluded: Set<String>
    /// With named workloads: locks and ignores do not count; with a named image: filters do not count.
    let force: Bool

    package init(selection: Selection, named: [String], excluded: Set<String>, force: Bool) {
        self.selection = selection
        self.named = named
        self.excluded = excluded
        self.force = force
    }

    struct Update: Sendable {
        var container: WorkloadContainer
        var image: WrittenReference
        var tag: String
    }

    struct Decision: Sendable {
        /// `success`, `skipped`, `ignored`, `failed`.
        var status: String
        /// In fluxctl's words; `nil` for a success.
        var reason: String?
        var updates: [Update] = []
    }

    /// What becomes of a workload.
    func decide(_ id: String, _ containers: [WorkloadContainer]) -> Decision {
        if !named.isEmpty, !named.contains(id) { return Decision(status: "ignored", reason: "not included") }
        if excluded.contains(id) { return Decision(status: "ignored", reason: "excluded") }
        if case .exactly(let image, _) = selection, !containers.contains(where: { Self.isSameName($0.image, image) }) {
            return Decision(status: "ignored", reason: "a different image")
        }
        if named.isEmpty || !force {
            if containers.contains(where: { $0.policies.contains("locked") }) {
                return Decision(status: "skipped", reason: "locked")
            }
            if containers.contains(where: { $0.held == .ignored }) {
                return Decision(status: "skipped", reason: "ignore")
            }
        }
        var decision = Decision(status: "ignored", reason: "does not use image(s)")
        for container in containers {
            switch choice(for: container) {
            case .none: decision.reason = "does not use image(s)"
            case .missing: (decision.status, decision.reason) = ("skipped", "cannot find one or more images")
            case .problem(let reason): (decision.status, decision.reason) = ("failed", reason)
            case .image(let image, let tag):
                if image == container.image {
                    (decision.status, decision.reason) = ("skipped", "image(s) up to date")
                } else {
                    decision.updates.append(Update(container: container, image: image, tag: tag))
                }
            }
        }
        if !decision.updates.isEmpty { (decision.status, decision.reason) = ("success", nil) }
        return decision
    }

    private enum Choice {
        case none
        case missing
        case problem(String)
        case image(WrittenReference, tag: String)
    }

    private func choice(for container: WorkloadContainer) -> Choice {
        if case .notAnImage(let reason)? = container.held { return .problem(reason) }
        let own = container.image
        func image(_ tag: String, _ digest: Digest?) -> Choice {
            // A reference that is pinned stays pinned.
            guard own.digest != nil else { return .image(own.with(tag: tag), tag: tag) }
            guard let digest else { return .problem("\(own.name):\(tag) cannot be pinned: its digest is not known") }
            return .image(own.with(tag: tag, digest: digest.description), tag: tag)
        }
        do throws(PolicyError) {
            switch selection {
            case .exactly(let wanted, let digest):
                guard Self.isSameName(container.image, wanted), let tag = wanted.tag else { return .none }
                if !force, let filter = container.filter {
                    let policy = try ImagePolicy.parse(filter)
                    // The time says nothing here: there is but one image.
                    let only = [TagCandidate(tag: tag, created: 1_500_000_000)]
                    guard policy.select(from: only, current: nil, explaining: false).tag != nil else { return .missing }
                }
                return image(tag, wanted.digest.flatMap { try? Digest($0) } ?? digest)
            case .latest(let available):
                guard let latest = try available.latest(for: container.image, filter: container.filter ?? "glob:*")
                else { return available.problem(of: container.image).map { .problem($0) } ?? .none }
                return image(latest.tag, latest.digest)
            }
        } catch {
            return .problem("invalid tag pattern: '\(container.filter ?? "")'")
        }
    }

    private static func isSameName(_ image: WrittenReference, _ wanted: WrittenReference) -> Bool {
        guard let own = try? Reference(image.description), let other = try? Reference(wanted.description) else {
            return false
        }
        return RegistryRepository(own) == RegistryRepository(other)
    }

    /// The edits of one file.
    ///
    /// - Parameter rules: where custom resources have their images.
    package func update(_ bytes: [UInt8], file: String, rules: [ImagePathRule] = []) -> FileUpdate {
        var request = UpdateRequest()
        request.force = true
        request.rules = rules
        for (id, containers) in ManifestScan.containers(file: file, bytes: bytes, rules: rules).0.grouped {
            for update in decide(id, containers).updates {
                request.workloads.append(
                    UpdateRequest.WorkloadImage(
                        workload: update.container.workload, container: update.container.container,
                        image: update.image))
            }
        }
        return ManifestUpdater.update(bytes, file: file, request: request)
    }

    package static let notFound = "not found in repository"

    /// The workloads that were named and are not there.
    package func missing(in containers: [WorkloadContainer]) -> [String] {
        let found = Set(containers.grouped.map(\.key))
        return named.filter { !found.contains($0) }
    }

    /// The table's lines, in fluxctl's words.
    package func results(_ containers: [WorkloadContainer]) -> [WorkloadResult] {
        let grouped = containers.grouped
        var results = grouped.map { id, containers -> WorkloadResult in
            let decision = decide(id, containers)
            let updates = decision.updates.map { "\($0.container.container): \($0.container.image) -> \($0.tag)" }
            return WorkloadResult(
                workload: id, status: decision.status, updates: decision.reason.map { [$0] } ?? updates)
        }
        for id in missing(in: containers) {
            results.append(WorkloadResult(workload: id, status: "skipped", updates: [Self.notFound]))
        }
        return results.sorted { $0.workload < $1.workload }
    }
}
