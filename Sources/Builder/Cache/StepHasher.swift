import OCI
import Registry

/// Hashes what a step does and what it takes: for the key of a whole plan, and for the keys of its steps.
struct StepHasher {
    let plan: BuildPlan
    let contexts: PlanContexts
    /// What stands for another stage: its number in the plan's key, its content in a step's.
    let stageNames: [Int: String]
    /// Whether a file that is not fetched, because its checksum is known, counts by who may fetch it: a layer that was made from
    /// it is found again by those alone. What an image is made from does not change with a token.
    let countsReaders: Bool
    /// Whose cache mounts a step would get; `nil` in the plan's key, which is compared within one repository only.
    var cacheNamespace: String?

    func add(_ step: PlannedStep, to hasher: inout KeyHasher) async throws(BuildError) {
        hasher.add(step.history?.createdBy)
        hasher.note(.text, "", step.text)
        switch step.action {
        case .metadata: hasher.add("metadata")
        case .workdir(let path, let user):
            hasher.add(["workdir", path, user])
            hasher.note(.part, "the working directory", path)
            hasher.note(.part, "the user", user)
        case .copy(let copy): try await add(copy, step, to: &hasher)
        case .run(let run):
            do throws(BuildError) { try await add(run, to: &hasher) } catch { throw error.at(step.location) }
        }
    }

    private func add(_ copy: CopyStep, _ step: PlannedStep, to hasher: inout KeyHasher) async throws(BuildError) {
        hasher.add([
            "copy", copy.destination, copy.owner ?? "", "\(copy.unpacks)", "\(copy.isLinked)", "\(copy.keepsParents)",
        ])
        hasher.add(copy.mode.map { "\($0)" })
        hasher.note(.part, "the destination", copy.destination)
        hasher.note(.part, "the owner", copy.owner ?? "")
        hasher.note(.part, "the mode", copy.mode.map { "\($0)" } ?? "")
        for source in copy.sources { try await add(source, of: step, to: &hasher) }
        hasher.add(copy.excludes)
        for file in copy.inlineFiles {
            hasher.add(file.name)
            hasher.add(file.content)
            hasher.note(
                .file, file.name, "file - \(Digest.sha256(of: file.content).encoded.prefix(12))")
        }
        guard copy.takesFromOrigin, let source = try await contextSource(copy.origin, to: &hasher) else { return }
        do throws(BuildError) {
            let selection = ContentSelection.Request(copy)
            if hasher.record == nil, let known = await contexts.selected[selection] {
                hasher.add("\(known)")
                return
            }
            // A hash of its own, so that the plan's key and the step's look at the files once.
            var files = KeyHasher()
            files.record = hasher.record
            var content = ContentSelection(source: source)
            try await content.add(selection, to: &files)
            hasher.record = files.record
            let digest = files.finish()
            await contexts.remember(digest, of: selection)
            hasher.add("\(digest)")
        } catch {
            throw error.at(step.location)
        }
    }

    /// Files from elsewhere count by their content, and repositories by their commit, not by where they are from.
    private func add(
        _ source: CopyStep.Source, of step: PlannedStep, to hasher: inout KeyHasher
    ) async throws(BuildError) {
        do throws(BuildError) {
            switch source {
            case .path(let text):
                hasher.add(text)
                hasher.note(.part, "the source \(text)", "")
            case .url(let url, let checksum, let unpacks):
                hasher.add(["url", RemoteName.fileName(of: url) ?? "", "\(unpacks)"])
                if let checksum {
                    hasher.add("\(checksum)")
                    if countsReaders, let reader = contexts.remote.reader(of: url) { hasher.add("for \(reader)") }
                } else {
                    let file = try await contexts.remote.file(url)
                    hasher.add("\(file.digest)")
                    hasher.note(.file, RemoteName.shown(url), "file - \(file.digest.encoded.prefix(12))")
                    hasher.add(file.modified)
                }
            case .git(let locator, let keepsGitDirectory):
                let tree = try await contexts.remote.tree(locator, keepsGitDirectory: keepsGitDirectory)
                hasher.note(.file, tree.context.displayName, "commit - \(tree.commit)")
                hasher.add([
                    "git", tree.commit, locator.folder, "\(keepsGitDirectory)", "\(locator.fetchesSubmodules)",
                    "\(locator.usesCommitTime)", keepsGitDirectory ? "\(locator.reference ?? "")" : "",
                ])
            }
        } catch {
            throw error.at(step.location)
        }
    }

    private func add(_ run: RunStep, to hasher: inout KeyHasher) async throws(BuildError) {
        hasher.add(["run", run.workingDirectory, run.user, "\(run.hasNetwork)"])
        if let hostname = run.hostname { hasher.add(["hostname", hostname]) }
        hasher.add(run.arguments)
        hasher.note(.part, "the working directory", run.workingDirectory)
        hasher.note(.part, "the user", run.user)
        hasher.note(.part, "the network", run.hasNetwork ? "on" : "off")
        let environment = run.environment.filter { !run.hidden.contains($0.0) }
        hasher.add(environment.flatMap { [$0.0, $0.1] })
        for (name, value) in environment { hasher.note(.variable, name, StepRecord.short(value)) }
        hasher.note(.part, "the command", StepRecord.short(run.arguments.joined(separator: "\0")))
        if let script = run.script {
            hasher.add(script.body)
            hasher.note(.part, "the script", "\(Digest.sha256(of: script.body).encoded.prefix(12))")
        }
        for mount in run.mounts {
            hasher.add(mount.target)
            hasher.note(.part, "the mount at \(mount.target)", StepRecord.short(mount.kind.keyText))
            switch mount.kind {
            case .bind(let origin, let path, let isReadOnly):
                hasher.add(["bind", "\(isReadOnly)"])
                try await add(path, of: origin, to: &hasher)
            case .cache(let cache):
                hasher.add(["cache", cache.id, "\(cache.mode) \(cache.uid) \(cache.gid)", "\(cache.isReadOnly)"])
                if let cacheNamespace {
                    hasher.add(["of", cacheNamespace])
                    hasher.note(.part, "whose cache is mounted at \(mount.target)", StepRecord.short(cacheNamespace))
                }
                if let seed = mount.seed {
                    hasher.add("from")
                    try await add(seed.source, of: seed.from, to: &hasher)
                }
            case .tmpfs, .ssh, .secret:
                hasher.add(mount.kind.keyText)
            }
        }
    }

    /// What a mount shows of another file system.
    private func add(_ path: String, of origin: CopyOrigin, to hasher: inout KeyHasher) async throws(BuildError) {
        hasher.add(path)
        guard let source = try await contextSource(origin, to: &hasher) else { return }
        var selection = ContentSelection(source: source)
        try await selection.add(path: path, to: &hasher)
    }

    /// The context that has to be looked into; other origins are told by their digest or name.
    private func contextSource(
        _ origin: CopyOrigin, to hasher: inout KeyHasher
    ) async throws(BuildError) -> ContextSource? {
        switch try plan.source(of: origin) {
        case .context:
            hasher.add("context")
            return try await contexts.main()
        case .namedContext(let name):
            hasher.add("named context")
            return try await contexts.named(name)
        case .stage(let index):
            hasher.add("from \(stageNames[index] ?? "\(index)")")
            hasher.note(
                .stage, "the stage \(plan.stage(index)?.name ?? "\(index)")",
                stageNames[index].map(StepRecord.short) ?? "")
            return nil
        case .image(let base, let name):
            hasher.add("image \(base.image.manifestDigest)")
            hasher.note(.stage, "the image \(name)", "\(base.image.manifestDigest)")
            return nil
        }
    }
}
