package import OCI
package import Sandbox

/// One image to build.
package struct BuildRequest: Sendable {
    package enum DockerfileSource: Sendable {
        /// A path within the context.
        case path(String)
        /// The text itself, and what messages call it.
        case bytes([UInt8], name: String)
    }

    package enum ImageFormat: String, Sendable, CaseIterable { case oci, docker }

    /// How new layers are compressed. A level of `nil` is the usual one.
    package enum LayerCompression: Sendable, Hashable {
        /// 0 to 12.
        case gzip(level: Int32?)
        /// 1 to 22.
        case zstd(level: Int32?)
    }

    package var context: any BuildContext
    /// The context's folder that is the build's root (kaniko's `--context-sub-path`); `""` is all of it. The Dockerfile's
    /// path is relative to it.
    package var contextRoot: String = ""
    package var dockerfile: DockerfileSource
    /// The ignore file that belongs to a Dockerfile which is not in the context; it goes before the context's own.
    package var ignoreFile: (bytes: [UInt8], name: String)?
    package var target: String?
    /// Whether the stages before the target are built that it does not need.
    package var buildsUnusedStages = false
    package var buildArguments: [(String, String)] = []
    package var namedContexts: [String: NamedContext] = [:]
    /// The images that the Dockerfile may name; `nil`: any.
    package var allowedBases: AllowedBases?
    package var platform: Platform
    /// Added to the image's labels, over those of the Dockerfile.
    package var labels: [(String, String)] = []
    package var annotations: [String: String] = [:]
    /// The image's creation time, in seconds since 1970: the commit's, or the moment of the build.
    package var createdAt: Int64
    /// Whether `createdAt` belongs to the content, as a commit's time does: then it is the same whenever the image is built, and what
    /// `SOURCE_DATE_EPOCH=context` means.
    package var hasContentDate = false
    /// Whether the same content gives the same digest on any machine and at any time: layers tell no time that is newer than
    /// `SOURCE_DATE_EPOCH`, if that is given, else than the base image. Steps see the true times all the same.
    package var isReproducible = false
    /// Whether `createdAt` was asked for by `SOURCE_DATE_EPOCH`.
    var asksForTime = false
    /// `nil` takes the best mode that the machine offers.
    package var isolation: IsolationMode?
    package var format: ImageFormat = .oci
    package var compression = LayerCompression.gzip(level: nil)
    /// Whether all that the Dockerfile adds to its base becomes one layer.
    package var isSingleLayer = false
    /// Paths of the image that new layers do not have, nor what is below them.
    package var ignoredPaths: [String] = []
    /// How long one RUN step may take.
    package var stepTimeout: Duration?
    /// Bytes of output that a RUN step may print; the rest is dropped, and said to be.
    package var stepOutputLimit = 64 << 20
    /// Processes that a RUN step may have at a time.
    package var stepProcessLimit = 4096
    /// Bytes of memory that a RUN step may take, where the machine lets steps have control groups of their own.
    package var stepMemoryLimit: Int64?
    /// Whose the caches of `RUN --mount=type=cache` are, such as a repository's URL without credentials. Builds of other namespaces
    /// see neither the caches nor the layers of steps that used them.
    package var cacheNamespace = ""
    /// Values of `RUN --mount=type=secret`, by id.
    package var secrets: [String: [UInt8]] = [:]
    /// The agents of `RUN --mount=type=ssh`, by id.
    package var sshAgents: [String: SSHAgentSource] = [:]
    package var noCache = false
    /// The step cache that machines share; `nil` for none.
    package var remoteCache: RemoteCache?
    /// Whether the layers of RUN steps are looked for in caches.
    package var cachesRuns = true
    /// The same for COPY, ADD and WORKDIR.
    package var cachesCopies = true
    /// Whether each step that is not in the cache is explained.
    package var explainsCache = false
    /// Where layers are sent to as soon as they are made. Manifests and tags come with `Builder.push`.
    package var uploads: [ImageLocation] = []
    /// Waited for before a step is done that no cache knows; what it throws ends the build.
    package var mayBegin: (@Sendable () async throws(BuildError) -> Void)?
    /// How many steps of different stages may run at once; `nil`: as many as there are processors, and two at least.
    package var jobs: Int?
    /// Bytes that one file of a context may have.
    package var contextFileLimit = Int64.max
    /// Bytes that a file of ADD from the web may have.
    package var remoteSizeLimit: Int64 = 32 << 30

    /// Dates the image and what its layers tell of new files, as SOURCE_DATE_EPOCH does.
    package mutating func date(by seconds: Int64) {
        createdAt = seconds
        asksForTime = true
        isReproducible = true
    }

    /// Whether the image's date is the same whenever it is built.
    var hasFixedDate: Bool { asksForTime || hasContentDate }

    /// The newest time that a layer may tell, on a base; `nil`: times are told as they are.
    func recordLimit(on base: BaseImage?) -> Int64? {
        guard isReproducible else { return nil }
        return asksForTime ? createdAt : base?.newestTime ?? BaseImage.timeOnScratch
    }

    package init(
        context: any BuildContext, dockerfile: DockerfileSource = .path("Dockerfile"), platform: Platform = .host,
        createdAt: Int64
    ) {
        self.context = context
        self.dockerfile = dockerfile
        self.platform = platform
        self.createdAt = createdAt
    }
}

/// A context with a name: it takes the place of a stage, an image or a `--from` source of that name.
package enum NamedContext: Sendable {
    case context(any BuildContext)
    case directory(path: String)
    case image(ImageLocation)
    case git(GitLocator)
    /// A file of the web: an archive becomes its files, anything else a file called `context`.
    case url(String)
    /// Another stage of the Dockerfile.
    case stage(String)

    var stageName: String? { if case .stage(let name) = self { name } else { nil } }

    /// Reads the form of the command line and of the agent's configuration, whose author may read this machine: `docker-image://REF`, `oci-layout:///PATH[:TAG][@DIGEST]`, `target:STAGE`, a git
    /// repository, a URL or a directory.
    package init(_ text: String) throws(BuildError) {
        func location(_ name: String) throws(BuildError) -> ImageLocation {
            do { return try ImageLocation(name) } catch {
                throw BuildError(.dockerfile, "cannot read the build context '\(text)'", from: error)
            }
        }
        guard !text.isEmpty else {
            throw BuildError(.dockerfile, "a build context has no value", hint: "write NAME=DIRECTORY")
        }
        if let stage = text.dropping("target:") {
            self = .stage(stage)
        } else if GitLocator.isGit(text) {
            self = .git(try GitLocator(text))
        } else if text.hasPrefix("https://") || text.hasPrefix("http://") {
            try RemoteName.refuseCredentials(in: text)
            self = .url(text)
        } else if text == "docker-image://scratch" {
            self = .context(EmptyContext())
        } else if let reference = text.dropping("docker-image://") {
            self = .image(try location(reference))
        } else if let path = text.dropping("oci-layout://") {
            self = .image(try location("oci:" + path))
        } else if text.hasPrefix("oci:") {
            self = .image(try location(text))
        } else if text.contains("://") {
            throw BuildError(
                .unsupported, "build contexts of this kind are not supported", place: RemoteName.shown(text),
                hint:
                    "use a directory, docker-image://REFERENCE, oci-layout:///PATH, target:STAGE, a git repository or an http(s) URL"
            )
        } else {
            self = .directory(path: text)
        }
    }
}

extension String {
    func dropping(_ prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
