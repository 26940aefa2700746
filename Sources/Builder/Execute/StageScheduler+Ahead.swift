import Blocking
import ContentStore
import OCI
import Registry

extension StageScheduler {
    /// Where no step can be known, all have to be done: the base images that they need are fetched and unpacked while the
    /// contexts are read.
    func unpackAhead(_ bases: BaseFetcher, _ scratch: ScratchDirectory) -> Task<Void, Never>? {
        let asksOthers = request.remoteCache?.isRead ?? false
        guard request.noCache || (!asksOthers && builder.store.steps.isEmpty) else { return nil }
        var wanted: [Digest: BaseImage] = [:]
        for stage in plan.stages where plan.looksIntoFiles(of: stage.index) {
            if case .image(let base) = stage.base { wanted[base.image.manifestDigest] = base }
        }
        guard !wanted.isEmpty else { return nil }
        return Task { [wanted] in
            for base in wanted.values { try? await bases.begin(base) }
            for base in wanted.values { await bases.unpack(base, scratch) }
        }
    }

    /// The image's date: the moment of the build, unless another one was asked for, or the image was made before.
    ///
    /// - Parameter steps: what was done for it.
    func date(of key: ContentKey, _ steps: [StepOutcome]) async -> Int64 {
        guard !request.hasFixedDate else { return request.createdAt }
        let (dates, now) = (builder.store.dates, request.createdAt)
        let isKnown = !steps.contains { $0.source == .made }
        return await runBlocking {
            if isKnown, let known = dates.date(of: key) { return known }
            dates.remember(now, of: key)
            return now
        }
    }

    /// The next build need not ask for the configurations of the images that this one stands on.
    func keepConfigurations() async {
        let content = builder.store.content
        let images = plan.stages.compactMap { if case .image(let base) = $0.base { base.image } else { nil } }
        await runBlocking {
            for image in images where !content.contains(image.manifest.config.digest) {
                _ = try? content.add(image.configBytes)
            }
        }
    }
}
