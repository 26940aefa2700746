import ContentStore
import Diagnostics
import Dockerfile
import OCI
import Registry

/// Finds base images, each once, any number at a time.
actor BaseImages {
    private let request: BuildRequest
    private let registry: RegistryAccess
    private let store: ContentStore
    private var known: [String: Task<Result<ResolvedImage, BuildError>, Never>] = [:]

    init(_ request: BuildRequest, _ registry: RegistryAccess, _ store: ContentStore) {
        self.request = request
        self.registry = registry
        self.store = store
    }

    /// An image by the name that the Dockerfile gives it: one of a registry, and one that this build may use. A Dockerfile is
    /// content, and where images lie on this machine is the business of named contexts.
    func image(_ name: String, platform: BuildPlatform?, at place: SourceLocation) async throws(BuildError) -> BaseImage
    {
        let reference: Reference
        do throws(OCIError) { reference = try Reference(name) } catch {
            var refusal = BuildError(
                .baseImage, "'\(name)' is not the name of an image", place: place.description, from: error)
            if name.hasPrefix("oci:") {
                refusal.summary = "a Dockerfile cannot name an OCI layout, as '\(name)' does"
                refusal.cause = "the path is one of the machine that builds, not of the build context"
                refusal.hint =
                    "give the layout a name with --build-context NAME=oci-layout://DIRECTORY and use that name; in an "
                    + "agent's repository, push the image to a registry"
            }
            throw refusal
        }
        try request.allowedBases?.admit(reference, at: place.description)
        return try await resolve(
            ImageLocation(reference), as: reference.withDefaultTag.description, platform, place)
    }

    /// The image that a named context stands for; `nil` when it is a directory.
    ///
    /// It keeps the name by which the Dockerfile asks for it: where it lies on this machine is nobody's business.
    func namedImage(
        _ name: String, platform: BuildPlatform?, at place: SourceLocation
    ) async throws(BuildError) -> BaseImage? {
        guard case .image(let location)? = request.namedContexts[name] else { return nil }
        let shown = (try? Reference(name))?.withDefaultTag.description ?? name
        return try await resolve(location, as: shown, platform, place)
    }

    private func resolve(
        _ location: ImageLocation, as name: String, _ platform: BuildPlatform?, _ place: SourceLocation
    ) async throws(BuildError) -> BaseImage {
        var wanted = request.platform
        if let platform, let parsed = try? Platform(platform.description) { wanted = parsed }
        let key = "\(wanted) \(location)"
        let task = known[key] ?? Task { [wanted] in await self.find(location, wanted, place) }
        known[key] = task
        let found = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        return BaseImage(name: name, image: try found.get())
    }

    private func find(
        _ location: ImageLocation, _ platform: Platform, _ place: SourceLocation
    ) async -> Result<ResolvedImage, BuildError> {
        let resolved: ResolvedImage?
        do throws(RegistryError) {
            resolved = try await registry.resolve(location, platform: platform, knowing: store)
            try resolved?.checkLayers()
        } catch {
            return .failure(
                BuildError(
                    error.code == .cancelled ? .cancelled : .baseImage, "cannot read the image \(location)",
                    place: place.description, from: error))
        }
        if let resolved { return .success(resolved) }
        return .failure(
            BuildError(
                .baseImage, "there is no image \(location)", place: place.description,
                cause: "the registry does not have it, or hides it from who has no credentials",
                hint: "check the name and the tag; private images need credentials in config.json"))
    }
}
