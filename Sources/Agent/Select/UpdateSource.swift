import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// One dialect in which a repository says what is to be followed. It turns facts into questions, and answers into choices;
/// asking, holding back, telling and failing are `ImageSelector`'s, the same for all.
protocol UpdateSource: Sendable {
    associatedtype Item: Sendable

    /// What is followed, in the order of the files.
    var items: [Item] { get }
    /// What messages call an item.
    func subject(of item: Item) -> String
    /// What is written there, where that is known without a look into a file.
    func written(at item: Item) -> String?
    /// Who decides, with its place, for explanations.
    func decider(of item: Item) -> String?
    /// What a person could do for an item to be updated; `nil` when that depends on what the registries have.
    func remedy(for item: Item) -> String?
    /// Why nothing may be written there, whatever the registries have.
    func hold(on item: Item) -> HoldReason?
    /// What is to be known for an item.
    func inquiry(for item: Item) async throws(AgentError) -> Inquiry
    /// What the place will say.
    func outcome(for item: Item, _ asked: Inquiry.Asked, _ chosen: ChosenTag) throws(AgentError) -> SelectionOutcome
}

extension UpdateSource {
    func hold(on item: Item) -> HoldReason? { nil }

    func written(at item: Item) -> String? { nil }

    func decider(of item: Item) -> String? { nil }

    func remedy(for item: Item) -> String? { nil }
}

extension UpdateSource where Item == ImageTarget {
    func written(at target: ImageTarget) -> String? { target.image.description }

    func decider(of target: ImageTarget) -> String? {
        switch target.source {
        case .flux1Annotation: "the annotations of \(target.workload), \(target.file)"
        case .keel(let keel): "Keel's policy '\(keel.text)' on \(target.workload), \(target.file)"
        case .flux2Marker(let namespace, let name):
            "the image policy \(namespace):\(name), named by the marker at \(target.file):\(target.location.line)"
        }
    }

    func remedy(for target: ImageTarget) -> String? {
        let id = target.workload
        return switch target.held {
        case .locked?: "unlock it: 'slipway unlock -w \(id)'"
        case .ignored?: "take the annotation fluxcd.io/ignore away"
        case .unannotated?, .notAutomated?: "automate it: 'slipway automate -w \(id)'"
        case .notAnImage?: "write REPOSITORY:TAG there"
        case .shared?: "write the image out in both places"
        case .leftOut?, .encrypted?, .imagePolicy?, nil: nil
        }
    }

    func hold(on target: ImageTarget) -> HoldReason? {
        if case .encrypted? = target.held { target.held } else { nil }
    }
}

/// What a dialect makes of an item.
enum Inquiry: Sendable {
    /// There is nothing to ask, for this reason.
    case left(String)
    /// A person switched it off: a lock, a suspended object.
    case paused(String)
    case ask(Asked)

    struct Asked: Sendable {
        var question: ImageQuestion
        /// Where the answer goes.
        let place: ManifestEdit.Place
    }
}

/// A tag that a policy chose and nothing holds back.
struct ChosenTag: Sendable {
    let tag: String
    let digest: Digest?
    let reason: String
}

/// Errors of texts in manifests, with their places.
enum Written {
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
    static func location(
        _ image: WrittenReference, at place: SourceLocation
    ) throws(AgentError) -> ImageLocation {
        try location(image.description, at: place)
    }

    static func location(_ text: String, at place: SourceLocation) throws(AgentError) -> ImageLocation {
        do {
            return ImageLocation(try Reference(text))
        } catch {
            throw AgentError(
                "'\(text)' is no image reference", place: place.description,
                cause: error.cause ?? error.summary, hint: "write REPOSITORY:TAG")
        }
    }

    static func policy(
        at place: SourceLocation, _ body: () throws(PolicyError) -> ImagePolicy
    ) throws(AgentError) -> ImagePolicy {
        do {
            return try body()
        } catch {
            throw AgentError(error.summary, place: place.description, cause: error.cause, hint: error.hint)
        }
    }
}
