import Diagnostics
import ManifestUpdater

/// Where the context and the Dockerfile of an executor's call are in the repository.
///
/// The executor sees a directory of its pod, or a URL. What fills the pod's directory is read from the pod's other containers
/// and volumes; where nothing in sight fills it, the usual places are taken to hold the repository, and that is noted.
struct KanikoContextFinder {
    let branch: String
    let tree: KanikoDiscovery.Tree
    let isSameRepository: @Sendable (String) -> Bool

    /// Paths in the repository.
    struct Context: Equatable {
        /// Empty for the root.
        var directory: String
        var dockerfile: String
        var notes: [String] = []
    }

    private static let alias = "if it is this one under another address, add it to the repository's 'aliases'"
    private static let declare = "declare the build under 'builds:' in the agent's configuration, or in .slipway.yaml"

    func context(
        of arguments: KanikoArguments, calledIn workingDirectory: String?, container: PodContainer, pod: PodSpec
    ) throws(UnusableBuild) -> Context {
        let context = arguments.context
        if arguments.dockerfile.hasPrefix("https://") || arguments.dockerfile.hasPrefix("http://") {
            throw UnusableBuild(
                reason: "--dockerfile=\(RepositoryAddress.shown(arguments.dockerfile)) is not in this repository",
                remedy: "name a file of the repository", isError: false)
        }
        if context.hasPrefix("git://") || context.hasPrefix("https://") && context.contains(".git") {
            return try inGit(arguments)
        }
        for scheme in ["tar://", "s3://", "gs://", "https://", "http://"] where context.hasPrefix(scheme) {
            throw UnusableBuild(
                reason: "--context=\(RepositoryAddress.shown(context)) is not in this repository",
                remedy: "declare the build under 'builds:' with a directory of the repository as its context",
                isError: false)
        }
        let paths = PodPaths(arguments, calledIn: workingDirectory)
        return try inPod(paths, container: container, pod: pod)
    }

    // MARK: A URL

    private func inGit(_ arguments: KanikoArguments) throws(UnusableBuild) -> Context {
        let parts = arguments.context.split(separator: "#", omittingEmptySubsequences: false).map(String.init)
        guard isSameRepository(parts[0]) else {
            throw UnusableBuild(
                reason: "--context=\(RepositoryAddress.shown(parts[0])) is another repository than this one",
                remedy: Self.alias, isError: false)
        }
        if parts.count > 2 {
            throw UnusableBuild(reason: "the context is pinned to commit \(parts[2])", isError: false)
        }
        if parts.count > 1, !parts[1].isEmpty {
            try checkRevision(parts[1])
        } else if let branch = arguments.gitBranch {
            try checkRevision(branch)
        }
        let directory = Self.repositoryPath(arguments.contextSubPath)
        let dockerfile = Self.repositoryPath(arguments.dockerfile)
        let candidates = [directory.isEmpty ? dockerfile : "\(directory)/\(dockerfile)", dockerfile]
        guard let found = candidates.first(where: tree.isFile) else {
            throw UnusableBuild(reason: "the repository has no Dockerfile '\(candidates[0])' at this revision")
        }
        return Context(directory: directory, dockerfile: found)
    }

    private func checkRevision(_ revision: String) throws(UnusableBuild) {
        let name = revision.hasPrefix("refs/heads/") ? String(revision.dropFirst("refs/heads/".count)) : revision
        guard name == branch else {
            throw UnusableBuild(reason: "the context is \(revision), and this is branch \(branch)", isError: false)
        }
    }

    private static func repositoryPath(_ path: String) -> String { String(PodFiles.clean(path).dropFirst()) }

    // MARK: A directory of the pod

    /// What the arguments say of paths in the pod.
    private struct PodPaths {
        /// The context before its sub-path.
        let base: String
        let context: String
        /// Where the Dockerfile may be, the likeliest first.
        let dockerfiles: [String]
        var notes: [String] = []

        /// The working directory of kaniko's image.
        private static let home = "/workspace"

        init(_ arguments: KanikoArguments, calledIn workingDirectory: String?) {
            var text = arguments.context
            let isURL = text.hasPrefix("dir://")
            if isURL { text.removeFirst("dir://".count) }
            base = PodFiles.clean(PodFiles.join(workingDirectory ?? "/", text))
            // Kaniko looks at the sub-path only where it fetches the context (resolveSourceContext).
            context = isURL ? PodFiles.clean("\(base)/\(arguments.contextSubPath)") : base
            if !isURL, !arguments.contextSubPath.isEmpty {
                notes.append("--context-sub-path has no effect, as with kaniko, because --context has no 'dir://'")
            }
            let inContext = PodFiles.clean("\(context)/\(arguments.dockerfile)")
            dockerfiles =
                arguments.dockerfile.hasPrefix("/")
                ? [PodFiles.clean(arguments.dockerfile), inContext]
                : [inContext, PodFiles.clean("\(workingDirectory ?? Self.home)/\(arguments.dockerfile)")]
        }
    }

    private func inPod(
        _ paths: PodPaths, container: PodContainer, pod: PodSpec
    ) throws(UnusableBuild) -> Context {
        let files = filled(container, in: pod)
        if let (pod, path) = paths.dockerfiles.lazy.compactMap({ pod in files.downloads[pod].map { (pod, $0) } }).first
        {
            // Only single files were downloaded; their directory in the repository holds at least them.
            let slash = path.lastIndex(of: "/")
            return Context(
                directory: slash.map { String(path[..<$0]) } ?? "", dockerfile: path,
                notes: paths.notes + [
                    "\(pod) of the pod is \(path) of the repository, which an init container downloads"
                ])
        }
        if let other = Self.deepest(files.foreign.keys, around: paths.context),
            Self.deepest(files.checkouts.map(\.path), around: paths.context).map({ $0.count <= other.count }) ?? true,
            let url = files.foreign[other]
        {
            throw UnusableBuild(
                reason: "the context is cloned from another repository, \(RepositoryAddress.shown(url))",
                remedy: Self.alias, isError: false)
        }
        let checkouts = files.checkouts.filter { PodFiles.relative(paths.context, to: $0.path) != nil }
        if !checkouts.isEmpty { return try inCheckout(paths, checkouts) }
        let mounts = container.volumeMounts.filter { PodFiles.relative(paths.context, to: $0.mountPath) != nil }
        let mount = Self.deepest(mounts.map(\.mountPath), around: paths.context)
        if let name = mounts.first(where: { $0.mountPath == mount })?.name,
            let volume = pod.volumes.first(where: { $0.name == name }),
            ["configMap", "secret", "projected", "downwardAPI"].contains(volume.kind)
        {
            throw UnusableBuild(
                reason: "the context \(paths.context) is a \(volume.kind) of the cluster, not part of this repository",
                remedy: "declare the build under 'builds:' in the agent's configuration", isError: false)
        }
        return try assumed(paths, mount: mount)
    }

    /// What the pod's other containers and its volumes put where the container sees it.
    private func filled(_ container: PodContainer, in pod: PodSpec) -> PodFiles {
        var files = PodFiles(exists: tree.isFile, isSameRepository: isSameRepository)
        for other in pod.initContainers { files.learn(other, for: container) }
        for mount in container.volumeMounts {
            guard let volume = pod.volumes.first(where: { $0.name == mount.name }) else { continue }
            files.learn(gitVolume: volume, at: mount.mountPath)
        }
        return files
    }

    private static func deepest(_ directories: some Sequence<String>, around path: String) -> String? {
        directories.filter { PodFiles.relative(path, to: $0) != nil }.max { $0.count < $1.count }
    }

    private func inCheckout(_ paths: PodPaths, _ checkouts: [PodFiles.Checkout]) throws(UnusableBuild) -> Context {
        for checkout in checkouts.sorted(by: { $0.path.count > $1.path.count }) {
            guard let directory = path(paths.context, in: checkout), isDirectory(directory) else { continue }
            for pod in paths.dockerfiles {
                guard let path = path(pod, in: checkout), tree.isFile(path) else { continue }
                if let revision = checkout.revision { try checkRevision(revision) }
                return Context(
                    directory: directory, dockerfile: path, notes: paths.notes + notes(on: pod, paths, in: checkout))
            }
        }
        throw missing(paths)
    }

    /// Directories in which people, and the tools around kaniko, put a repository.
    private static let usualPlaces = ["/workspace", "/build", "/src"]

    /// Where nobody in sight fills the context: it lies in a volume, or in one of the usual places, that is taken to hold the
    /// repository, as kaniko's own guide fills it by hand.
    ///
    /// Of the directories from there down to the context, the first is the root below which the repository has the rest of the
    /// path. So `/workspace/app` is the repository's `app` where there is such a directory, and else the repository.
    private func assumed(_ paths: PodPaths, mount: String?) throws(UnusableBuild) -> Context {
        let tops = [mount, Self.deepest(Self.usualPlaces, around: paths.base)].compactMap(\.self) + [paths.base]
        for top in tops {
            guard let below = PodFiles.relative(paths.base, to: top) else { continue }
            var root = PodFiles.clean(top)
            var names = below.split(separator: "/")[...]
            while true {
                let checkout = PodFiles.Checkout(path: root)
                if let directory = path(paths.context, in: checkout), isDirectory(directory) {
                    if let found = assumed(paths, in: checkout, directory) { return found }
                    // The directory that is meant is found; it has no Dockerfile.
                    if !directory.isEmpty { throw missing(paths) }
                }
                guard let name = names.popFirst() else { break }
                root = PodFiles.clean("\(root)/\(name)")
            }
        }
        throw missing(paths)
    }

    private func assumed(
        _ paths: PodPaths, in checkout: PodFiles.Checkout, _ directory: String
    ) -> Context? {
        for pod in paths.dockerfiles {
            guard let path = path(pod, in: checkout), tree.isFile(path) else { continue }
            let place = directory.isEmpty ? "" : ", so \(paths.context) is its directory '\(directory)'"
            return Context(
                directory: directory, dockerfile: path,
                notes: paths.notes + ["\(checkout.path) of the pod is taken to be the root of this repository\(place)"]
                    + notes(on: pod, paths, in: checkout))
        }
        return nil
    }

    /// Kaniko looks in its working directory first; people who name a context mean the Dockerfile there.
    private func notes(on taken: String, _ paths: PodPaths, in checkout: PodFiles.Checkout) -> [String] {
        guard taken == paths.dockerfiles.first, let other = paths.dockerfiles.last, other != taken,
            let path = path(other, in: checkout), tree.isFile(path)
        else { return [] }
        return ["kaniko would take \(other) instead, if it is called there; write --dockerfile=\(taken) to be clear"]
    }

    private func path(_ pod: String, in checkout: PodFiles.Checkout) -> String? {
        PodFiles.relative(pod, to: checkout.path).map { below in
            String(PodFiles.clean("\(checkout.directory)/\(below)").dropFirst())
        }
    }

    private func isDirectory(_ path: String) -> Bool { path.isEmpty || tree.isDirectory(path) }

    private func missing(_ paths: PodPaths) -> UnusableBuild {
        UnusableBuild(
            reason: "\(paths.dockerfiles[0]) of the pod is no file of this repository at this revision",
            remedy: Self.declare)
    }
}
