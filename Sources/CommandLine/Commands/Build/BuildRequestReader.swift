import Agent
import ArgumentParser
import Builder
import Glibc
import OCI
import Synchronization
import Text

/// From the options of `slipway build` and an opened context to what is asked of the builder.
struct BuildRequestReader {
    let options: BuildOptions
    let isExecutor: Bool
    let say: @Sendable (String) -> Void

    func request(_ opened: ContextLocation.Opened, fetcher: RemoteFetcher) async throws -> BuildRequest {
        let image = options.image
        let isReproducible = try image.reproducible || options.output.outputs().contains { $0.rewritesTimes }
        var request = BuildRequest(context: opened.context, createdAt: SystemClock().now)
        if let revision = opened.revision {
            // As the agent builds it: the same commit gives the same image, whoever builds it.
            request.createdAt = revision.time
            request.hasContentDate = true
            request.isReproducible = isReproducible
            request.annotations[Annotation.revision] = revision.commit
            request.annotations[Annotation.source] = revision.repository
            request.annotations[Annotation.created] = UTCDate(secondsSince1970: revision.time).rfc3339
        } else if isReproducible {
            request.date(by: 0)
        }
        if let created = image.createdAt { request.createdAt = created }
        request.cacheNamespace = Self.cacheNamespace(opened, options.context.context)
        request.contextRoot = String(PodFiles.clean(options.context.subPath ?? "").dropFirst())
        try await readDockerfile(&request, opened, fetcher)
        request.buildArguments = try image.buildArguments.map(buildArgument)
        if opened.revision == nil, request.buildArguments.contains(where: { $0.0 == GitDirectoryWish.argument }) {
            say("note: the build argument '\(GitDirectoryWish.argument)' has an effect on contexts from git only")
        }
        request.labels = try image.label.map(Self.label)
        for text in image.annotation {
            let (name, value) = try RegistryOptions.pair(allowingEmpty: text, flag: "--annotation")
            request.annotations[name] = value
        }
        for text in options.context.named {
            let (name, value) = try RegistryOptions.pair(text, flag: "--build-context")
            request.namedContexts[name] = try NamedContext(value)
        }
        for text in image.secret {
            let option = try SecretOption(text)
            request.secrets[option.id] = option.value
        }
        request.format = image.format
        request.compression = image.layerCompression
        request.isSingleLayer = image.singleSnapshot
        request.ignoredPaths = image.ignoredPaths + (image.ignoresVarRun?.isOn == true ? ["/var/run"] : [])
        request.buildsUnusedStages = image.skipUnusedStages?.isOn == false
        try options.steps.apply(to: &request)
        request.jobs = options.jobs
        return request
    }

    /// Whose cache mounts the build has: those of the repository or of the directory; builds of one archive have them in common.
    private static func cacheNamespace(_ opened: ContextLocation.Opened, _ context: String?) -> String {
        if let revision = opened.revision { return "git " + revision.repository }
        if let directory = opened.directory { return "directory " + TextFile.absolute(directory) }
        // What follows a '?' is often a signature that is another one each time.
        return "archive " + (context?.prefix { $0 != "?" } ?? "-")
    }

    /// A name alone takes the value from the environment; without one there, kaniko's executor takes an empty text.
    private func buildArgument(_ text: String) throws -> (String, String) {
        if text.contains("=") { return try RegistryOptions.pair(allowingEmpty: text, flag: "--build-arg") }
        if let value = getenv(text) { return (text, String(cString: value)) }
        guard isExecutor else {
            throw ValidationError("--build-arg '\(text)': the environment has no such variable; write NAME=VALUE")
        }
        say("note: --build-arg \(text) is empty: the environment has no such variable")
        return (text, "")
    }

    /// `NAME=VALUE`, or as with docker a name alone, whose value is empty.
    static func label(_ text: String) throws -> (String, String) {
        guard !text.isEmpty else { throw ValidationError("--label is empty: write NAME=VALUE, or NAME") }
        return text.contains("=") ? try RegistryOptions.pair(allowingEmpty: text, flag: "--label") : (text, "")
    }

    // MARK: Dockerfile

    private static let sizeLimit = 16 << 20

    /// A URL; a file by an absolute path; from the working directory, where one is named or kaniko's order is wanted; in the
    /// context; at last from the working directory after all.
    private func readDockerfile(
        _ request: inout BuildRequest, _ opened: ContextLocation.Opened, _ fetcher: RemoteFetcher
    ) async throws {
        let name = options.context.dockerfile ?? "Dockerfile"
        if name == "-" {
            request.dockerfile = .bytes(
                try await StandardInput.dockerfile(limit: Self.sizeLimit), name: "standard input")
            return
        }
        if name.hasPrefix("https://") || name.hasPrefix("http://") {
            let collected = Mutex<[UInt8]>([])
            try await fetcher.fetch(name, limit: Int64(Self.sizeLimit)) { (bytes) throws(BuildError) in
                let piece = [UInt8](bytes)
                collected.withLock { $0 += piece }
            }
            request.dockerfile = .bytes(collected.withLock { $0 }, name: RemoteFetcher.shown(name))
            return
        }
        let folder = request.contextRoot.isEmpty ? "" : request.contextRoot + "/"
        let below = opened.directory.map { TextFile.absolute("\($0)/\(folder)") }
        let isLocalFirst = name.hasPrefix("/") || options.context.dockerfile != nil || isExecutor
        let local = TextFile.absolute(name)
        if isLocalFirst, isFile(local) {
            // A link may lead out of the context, where the context would not follow it.
            if let below, !isLink(local), let inside = PodFiles.relative(local, to: below) {
                request.dockerfile = .path(inside)
            } else {
                try take(local, named: name, &request)
            }
            return
        }
        let isInContext = below.map { isFile("\($0)/\(name)") } ?? true
        if isInContext || !isFile(local) {
            request.dockerfile = .path(String(PodFiles.clean(name).dropFirst()))
        } else {
            try take(local, named: name, &request)
        }
    }

    private func isFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    private func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    /// A Dockerfile that is not in the context; the ignore file of its own name is beside it.
    private func take(_ path: String, named name: String, _ request: inout BuildRequest) throws {
        request.dockerfile = .bytes(try TextFile.read(path, limit: Self.sizeLimit), name: name)
        let ignore = path + ".dockerignore"
        if isFile(ignore) {
            request.ignoreFile = (try TextFile.read(ignore, limit: 4 << 20), name: name + ".dockerignore")
        }
    }
}
