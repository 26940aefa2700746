import OCI
import Registry

/// A step that is looked for: what it does, where it stands, and on what.
struct StepQuery {
    let step: PlannedStep
    let site: StepSite
    let layers: StageLayers
}

/// Decides for one stage whether a step's layer was made before, here or elsewhere, and tells why where it was not.
final class CacheLookup {
    enum Answer {
        case known(Hit)
        case missing(Miss)
    }

    struct Hit {
        let layer: BuiltImage.Layer
        let source: StepOutcome.Source
        fileprivate let key: StepKey
        fileprivate let entry: StepCache.Entry
    }

    struct Miss {
        /// Why, where it was asked for.
        let reason: String?
        fileprivate let key: StepKey
    }

    private let build: BuildEnvironment
    /// Layers of the shared cache that were not looked into yet, by their chain ids.
    private var unproved: [Digest: Hit] = [:]

    init(_ build: BuildEnvironment) { self.build = build }

    private var request: BuildRequest { build.request }

    /// What a key is made of is only wanted in words where it is written down.
    private var recordsAll: Bool { build.remote != nil || request.explainsCache }

    // MARK: Asking

    func answer(_ query: StepQuery) async throws(BuildError) -> Answer {
        let key = try await key(of: query, isRecorded: recordsAll)
        let isLookedFor = !request.noCache && request.caches(query.step)
        if isLookedFor, let hit = await known(key, query) { return .known(hit) }
        guard request.explainsCache else { return .missing(Miss(reason: nil, key: key)) }
        let reason = await explain(key, at: query.site, isLookedFor: isLookedFor)
        return .missing(Miss(reason: reason, key: key))
    }

    private func known(_ key: StepKey, _ query: StepQuery) async -> Hit? {
        if let entry = build.store.steps.layer(for: key) {
            let layer = BuiltImage.Layer(entry, .built, of: query.step)
            return Hit(layer: layer, source: .local, key: key, entry: entry)
        }
        guard let remote = build.remote, let entry = await remote.layer(for: key) else { return nil }
        let layer = BuiltImage.Layer(entry, .cache(remote.repository), of: query.step)
        return Hit(layer: layer, source: .remote, key: key, entry: entry)
    }

    private func explain(_ key: StepKey, at site: StepSite, isLookedFor: Bool) async -> String {
        guard isLookedFor else { return "it was not looked for" }
        let records = build.store.records
        if records.record(for: key) != nil { return "it was made before, but its layer is not kept any more" }
        var old = records.nearest(to: key.record)
        if let known = await build.remote?.record(at: site),
            key.record.likeness(to: known) > old.map(key.record.likeness) ?? 0
        {
            old = known
        }
        guard let old else { return "nothing like it was made before" }
        return key.record.difference(from: old) ?? "its layer is not kept any more"
    }

    private func key(of query: StepQuery, isRecorded: Bool) async throws(BuildError) -> StepKey {
        let (step, layers) = (query.step, query.layers)
        var names: [Int: String] = [:]
        for other in step.stages {
            names[other] = try await build.board.result(of: other).layers.chain.map { "\($0)" } ?? "scratch"
        }
        // What layers may tell is part of what is asked for; the times that files have are not.
        var ground = StepGround(chain: layers.chain, recordLimit: layers.recordLimit)
        ground.base = layers.base.map { "\($0.name)@\($0.image.manifestDigest)" }
        if case .copy(let copy) = step.action, !copy.hasTimes(in: request) { ground.linkedOn = layers.ownChain }
        return try await StepKey(
            step, at: query.site, on: ground,
            // A layer that was made with a warning is not what somebody wants who asks for none.
            variant: request.layerVariant + (build.plan.failsOnWarnings && !step.checks.isEmpty ? ["strict"] : []),
            isRecorded: isRecorded,
            hasher: StepHasher(
                plan: build.plan, contexts: build.contexts, stageNames: names, countsReaders: true,
                cacheNamespace: request.cacheNamespace))
    }

    // MARK: Telling

    /// A layer that was found is part of the stage now.
    ///
    /// - Parameter chain: the name of the stage's layers with it.
    func take(_ hit: Hit, as chain: Digest?, of query: StepQuery) async {
        switch hit.source {
        case .local:
            build.store.records.touch(hit.key)
            await build.remote?.offer(hit.entry, key: hit.key, record: nil, site: nil, text: query.step.text)
        case .remote:
            if let chain { unproved[chain] = hit }
        case .made: break
        }
    }

    /// The layer of that name could be unpacked: the shared cache told the truth, and the next build need not ask it.
    func prove(_ chain: Digest) {
        guard let hit = unproved.removeValue(forKey: chain) else { return }
        build.store.steps.remember(hit.entry, for: hit.key)
        build.store.records.remember(hit.key.record, for: hit.key)
    }

    /// The key under which the layer will be kept that has to be made, with what it is made of in words.
    func key(for miss: Miss, of query: StepQuery) async throws(BuildError) -> StepKey {
        recordsAll ? miss.key : try await key(of: query, isRecorded: true)
    }

    /// A layer was made.
    func remember(_ entry: StepCache.Entry, for key: StepKey, of query: StepQuery) async {
        build.store.steps.remember(entry, for: key)
        build.store.records.remember(key.record, for: key)
        await build.remote?.offer(entry, key: key, record: key.record, site: query.site, text: query.step.text)
    }
}

extension BuiltImage.Layer {
    /// The layer of a step.
    init(_ entry: StepCache.Entry, _ origin: Origin, of step: PlannedStep) {
        self.init(
            descriptor: entry.descriptor, diffID: entry.diffID, origin: origin,
            createdBy: step.history?.createdBy ?? step.text, times: entry.times)
    }
}

extension BuildRequest {
    fileprivate func caches(_ step: PlannedStep) -> Bool { step.isRun ? cachesRuns : cachesCopies }

    /// What layers depend on beside the steps; empty for the usual.
    fileprivate var layerVariant: [String] {
        (compression.keyText.map { [$0] } ?? [])
            + ignoredPaths.map { "without " + ImagePath($0).text }.sorted()
    }
}
