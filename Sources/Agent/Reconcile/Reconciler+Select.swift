import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

extension Reconciler {
    /// A place that names an image, and the image that the policy chose for it.
    struct Choice: Sendable {
        enum Place: Sendable {
            case target(ImageTarget)
            /// With what it said when the choice was made.
            case argo(ArgoPlace, old: ImageText?)
        }

        let place: Place
        let tag: String
        /// The whole new image, on the name as it is written.
        let newImage: String
        let reason: String

        var file: String {
            switch place {
            case .target(let target): target.file
            case .argo(let place, _): place.file
            }
        }
    }

    /// Asks the policy of each place that is followed. A place whose policy or image is wrong is its own failure.
    func select(for found: Discovered, _ sources: inout ImageSources, in cycle: inout Cycle) async -> [Choice] {
        if found.targets.isEmpty, found.applications.isEmpty {
            cycle.decide(
                "updates", "no workload is annotated",
                remedy: "annotate one with fluxcd.io/automated: \"true\" to have its images updated")
        }
        await sources.inventories.prefetch(Set(found.targets.compactMap { wish(of: $0, found, built: sources.built) }))
        var choices: [Choice] = []
        for target in found.targets {
            let subject = "\(target.file):\(target.location.line) \(target.workload) \(target.container)"
            if let held = target.held, !target.isMarker {
                if case .notAnImage(let reason) = held {
                    cycle.fail(
                        ReconcileError(
                            phase: .select, subject: subject, disposition: .stalled,
                            underlying: AgentError(
                                "'\(target.image)' cannot be updated", place: "\(target.location)", cause: reason,
                                hint: "write REPOSITORY:TAG, or take the annotation away")))
                } else {
                    cycle.decide(subject, "not updated: \(held)")
                }
                continue
            }
            do {
                var known = sources
                let choice = try await cycle.phase(.select, subject: subject) {
                    target.isMarker
                        ? try await follow(marker: target, found, &known) : try await follow(target, &known)
                }
                sources = known
                switch choice {
                case .left(let reason): cycle.decide(subject, reason)
                case .chosen(let choice): choices.append(choice)
                }
            } catch {
                cycle.fail(error)
            }
        }
        for application in found.applications { await follow(application, &choices, &sources, in: &cycle) }
        return choices
    }

    enum Outcome: Sendable {
        /// Nothing is to be written, for this reason.
        case left(String)
        case chosen(Choice)
    }

    /// What a place will ask of which repository. `nil` when that is not clear; then it is scanned when it is asked.
    private func wish(
        of target: ImageTarget, _ found: Discovered, built: Set<RepositoryLocation>
    ) -> Inventories.Wish? {
        // Flux v2's policies go by names alone.
        if target.isMarker {
            return Self.repository(ofMarker: target, found).map {
                Inventories.Wish(location: $0, isComplete: built.contains($0), platforms: [])
            }
        }
        guard target.held == nil, let location = try? Self.location(target.image, at: target.location),
            let policy = try? self.policy(of: target, location),
            let platforms = try? Self.platforms(target.options.platforms, at: target.location)
        else { return nil }
        let isByNames = Self.needsNamesOnly(policy, location.repository, platforms, built: built)
        return Inventories.Wish(location: location.repository, isComplete: !isByNames, platforms: platforms)
    }

    /// A container whose workload is annotated.
    private func follow(_ target: ImageTarget, _ sources: inout ImageSources) async throws(AgentError) -> Outcome {
        let image = try Self.location(target.image, at: target.location)
        let written = ImageText(target.image)
        if case .keel(let keel) = target.source, let pattern = keel.monitorContainers {
            let expression = try Self.checked(target.location) { () throws(PolicyError) in
                try RegularExpression(pattern)
            }
            guard expression.matches(target.container) else {
                return .left("not updated: keel.sh/monitorContainers leaves this container out")
            }
        }
        var question = ImageQuestion(image: image, policy: try policy(of: target, image))
        if question.policy.needsCurrent, image.tag == nil { question.image.tag = "latest" }
        question.needsDigest = target.options.pinsDigest || written.digest != nil
        question.platforms = try Self.platforms(target.options.platforms, at: target.location)
        for text in target.options.requires {
            question.requires.append(try Self.location(text, at: target.location).repository)
        }
        let answer = try await ask(question, &sources)
        guard let tag = answer.tag else { return .left("not updated: \(answer.reason)") }
        var new = ImageText(name: written.name, tag: tag)
        if question.needsDigest {
            guard let digest = answer.digest else {
                return .left("not updated: the digest of \(new) is not known")
            }
            new.digest = digest.description
        }
        guard new.description != target.image else {
            return .left("nothing to update: \(tag) runs already and is \(answer.reason)")
        }
        if target.options.needsApproval, tools.git.pushBranch == nil, target.options.approvedTag != tag {
            return .left(
                "waits for approval: \(tag) is \(answer.reason); annotate slipway.dev/approved.\(target.container): "
                    + "\"\(tag)\", or let changes go to a branch ('git.push.branch')")
        }
        return .chosen(Choice(place: .target(target), tag: tag, newImage: new.description, reason: answer.reason))
    }

    private func policy(of target: ImageTarget, _ image: ImageLocation) throws(AgentError) -> ImagePolicy {
        let override = repository.policies.first { $0.image == image.repository }?.policy
        return try Self.checked(target.location) { () throws(PolicyError) in
            guard case .keel(let keel) = target.source else {
                return try ImagePolicy.parse(target.policy ?? override ?? "glob:*")
            }
            var specification = PolicySpecification(dialect: .keel)
            try specification.read(keel.text)
            specification.matchTag = keel.matchTag
            specification.matchPreRelease = keel.matchPreRelease
            return try ImagePolicy(specification)
        }
    }

    static func platforms(_ texts: [String], at place: SourceLocation) throws(AgentError) -> [Platform] {
        var platforms: [Platform] = []
        for text in texts {
            do {
                platforms.append(try Platform(text))
            } catch {
                throw AgentError(error.summary, place: place.description, hint: error.hint)
            }
        }
        return platforms
    }

    /// A manifest's image: one of a registry, never a directory of this machine.
    static func location(_ text: String, at place: SourceLocation) throws(AgentError) -> ImageLocation {
        do {
            return ImageLocation(try Reference(text))
        } catch {
            throw AgentError(
                "'\(text)' is no image reference", place: place.description,
                cause: error.cause ?? error.summary, hint: "write REPOSITORY:TAG")
        }
    }

    static func checked<Value>(
        _ place: SourceLocation, _ body: () throws(PolicyError) -> Value
    ) throws(AgentError) -> Value {
        do {
            return try body()
        } catch {
            throw AgentError(error.summary, place: place.description, cause: error.cause, hint: error.hint)
        }
    }
}
