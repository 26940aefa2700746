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
                    remedy: error.hint ?? "if it is a template, nothing is to be done; else mend it", isError: false,
                    isPassedOver: true))
            return found
        }
        for pod in pods {
            for container in pod.containers where Self.isExecutor(container) {
                let origin = Self.origin(container, in: pod, at: file)
                do {
                    if let pipeline = try pipeline(of: container, in: pod, file: file, origin: origin) {
                        found.pipelines.append(pipeline)
                    }
                } catch {
                    found.skipped.append(
                        SkippedBuild(
                            origin: Self.origin(container, in: pod, at: error.location?.description ?? file),
                            reason: error.reason, remedy: error.remedy, isError: error.isError))
                }
            }
        }
        return found
    }

    private static func origin(_ container: PodContainer, in pod: PodSpec, at place: String) -> String {
        "\(place) (\(pod.workload.kind) \(pod.workload.name), container \(container.name))"
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
    ) throws(UnusableBuild) -> RepositoryPipeline? {
        let (command, arguments) = try Self.call(of: container)
        if arguments.noPush { throw UnusableBuild(reason: "--no-push: nothing would be published", isError: false) }
        guard !arguments.destinations.isEmpty else {
            throw UnusableBuild(reason: "no --destination", remedy: "name the image with --destination=REPOSITORY:TAG")
        }
        var destinations: [RepositoryPipeline.Destination] = []
        for text in arguments.destinations { destinations.append(try Self.destination(text)) }
        let finder = KanikoContextFinder(
            branch: branch, tree: tree, isSameRepository: { Self.isSameRepository($0, as: repositoryURLs) })
        let place = try finder.context(
            of: arguments, calledIn: command.workingDirectory, container: container, pod: pod)
        var platform: Platform?
        if let text = arguments.platform {
            do {
                platform = try Platform(text)
            } catch { throw UnusableBuild(reason: "--custom-platform: \(error.description)") }
        }
        return RepositoryPipeline(
            name: "\(pod.workload.name)/\(container.name)", origin: origin, contextPath: place.directory,
            dockerfile: place.dockerfile, target: arguments.target, arguments: arguments.buildArguments,
            labels: arguments.labels, annotations: arguments.annotations, platform: platform,
            destinations: destinations, fetchesSubmodules: arguments.fetchesSubmodules,
            notes: arguments.notes + place.notes)
    }

    private static func call(
        of container: PodContainer
    ) throws(UnusableBuild) -> (KanikoCommand, KanikoArguments) {
        let command: KanikoCommand
        do {
            command = try KanikoCommand(container)
        } catch {
            throw UnusableBuild(
                reason: error.reason, remedy: "declare these builds under 'builds:' in .slipway.yaml",
                location: error.location)
        }
        do {
            return (command, try KanikoArguments(parsing: command.words))
        } catch {
            throw UnusableBuild(reason: error.reason, remedy: error.remedy, location: error.location)
        }
    }

    private static func destination(_ text: String) throws(UnusableBuild) -> RepositoryPipeline.Destination {
        guard !text.hasPrefix("oci:") else {
            throw UnusableBuild(
                reason: "--destination=\(text) is a directory of the agent's machine, where a repository may not write",
                remedy: "name an image of a registry")
        }
        let image: Reference
        do {
            image = try Reference(text)
        } catch {
            throw UnusableBuild(
                reason: "--destination=\(text) is no image reference: \(error.cause ?? error.summary)",
                remedy: "replace the placeholder by REPOSITORY:TAG")
        }
        guard image.digest == nil else {
            throw UnusableBuild(reason: "--destination=\(text) names a digest", remedy: "name a tag")
        }
        return RepositoryPipeline.Destination(
            repository: RegistryRepository(image), naming: .literal(image.tag ?? "latest"))
    }

    /// Whether a URL names the repository that has these addresses.
    static func isSameRepository(_ url: String, as repositoryURLs: [String]) -> Bool {
        let address = RepositoryAddress(url)
        return repositoryURLs.contains { RepositoryAddress($0).isSame(as: address) }
    }
}

/// Why a container that calls the executor makes no build here.
struct UnusableBuild: Error {
    let reason: String
    var remedy: String?
    /// Whether somebody has to act.
    var isError = true
    /// Of what is to be changed; `nil` for the container as a whole.
    var location: SourceLocation?
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
