import Diagnostics
import Git
import ManifestUpdater
import OCI
import Text

/// Tells of images and policies what the last cycles know, for pages and the API: git is not asked, and registries only for what no scan
/// covers.
struct AgentKnowledge: Sendable {
    let repositories: [AgentConfiguration.RepositoryConfiguration]
    let fleet: any RepositoryFleet
    let health: AgentHealth
    let shelf: ExplanationShelf
    /// `nil`: the configuration has nothing to do with one.
    let cluster: AgentConfiguration.ClusterSettings?
    let view: ClusterView

    // MARK: Policies

    /// - Parameters:
    ///   - subject: a place, an object or an image; `nil` for all places, without their tags.
    ///   - trial: another policy to judge the tags by.
    func explanations(
        in repository: AgentConfiguration.RepositoryConfiguration, of subject: String?, trying trial: PolicyTrial?
    ) async throws(ControlError) -> [Explanation] {
        let query: ExplainQuery
        do throws(AgentError) {
            query = try subject.map { text throws(AgentError) in try ExplainQuery(text) } ?? .everything
        } catch { throw ControlError(.invalidRequest, error.summary, place: "subject", hint: error.hint) }
        try trial?.validate()
        let explainer = try await explainer(for: repository)
        let revision = explainer.known.map { "\($0.commit.id)" } ?? ""
        let key = ExplanationShelf.Key(
            repository: repository.name, revision: revision,
            subject: subject.map { BoundedText.ends(of: $0, limit: 1_000) },
            trial: trial)
        return try await shelf.explanations(key) { () throws(ControlError) in
            try await controlled {
                try await explainer.explain(query, trying: trial, tagLimit: subject == nil ? 0 : Explanation.tagLimit)
            }
        }
    }

    private func explainer(
        for repository: AgentConfiguration.RepositoryConfiguration
    ) async throws(ControlError) -> Explainer {
        guard health.report(of: repository.name) != nil else { throw Self.tooEarly(repository.name) }
        let fleet = fleet
        let reconciler = try await controlled { try await fleet.reconciler(for: repository) }
        guard let head = reconciler.known.head else { throw Self.tooEarly(repository.name) }
        return Explainer(reconciler, at: head)
    }

    private static func tooEarly(_ name: String) -> ControlError {
        ControlError(.unavailable, "no cycle of '\(name)' has read it yet", hint: "try again in a moment")
    }

    // MARK: Cluster

    /// What the cluster runs by the last look; `nil` where there is none.
    func running() async -> RunningWorkloads? {
        guard let cluster else { return nil }
        return await view.latest(of: cluster)
    }

    // MARK: Images

    /// - Parameters:
    ///   - text: a digest, or a reference with its tag.
    ///   - repository: whose builds are looked through; `nil`: those of all, the newest of them.
    func image(_ text: String, of repository: String?) async throws(ControlError) -> ImageDetails {
        let wanted = WantedImage(text)
        guard var details = await find(wanted, of: repository) else {
            throw ControlError(
                .notFound, "the agent knows of no image '\(printable(text))'",
                hint: "it knows those that it pushed itself and that its history still has")
        }
        details.places = await places(of: details)
        return details
    }

    private func find(_ wanted: WantedImage, of repository: String?) async -> ImageDetails? {
        let statuses = health.statuses.filter { repository == nil || $0.repository == repository }
        for status in statuses {
            for image in status.lastImages where wanted.matches(digest: image.digest, names: image.references) {
                var details = ImageDetails(
                    digest: image.digest, references: image.references, repository: status.repository,
                    pipeline: image.pipeline)
                details.build = await build(
                    WantedImage(image.digest), in: [status.repository], limit: Self.ownLimit)
                return details
            }
        }
        guard let build = await build(wanted, in: statuses.map(\.repository), limit: Self.searchLimit),
            let digest = build.digest
        else { return nil }
        let key = build.description.pipeline
        var details = ImageDetails(
            digest: digest, references: build.description.names, repository: key.repository, pipeline: key.pipeline)
        details.build = build
        return details
    }

    /// Records that are read to find one build: of one repository, and where it may be of any.
    private static let (ownLimit, searchLimit) = (200, 2_000)

    private func build(_ wanted: WantedImage, in repositories: [String], limit: Int) async -> BuildRecord? {
        guard let history = fleet.builds.history, !repositories.isEmpty else { return nil }
        let each = max(1, min(Self.ownLimit, limit / repositories.count))
        for repository in repositories.prefix(limit) {
            let found = await history.builds(of: repository, limit: each).first { build in
                build.state == .succeeded
                    && build.digest.map { wanted.matches(digest: $0, names: build.description.names) } == true
            }
            if let found { return found }
        }
        return nil
    }

    /// Where the manifests of the watched repositories' heads have the image.
    private func places(of image: ImageDetails) async -> [ImageDetails.Place] {
        var places: [ImageDetails.Place] = []
        for repository in repositories where health.report(of: repository.name) != nil {
            guard let reconciler = try? await fleet.reconciler(for: repository), let head = reconciler.known.head,
                let tree = try? await reconciler.services.git.revisions.tree(of: head.commit),
                let followed = try? await reconciler.updates.followed(in: tree)
            else { continue }
            for target in followed.targets {
                let written = target.image.description
                guard WantedImage(written).matches(digest: image.digest, names: image.references) else { continue }
                places.append(
                    ImageDetails.Place(
                        repository: repository.name, workload: target.workload.description,
                        container: target.container, file: target.file, line: target.location.line, image: written))
                if places.count >= Self.placeLimit { return places }
            }
        }
        return places
    }

    private static let placeLimit = 500
}

/// An image by its digest, or by a name with its tag.
private struct WantedImage {
    private let digest: String?
    private let location: ImageLocation?

    init(_ text: String) {
        if text.hasPrefix("sha256:") || text.hasPrefix("sha512:") {
            (digest, location) = (text, nil)
        } else {
            let known = try? ImageLocation(text)
            digest = known?.digest?.description
            location = known?.tag == nil ? nil : known
        }
    }

    func matches(digest other: String, names: [String]) -> Bool {
        if let digest { return digest == other }
        guard let location else { return false }
        return names.contains { name in
            guard let one = try? ImageLocation(name) else { return false }
            return one.repository == location.repository && one.tag == location.tag
        }
    }
}
