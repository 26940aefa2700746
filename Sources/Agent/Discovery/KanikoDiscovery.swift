import Diagnostics
import ManifestUpdater
import OCI
import YAML

/// Finds the builds that a repository's kaniko Jobs and Pods describe, so that a repository which builds with kaniko
/// today works with no build configuration at all.
package struct KanikoDiscovery: Sendable {
    /// What the repository holds, as far as discovery asks.
    package struct Tree: Sendable {
        package let isFile: @Sendable (String) -> Bool
        package let isDirectory: @Sendable (String) -> Bool

        package init(
            isFile: @escaping @Sendable (String) -> Bool, isDirectory: @escaping @Sendable (String) -> Bool
        ) {
            self.isFile = isFile
            self.isDirectory = isDirectory
        }
    }

    /// The manifests' way to name the repository: its own URL and its declared aliases.
    let repositoryURLs: [String]
    let branch: String
    let tree: Tree

    package init(repositoryURLs: [String], branch: String, tree: Tree) {
        self.repositoryURLs = repositoryURLs
        self.branch = branch
        self.tree = tree
    }

    package struct Found: Sendable {
        package var pipelines: [RepositoryPipeline] = []
        package var skipped: [SkippedBuild] = []
    }

    /// Files worth parsing: the word is in every kaniko image, command or configuration directory.
    package static func mayMatter(path: String, bytes: [UInt8]) -> Bool {
        (path.hasSuffix(".yaml") || path.hasSuffix(".yml") || path.hasSuffix(".json"))
            && bytes.containsWord(Array("kaniko".utf8))
    }

    /// All builds described in one file.
    package func builds(in file: String, bytes: [UInt8]) -> Found {
        var found = Found()
        let pods: [PodSpec]
        do {
            pods = try PodSpecReader.pods(in: bytes, file: file)
        } catch {
            // A template or a broken file: it stops nobody else's build, and it is said.
            found.skipped.append(
                SkippedBuild(
                    origin: error.place ?? file, reason: "mentions kaniko but cannot be read as YAML: \(error.summary)",
                    remedy: error.hint, isError: false))
            return found
        }
        for pod in pods {
            for container in pod.containers where Self.isExecutor(container) {
                let origin = "\(file) (\(pod.workload.kind) \(pod.workload.name), container \(container.name))"
                do {
                    if let pipeline = try pipeline(of: container, in: pod, file: file, origin: origin) {
                        found.pipelines.append(pipeline)
                    }
                } catch {
                    found.skipped.append(
                        SkippedBuild(
                            origin: origin, reason: error.reason, remedy: error.remedy, isError: error.isError))
                }
            }
        }
        return found
    }

    struct Unusable: Error {
        let reason: String
        var remedy: String?
        var isError = true
    }

    static func isExecutor(_ container: PodContainer) -> Bool {
        let path = container.image.split(separator: "@").first.map(String.init) ?? container.image
        let components = path.split(separator: "/").map { $0.split(separator: ":").first.map(String.init) ?? "" }
        if let last = components.last, last != "warmer" {
            if last == "executor", components.contains(where: { $0.contains("kaniko") }) { return true }
            if last.contains("kaniko"), !last.contains("warmer") { return true }
        }
        return container.command.contains { $0.contains("/kaniko/executor") }
    }

    private func pipeline(
        of container: PodContainer, in pod: PodSpec, file: String, origin: String
    ) throws(Unusable) -> RepositoryPipeline? {
        let arguments: KanikoArguments
        do {
            arguments = try KanikoArguments(parsing: Self.executorArguments(container))
        } catch {
            throw Unusable(reason: error.reason, remedy: error.remedy)
        }
        if arguments.noPush { throw Unusable(reason: "--no-push: nothing would be published", isError: false) }
        guard !arguments.destinations.isEmpty else {
            throw Unusable(reason: "no --destination", remedy: "name the image with --destination=REPOSITORY:TAG")
        }
        var destinations: [RepositoryPipeline.Destination] = []
        for text in arguments.destinations { destinations.append(try Self.destination(text)) }
        let place = try locate(arguments, container: container, pod: pod)
        var platform: Platform?
        if let text = arguments.platform {
            do {
                platform = try Platform(text)
            } catch { throw Unusable(reason: "--custom-platform: \(error.description)") }
        }
        return RepositoryPipeline(
            name: "\(pod.workload.name)/\(container.name)", origin: origin, contextPath: place.context,
            dockerfile: place.dockerfile, target: arguments.target, arguments: arguments.buildArguments,
            labels: arguments.labels, annotations: arguments.annotations, platform: platform,
            destinations: destinations, notes: arguments.notes + place.notes)
    }

    /// The executor's own arguments: after `/kaniko/executor` in the command, or in a shell text; references to the
    /// container's environment (`$(NAME)`) replaced as the kubelet does.
    static func executorArguments(_ container: PodContainer) -> [String] {
        var words = container.command + container.args
        if let text = words.first(where: { $0.contains("/kaniko/executor") && $0.contains(" ") }) {
            words = PodFiles.shellWords(text)
        }
        if let program = words.firstIndex(where: { $0.hasSuffix("/executor") || $0 == "executor" }) {
            words.removeSubrange(...program)
        }
        let environment = Dictionary(
            container.environment.compactMap { variable in variable.value.map { (variable.name, $0) } },
            uniquingKeysWith: { $1 })
        return words.map { expand($0, environment) }
    }

    private static func expand(_ text: String, _ environment: [String: String]) -> String {
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "$" {
                result.append("$")
                rest = rest.dropFirst()
            } else if rest.first == "(", let close = rest.firstIndex(of: ")") {
                let name = String(rest[rest.index(after: rest.startIndex)..<close])
                result += environment[name] ?? "$(\(name))"
                rest = rest[rest.index(after: close)...]
            } else {
                result.append("$")
            }
        }
        return result + rest
    }

    private static func destination(_ text: String) throws(Unusable) -> RepositoryPipeline.Destination {
        guard !text.hasPrefix("oci:") else {
            throw Unusable(
                reason: "--destination=\(text) is a directory of the agent's machine, where a repository may not write",
                remedy: "name an image of a registry")
        }
        let image: Reference
        do {
            image = try Reference(text)
        } catch {
            throw Unusable(
                reason: "--destination=\(text) is no image reference: \(error.cause ?? error.summary)",
                remedy: "replace the placeholder by REPOSITORY:TAG")
        }
        guard image.digest == nil else {
            throw Unusable(reason: "--destination=\(text) names a digest", remedy: "name a tag")
        }
        return RepositoryPipeline.Destination(
            repository: RegistryRepository(image), naming: .literal(image.tag ?? "latest"))
    }

    // MARK: From the pod's paths to the repository's

    private struct Place {
        var context: String
        var dockerfile: String
        var notes: [String] = []
    }

    private func locate(
        _ arguments: KanikoArguments, container: PodContainer, pod: PodSpec
    ) throws(Unusable) -> Place {
        let context = arguments.context
        if context.hasPrefix("git://") || context.hasPrefix("https://") && context.contains(".git") {
            return try locateInGit(arguments)
        }
        for scheme in ["tar://", "s3://", "gs://", "https://", "http://"] where context.hasPrefix(scheme) {
            throw Unusable(
                reason: "--context=\(context) is not in this repository",
                remedy: "declare the build under 'builds:' with a directory of the repository as its context",
                isError: false)
        }
        return try locateInPod(arguments, container: container, pod: pod)
    }

    private func locateInGit(_ arguments: KanikoArguments) throws(Unusable) -> Place {
        let parts = arguments.context.split(separator: "#", omittingEmptySubsequences: false).map(String.init)
        guard isSameRepository(parts[0]) else {
            throw Unusable(
                reason: "--context=\(parts[0]) is another repository than this one",
                remedy: "if it is this one under another address, add it to the repository's 'aliases'",
                isError: false)
        }
        if parts.count > 2 {
            throw Unusable(reason: "the context is pinned to commit \(parts[2])", isError: false)
        }
        if parts.count > 1, !parts[1].isEmpty {
            let ref = parts[1]
            let name = ref.hasPrefix("refs/heads/") ? String(ref.dropFirst(11)) : ref
            guard name == branch else {
                throw Unusable(reason: "the context is \(ref), and this is branch \(branch)", isError: false)
            }
        }
        let directory = Self.repositoryPath(arguments.contextSubPath)
        let dockerfile = Self.repositoryPath(arguments.dockerfile)
        let candidates = [directory.isEmpty ? dockerfile : "\(directory)/\(dockerfile)", dockerfile]
        guard let found = candidates.first(where: tree.isFile) else {
            throw Unusable(reason: "the repository has no Dockerfile '\(candidates[0])' at this revision")
        }
        return Place(context: directory, dockerfile: found)
    }

    private func locateInPod(
        _ arguments: KanikoArguments, container: PodContainer, pod: PodSpec
    ) throws(Unusable) -> Place {
        var text = arguments.context
        if text.hasPrefix("dir://") { text.removeFirst(6) }
        let home = container.workingDirectory ?? "/"
        let context = PodFiles.clean(PodFiles.join(home, text) + "/" + arguments.contextSubPath)
        let dockerfiles =
            arguments.dockerfile.hasPrefix("/")
            ? [PodFiles.clean(arguments.dockerfile)]
            : [PodFiles.clean("\(context)/\(arguments.dockerfile)"), PodFiles.clean("\(home)/\(arguments.dockerfile)")]
        var files = PodFiles(exists: tree.isFile, isSameRepository: isSameRepository)
        for other in pod.initContainers {
            files.learn(command: other.command + other.args, workingDirectory: other.workingDirectory)
        }
        for mount in container.volumeMounts {
            guard let volume = pod.volumes.first(where: { $0.name == mount.name }), let url = volume.gitRepository
            else { continue }
            files.learn(gitVolume: url, at: "\(mount.mountPath)/\(volume.gitDirectory ?? "")")
        }
        if let (pod, path) = dockerfiles.lazy.compactMap({ pod in files.downloads[pod].map { (pod, $0) } }).first {
            // Only single files were downloaded; their directory in the repository holds at least them.
            let slash = path.lastIndex(of: "/")
            return Place(
                context: slash.map { String(path[..<$0]) } ?? "", dockerfile: path,
                notes: ["\(pod) of the pod is \(path) of the repository, which an init container downloads"])
        }
        if let other = files.foreign.first(where: { PodFiles.relative(context, to: $0.key) != nil }) {
            throw Unusable(
                reason: "the context is cloned from another repository, \(other.value)",
                remedy: "if it is this one under another address, add it to the repository's 'aliases'",
                isError: false)
        }
        let mounts = container.volumeMounts.filter { PodFiles.relative(context, to: $0.mountPath) != nil }
            .sorted { $0.mountPath.count > $1.mountPath.count }
        if let mount = mounts.first, let volume = pod.volumes.first(where: { $0.name == mount.name }),
            ["configMap", "secret", "projected", "downwardAPI"].contains(volume.kind)
        {
            throw Unusable(
                reason: "the context \(context) is a \(volume.kind) of the cluster, not part of this repository",
                remedy: "declare the build under 'builds:' in the agent's configuration", isError: false)
        }
        // What nobody filled in sight is taken to hold the repository, as kaniko's own guide fills it by hand.
        for root in files.checkouts + mounts.map(\.mountPath) + [context] {
            guard let directory = PodFiles.relative(context, to: root),
                directory.isEmpty || tree.isDirectory(directory)
            else { continue }
            for pod in dockerfiles {
                guard let path = PodFiles.relative(pod, to: root), tree.isFile(path) else { continue }
                let isKnown = files.checkouts.contains(root)
                return Place(
                    context: directory, dockerfile: path,
                    notes: isKnown ? [] : ["\(root) of the pod is taken to be the root of this repository"])
            }
        }
        throw Unusable(
            reason: "\(dockerfiles[0]) of the pod is no file of this repository at this revision",
            remedy: "declare the build under 'builds:' in the agent's configuration, or in .slipway.yaml")
    }

    private static func repositoryPath(_ path: String) -> String { String(PodFiles.clean(path).dropFirst()) }

    private func isSameRepository(_ url: String) -> Bool { Self.isSameRepository(url, as: repositoryURLs) }

    /// Whether a URL names the repository that has these addresses.
    static func isSameRepository(_ url: String, as repositoryURLs: [String]) -> Bool {
        let name = Self.comparable(url)
        return repositoryURLs.contains { other in
            let other = Self.comparable(other)
            // The same host and path; or the same owner and name, for a mirror under another host.
            return other == name || Self.tail(other) == Self.tail(name)
        }
    }

    /// Host and path without scheme, user, port, `.git` and final slash, in lower case.
    private static func comparable(_ url: String) -> String {
        var text = url.lowercased()[...]
        if let scheme = text.firstRange(of: "://") {
            text = text[scheme.upperBound...]
        } else if let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/") {
            text = text[..<colon] + "/" + text[text.index(after: colon)...]
        }
        if let at = text.firstIndex(of: "@"), !text[..<at].contains("/") { text = text[text.index(after: at)...] }
        text = text.prefix { $0 != "#" && $0 != "?" }
        while text.hasSuffix("/") { text = text.dropLast() }
        if text.hasSuffix(".git") { text = text.dropLast(4) }
        var components = text.split(separator: "/").map(String.init)
        if let host = components.first, let colon = host.firstIndex(of: ":") { components[0] = String(host[..<colon]) }
        return components.joined(separator: "/")
    }

    private static func tail(_ url: String) -> String {
        url.split(separator: "/").suffix(1).joined(separator: "/")
    }
}

extension [UInt8] {
    /// Whether the bytes hold `word`; a plain search, for deciding what is worth parsing.
    package func containsWord(_ word: [UInt8]) -> Bool {
        guard let first = word.first, count >= word.count else { return false }
        var index = startIndex
        while let found = self[index...].firstIndex(of: first) {
            if self[found...].starts(with: word) { return true }
            index = found + 1
        }
        return false
    }
}
