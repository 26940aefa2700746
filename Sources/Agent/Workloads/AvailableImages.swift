import Blocking
import Diagnostics
import Git
package import ManifestUpdater
package import OCI
package import RegistryPoller

/// The images that a repository's workloads could run, each registry repository looked at once.
package struct AvailableImages: Sendable {
    private var inventories: [RepositoryLocation: TagInventory] = [:]
    private var problems: [RepositoryLocation: String] = [:]
    /// What the images' texts say, each read once. Wrong ones are missing.
    private var locations: [WrittenReference: RepositoryLocation] = [:]
    private var history = BranchHistory([])

    init() {}

    /// Lists the repositories of these images, several at once. One that cannot be asked has no images and a reason.
    package init(of images: [WrittenReference], from poller: RegistryPoller, history: BranchHistory) async {
        self.history = history
        for image in Set(images) { locations[image] = Self.location(image) }
        let locations = Array(Set(self.locations.values))
        let answers = await concurrentMap(locations, width: 4) { location -> Result<TagInventory, PollError> in
            do throws(PollError) {
                return .success(try await poller.scan(location, needsCreationTime: true))
            } catch {
                return .failure(error)
            }
        }
        for (location, answer) in zip(locations, answers) {
            switch answer {
            case .success(let inventory): inventories[location] = inventory
            case .failure(let error): problems[location] = error.summary + (error.cause.map { ": \($0)" } ?? "")
            }
        }
    }

    /// A manifest's image is one of a registry, never a directory of this machine.
    private static func location(_ image: WrittenReference) -> RepositoryLocation? {
        (try? Reference(image.description)).map { ImageLocation($0).repository }
    }

    package func problem(of image: WrittenReference) -> String? { locations[image].flatMap { problems[$0] } }

    private func inventory(of image: WrittenReference) -> TagInventory? {
        locations[image].flatMap { inventories[$0] }
    }

    /// The image's tags as a policy takes them: images that the agent built in the order of their commits.
    private func candidates(for image: WrittenReference) -> [TagCandidate] {
        CandidateOrder.candidates(inventory(of: image)?.tags ?? [], position: history.position)
    }

    /// What a filter chooses, whatever runs now: a release may go back.
    package func latest(for image: WrittenReference, filter: String) throws(PolicyError) -> (
        tag: String, digest: Digest?
    )? {
        let policy = try ImagePolicy.parse(filter)
        let chosen = policy.select(from: candidates(for: image), current: nil, allowDowngrade: true, explaining: false)
        guard let tag = chosen.tag else { return nil }
        return (tag, inventory(of: image)?.tags.first { $0.tag == tag }?.digest)
    }

    /// All images, the one that the filter's order puts first at the front; those without a version, or a time, last.
    package func sorted(for image: WrittenReference, filter: String) -> [TagRecord] {
        guard let tags = inventory(of: image)?.tags else { return [] }
        var ranks: [String: Int] = [:]
        for candidate in candidates(for: image) { ranks[candidate.tag] = candidate.rank }
        func newer(_ left: TagRecord, _ right: TagRecord) -> Bool {
            if let first = ranks[left.tag], let second = ranks[right.tag], first != second { return first > second }
            let (first, second) = (left.created ?? .min, right.created ?? .min)
            return first == second ? left.tag < right.tag : first > second
        }
        guard filter.hasPrefix("semver:") else { return tags.sorted(by: newer) }
        let versions = Dictionary(
            tags.compactMap { record in SemanticVersion(running: record.tag).map { (record.tag, $0) } },
            uniquingKeysWith: { first, _ in first })
        return tags.sorted { left, right in
            switch (versions[left.tag], versions[right.tag]) {
            case (let first?, let second?) where first != second: first > second
            case (_?, _?): left.tag.utf8.count > right.tag.utf8.count
            case (_?, nil): true
            case (nil, _?): false
            case (nil, nil): newer(left, right)
            }
        }
    }
}
