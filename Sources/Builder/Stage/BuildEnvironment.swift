import OCI

/// What a build is given, and what its stages share while it is under way.
struct BuildEnvironment: Sendable {
    let request: BuildRequest
    let plan: BuildPlan
    let contexts: PlanContexts
    /// The store, the registries and what the machine allows.
    let builder: Builder
    /// Removed with all that is in it when the build is over.
    let scratch: ScratchDirectory
    let bases: BaseFetcher
    /// The stages that are there, and the places for steps.
    let board: StageBoard
    /// The cache that other machines share.
    let remote: RemoteStepCache?

    var store: BuildStore { builder.store }

    /// The directories of `RUN --mount=type=cache`.
    var caches: CacheMounts { CacheMounts(in: store.cachesFolder, namespace: request.cacheNamespace) }
}
