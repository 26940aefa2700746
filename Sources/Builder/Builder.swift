package import ContentStore
package import OCI
package import Registry
package import Sandbox

/// Makes images from Dockerfiles, without a daemon and, where the kernel allows it, without privileges.
///
/// A build is a plan (values), the plan's execution (files in the state directory) and an image in the local store; only
/// `push` touches a registry. Any number of builds may run at once, also in several processes over one state directory.
package struct Builder: Sendable {
    let store: BuildStore
    private(set) var registry: RegistryAccess
    package let isolation: Isolation
    private(set) var fetcher: (any RemoteSourceFetcher)?
    /// What is kept, and how much of the disk stays free.
    package private(set) var limits = StoreLimits()
    let unpackLimit: UnpackLimit
    /// The root for isolation in place, and what in it is neither removed nor replaced, besides mounts.
    let inPlace: (root: String, kept: [String])

    /// Opens the builder's part of the state directory, and removes what killed builds left there.
    ///
    /// - Parameters:
    ///   - isolation: asked when the first step has to be run.
    ///   - unpackLimit: bytes that a compressed layer of a base image, or an archive of ADD or a context, may unpack to;
    ///     `nil`: 200 times its size, 1 GiB at least.
    ///   - fetcher: gets what ADD and named contexts take from other machines; without it they are refused.
    ///   - inPlaceRoot: the directory that steps in place have as their root; all in it is removed.
    ///   - keptPaths: what stays in that root all the same: absolute paths of files and directories.
    package init(
        stateDirectory: String, registry: RegistryAccess, isolation: Isolation,
        unpackLimit: Int64? = nil, fetcher: (any RemoteSourceFetcher)? = nil, inPlaceRoot: String = "/",
        keptPaths: [String] = []
    ) throws(BuildError) {
        self.unpackLimit = UnpackLimit(wanted: unpackLimit)
        inPlace = (inPlaceRoot, keptPaths)
        store = try BuildStore(path: stateDirectory, canChown: isolation.canChown)
        self.registry = registry
        self.isolation = isolation
        self.fetcher = fetcher
    }

    /// A builder that knows already what the machine allows.
    package init(
        stateDirectory: String, registry: RegistryAccess, report: IsolationReport,
        unpackLimit: Int64? = nil, fetcher: (any RemoteSourceFetcher)? = nil, inPlaceRoot: String = "/"
    ) throws(BuildError) {
        try self.init(
            stateDirectory: stateDirectory, registry: registry, isolation: Isolation(report), unpackLimit: unpackLimit,
            fetcher: fetcher, inPlaceRoot: inPlaceRoot)
    }

    /// The same builder, over the same store, that fetches with another's rights.
    package func with(fetcher: any RemoteSourceFetcher) -> Builder {
        var copy = self
        copy.fetcher = fetcher
        return copy
    }

    /// The same builder, that looks for each base image once; to ask for many content keys within a short time.
    ///
    /// - Parameter changing: repositories that get new images meanwhile.
    package func rememberingImages(butOf changing: Set<RepositoryLocation>) -> Builder {
        var copy = self
        copy.registry = registry.rememberingImages(butOf: changing)
        return copy
    }

    /// The same builder, that keeps another amount.
    package func with(limits: StoreLimits) -> Builder {
        var copy = self
        copy.limits = limits
        return copy
    }

    /// The blobs that builds and pulls left on this machine.
    package var content: ContentStore { store.content }

    /// Builds an image into the local store. Nothing is pushed, and a failure leaves nothing behind.
    package func build(
        _ request: BuildRequest, progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> BuiltImage {
        try await withRoom(progress) { () async throws(BuildError) in
            // What is looked at stays from here on.
            let use = try store.lease.use()
            defer { withExtendedLifetime(use) {} }
            return try await buildOnce(request, progress: progress)
        }
    }

    private func buildOnce(
        _ request: BuildRequest, progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> BuiltImage {
        let contexts = try PlanContexts(request, builder: self)
        let plan = try await planner(request, contexts).plan()
        let request = request.dated(plan.sourceDate)
        if request.stepMemoryLimit != nil, case .failure(let refusal) = DelegatedControlGroup.own {
            progress(
                .note("the memory of RUN steps is not bounded by builds.stepMemory (--step-memory): \(refusal.reason)"))
        }
        var scheduler = StageScheduler(
            request: request, plan: plan, contexts: contexts, builder: self, progress: progress)
        do throws(BuildError) {
            return try await scheduler.image()
        } catch {
            guard error.code == .cache, request.remoteCache?.isRead == true else { throw error }
            progress(.note("the step cache is not used: \(error.summary)" + (error.cause.map { ": \($0)" } ?? "")))
            scheduler.request.remoteCache?.isRead = false
            return try await scheduler.image()
        }
    }

    /// What the image would be made from, without making it: reads the Dockerfile, the selected part of the context, and
    /// the manifests and configurations of base images.
    package func contentKey(_ request: BuildRequest) async throws(BuildError) -> ContentKey {
        try await retryingWithRoom({ _ in }) { () async throws(BuildError) in
            let use = try store.lease.use()
            defer { withExtendedLifetime(use) {} }
            let contexts = try PlanContexts(request, builder: self)
            let plan = try await planner(request, contexts).plan()
            return try await ContentKey(of: plan, request, contexts)
        }
    }
}

extension BuildRequest {
    /// `SOURCE_DATE_EPOCH` sets the image's time, as a build argument or as an ARG before the first FROM:
    /// https://reproducible-builds.org/docs/source-date-epoch/
    func sourceDate(orElse fallback: String?) throws(BuildError) -> Int64? {
        let given = buildArguments.last { $0.0 == "SOURCE_DATE_EPOCH" }?.1
        guard let text = given ?? fallback, !text.isEmpty else { return nil }
        if text == "context", hasContentDate { return createdAt }
        guard let seconds = Int64(text), (0...253_402_300_799).contains(seconds) else {
            throw BuildError(
                .dockerfile, "SOURCE_DATE_EPOCH is '\(text)'",
                hint: text == "context"
                    ? "this context has no date of its own; a git repository has that of its commit"
                    : "write the seconds since 1970, such as 1700000000")
        }
        return seconds
    }

    func dated(_ sourceDate: Int64?) -> BuildRequest {
        guard let sourceDate else { return self }
        var copy = self
        copy.date(by: sourceDate)
        return copy
    }

    /// The last value of a build argument.
    func buildArgument(_ name: String) -> String? { buildArguments.last { $0.0 == name }?.1 }
}

extension Builder {
    func planner(_ request: BuildRequest, _ contexts: PlanContexts) -> Planner {
        Planner(request, contexts: contexts, registry: registry, content: store.content)
    }

    /// Another module's error, under what the build wanted from it.
    func explained<Value>(
        _ summary: String, _ body: () async throws(RegistryError) -> Value
    ) async throws(BuildError) -> Value {
        do throws(RegistryError) { return try await body() } catch {
            throw BuildError(error.code == .cancelled ? .cancelled : .registry, summary, from: error)
        }
    }

    func storing(_ body: () throws(ContentStoreError) -> Void) throws(BuildError) {
        do throws(ContentStoreError) { try body() } catch { throw BuildError(.storage, from: error) }
    }
}

extension Task where Success == Never, Failure == Never {
    /// As `checkCancellation`, with the build's own error.
    package static func checkBuildCancellation() throws(BuildError) {
        if isCancelled { throw BuildError(.cancelled, "the build was cancelled") }
    }
}
