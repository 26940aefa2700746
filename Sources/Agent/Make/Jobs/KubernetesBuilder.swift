import Builder
import Cluster
import Git
import JSON
import OCI
import Registry

/// Has images made by Jobs in the cluster. All that takes no build is done here: content keys, names, what registries hold.
struct KubernetesBuilder: ImageBuilding {
    /// The builder of this process.
    let local: any ImageBuilding
    let cluster: BuildCluster
    let repository: AgentConfiguration.RepositoryConfiguration

    func contentKey(_ request: BuildRequest) async throws(BuildError) -> ContentKey {
        try await local.contentKey(request)
    }

    func forDecisions(whileChanging changing: Set<RepositoryLocation>) -> any ImageBuilding {
        local.forDecisions(whileChanging: changing)
    }

    func stored(
        _ digest: Digest, in repository: RepositoryLocation, annotations: [String: String]
    ) async throws(BuildError) -> any PushableImage {
        try await local.stored(digest, in: repository, annotations: annotations)
    }

    func holder(of name: ImageLocation) async throws(BuildError) -> TagHolder? { try await local.holder(of: name) }

    func collectGarbage(olderThan age: Duration?, now: Int64) async -> Int64? {
        await local.collectGarbage(olderThan: age, now: now)
    }

    // MARK: Building

    func build(
        _ order: BuildOrder, progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> any PushableImage {
        let manifest = try await manifest(for: order)
        let store = JobStore(client: cluster.client, namespace: cluster.namespace)
        for name in try await store.removeSuperseded(by: manifest.identity) {
            progress(.note("the Job \(name) is deleted: it builds an older revision"))
        }
        while true {
            let (end, isNew) = try await finished(manifest, store, progress)
            do throws(BuildError) {
                return try await image(of: end, for: order)
            } catch {
                // A Job of an earlier process, whose result or image is gone by now.
                let isGone = await isMissing(error, order)
                guard !isNew, end.isLost || isGone else { throw error }
                progress(.note("the \(end.state.shown) is of no use any more: \(error.summary); it is made again"))
                do throws(ClusterError) { try await store.remove(end.state.name, uid: end.state.uid) } catch {
                    throw BuildError(error, "cannot remove the Job of an earlier build")
                }
            }
        }
    }

    /// Whether an image cannot be had because it is not there, and not because the registry cannot be asked.
    private func isMissing(_ error: BuildError, _ order: BuildOrder) async -> Bool {
        guard error.code == .registry, let name = order.names.first else { return false }
        do throws(BuildError) {
            _ = try await local.holder(of: name)
            return true
        } catch {
            return false
        }
    }

    /// Makes or finds the Job, and waits for its end.
    private func finished(
        _ manifest: JobManifest, _ store: JobStore, _ progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> (end: JobRun.End, isNew: Bool) {
        do throws(BuildError) {
            let (job, isNew) = try await store.job(manifest)
            progress(.note("\(isNew ? "created" : "found") the \(job.shown)"))
            if job.end == nil { try await store.start(job, manifest) }
            let run = JobRun(client: cluster.client, template: cluster.template, progress: progress)
            let end = try await run.wait(for: job)
            if case .failure = end.result, isNew || !end.isLost { await settle(end, store) }
            return (end, isNew)
        } catch {
            // A leaving agent's Job goes on; the next process adopts it.
            if error.code == .cancelled || Task.isCancelled, await !cluster.isLeaving() {
                // Whoever is cancelled sends no requests.
                await Task { try? await store.remove(manifest.identity.name, uid: nil) }.value
            }
            throw error
        }
    }

    /// A Job that failed stays for people to look at until its time is over; one that did not even start would start later.
    private func settle(_ end: JobRun.End, _ store: JobStore) async {
        if end.state.end == nil, end.state.finalResult == nil {
            try? await store.remove(end.state.name, uid: end.state.uid)
        } else {
            await store.markCounted(end.state)
        }
    }

    private func manifest(for order: BuildOrder) async throws(BuildError) -> JobManifest {
        let identity = JobIdentity(
            PipelineKey(repository: repository.name, pipeline: order.pipeline.name), url: repository.url,
            branch: repository.branch, contentKey: order.key.description)
        let secrets = try await JobSecrets.read(
            git: repository.git ?? cluster.configuration.git, of: repository.url, keychain: cluster.keychain,
            for: await repositories(of: order))
        let writer = JobCommandWriter(repository: repository, configuration: cluster.configuration)
        return JobManifest(
            identity: identity, template: cluster.template, command: try writer.command(for: order, with: secrets),
            revision: "\(order.revision.id)", platform: order.request.platform)
    }

    /// The repositories of images that a build reads and writes.
    private func repositories(of order: BuildOrder) async -> Set<RepositoryLocation> {
        var found = Set(order.names.map(\.repository))
        if let cache = order.request.remoteCache { found.insert(cache.repository) }
        guard let dockerfile = await order.request.dockerfileText(),
            let bases = order.pipeline.sources(inDockerfile: dockerfile)
        else { return found }
        for base in bases { found.formUnion(cluster.readable(base)) }
        return found
    }

    /// The image that a Job made, as the registry has it.
    private func image(of end: JobRun.End, for order: BuildOrder) async throws(BuildError) -> any PushableImage {
        let result = try end.result.get()
        guard let digest = result.digest.flatMap({ try? Digest($0) }), let repository = order.names.first?.repository
        else { throw BuildError(job: end.state, "the Job's result cannot be read", isTransient: true) }
        let image = try await local.stored(digest, in: repository, annotations: [:])
        let key = image.annotations[Annotation.contentKey]
        guard key == order.key.description else {
            await JobStore(client: cluster.client, namespace: cluster.namespace).markCounted(end.state)
            var error = BuildError(
                job: end.state, "the Job made another image than was asked for", isTransient: true)
            error.cause = "its content key is \(key ?? "missing"), not \(order.key)"
            error.hint = "'cluster.builds.image' should be of the agent's own version (\(Version.text))"
            throw error
        }
        return JobImage(image: image, layers: end.layers, isolation: result.isolation)
    }
}

/// An image that a Job made.
private struct JobImage: PushableImage {
    let image: any PushableImage
    let layers: [CycleReport.Layer]
    let isolation: String?

    var digest: Digest { image.digest }
    var annotations: [String: String] { image.annotations }

    func upload(
        to names: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) { try await image.upload(to: names, progress: progress) }

    func claim(
        _ name: ImageLocation, unless isKept: @escaping @Sendable (TagHolder) -> Bool
    ) async throws(BuildError) -> TagClaim { try await image.claim(name, unless: isKept) }
}

extension JobRun.End {
    /// As `slipway build --output json` prints them.
    fileprivate var layers: [CycleReport.Layer] {
        printed["layers"].items.compactMap { layer in
            layer["digest"].text.map {
                CycleReport.Layer(
                    digest: $0, size: layer["size"].integer ?? 0, createdBy: layer["createdBy"].text ?? "")
            }
        }
    }
}
