import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// The images of Argo CD's Applications, as Argo CD Image Updater would update them.
///
/// Where the updater would patch the live Application (the method `argocd`, its default), the Application's manifest is
/// edited: the repository is the truth.
struct ArgoApplications: UpdateSource {
    let items: [ArgoImage]
    let places: ArgoPlaceFinder
    let remote: any GitRemote

    func subject(of item: ArgoImage) -> String { "\(ArgoFollowing.name(of: item.application)) \(item.alias)" }

    func decider(of item: ArgoImage) -> String? {
        switch item.decider {
        case .annotations: "Argo CD Image Updater's annotations on \(item.application.workload), \(item.location)"
        case .updater(let updater): "Argo CD's \(updater)"
        }
    }

    func inquiry(for item: ArgoImage) async throws(AgentError) -> Inquiry {
        if let held = item.held { return .left(held) }
        let policy = try item.policy()
        let strategy = try item.knownStrategy()
        let place: ArgoPlace
        switch try places.place(of: item) {
        case .left(let reason): return .left(reason)
        case .found(let found): place = found
        }
        let old = try await written(at: place)
        let location = try Written.location(item.image.name, at: item.location)
        if let old, !old.name.isEmpty, let other = try? Written.location(old.name, at: item.location),
            other.repository != location.repository, !ArgoPlace.isShort(old.name, of: item.image.name)
        {
            return .left(
                "not updated: \(place.file) has the image \(old.name), and \(item.image.name) is what is followed")
        }
        if old == nil, let twin = try await twin(at: place, location.repository, item) {
            return .left(
                "not updated: \(place.file) has the image as \(twin); write that name instead of \(item.image.name)")
        }
        var question = ImageQuestion(
            image: ImageLocation(repository: location.repository, tag: old?.tag), policy: policy)
        question.needsDigest = strategy == .digest || old?.digest != nil
        // The others go by names alone, and look at no manifest.
        if strategy.readsManifests {
            question.anyPlatform = try Written.platforms(item.platforms, at: item.location)
        }
        return .ask(Inquiry.Asked(question: question, place: .argo(place, old: old)))
    }

    func outcome(
        for item: ArgoImage, _ asked: Inquiry.Asked, _ chosen: ChosenTag
    ) throws(AgentError) -> SelectionOutcome {
        guard case .argo(_, let old) = asked.place else { return .left("no application") }
        let tag = chosen.tag
        var new = WrittenReference(name: item.image.name, tag: tag)
        if asked.question.needsDigest {
            guard let digest = chosen.digest else { return .left("not updated: the digest of \(new) is not known") }
            new.digest = digest.description
        }
        if let old, old.tag == new.tag, old.digest == new.digest,
            old.name.isEmpty || old.name == new.name || ArgoPlace.isShort(old.name, of: new.name)
        {
            return .left("nothing to update: \(tag) runs already and is \(chosen.reason)")
        }
        return .chosen(
            ImageChoice(
                place: asked.place, tag: tag, newImage: new, reason: chosen.reason,
                writeBack: places.writeBack(of: item)))
    }

    /// An entry of a kustomization for the same image in another spelling: Kustomize and the updater compare texts.
    private func twin(
        at place: ArgoPlace, _ repository: RepositoryLocation, _ item: ArgoImage
    ) async throws(AgentError) -> String? {
        guard place.holder == .kustomization, let entry = places.tree.file(place.file) else { return nil }
        let bytes = try await remote.read(entry, limit: UpdateRequest.sizeLimit)
        return ManifestUpdater.names(ofKustomization: bytes, file: place.file).first {
            (try? Written.location($0, at: item.location))?.repository == repository
        }
    }

    private func written(at place: ArgoPlace) async throws(AgentError) -> WrittenReference? {
        guard let entry = places.tree.file(place.file) else { return nil }
        return ManifestUpdater.image(at: place, in: try await remote.read(entry, limit: UpdateRequest.sizeLimit))
    }
}
