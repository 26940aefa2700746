import ArgumentParser
import Builder
import Text

/// What `slipway build` makes of the Dockerfile.
struct ImageOptions: ParsableArguments {
    @Option(
        name: .customLong("build-arg"),
        help: ArgumentHelp("The value of an ARG; a name alone takes it from the environment.", valueName: "name=value"))
    var buildArguments: [String] = []

    @Option(
        help: ArgumentHelp(
            "The stage to build; the last one by default. Of several, the first becomes the image and the others are built too.",
            valueName: "stage"))
    var target: [String] = []

    @Option(
        name: .customLong("skip-unused-stages"),
        help: ArgumentHelp(
            "With false, stages before the target are built that it does not need.", valueName: "true|false"))
    var skipUnusedStages: Toggle?

    @Option(help: ArgumentHelp("A label of the image; a name alone has an empty value.", valueName: "name=value"))
    var label: [String] = []

    @Option(help: ArgumentHelp("An annotation of the manifest.", valueName: "name=value"))
    var annotation: [String] = []

    @Option(
        name: [.long, .customLong("custom-platform")],
        help: ArgumentHelp(
            "The platform of base images and of the image. Several, by commas or repeated, give one index.",
            valueName: "os/arch"))
    var platform: [String] = []

    @Option(
        help: ArgumentHelp(
            "A secret for RUN --mount=type=secret, from a file or from the environment. It reaches neither image nor log.",
            valueName: "id=name,src=file|env=variable"))
    var secret: [String] = []

    @Option(
        name: .customLong("image-format"),
        help: ArgumentHelp("The media types of the image: oci or docker.", valueName: "format"))
    var format: BuildRequest.ImageFormat = .oci

    @Option(help: ArgumentHelp("How new layers are compressed: gzip or zstd.", valueName: "algorithm"))
    var compression: CompressionChoice = .gzip

    @Option(
        name: .customLong("compression-level"),
        help: ArgumentHelp(
            "From 0 (fast) to 12 (small) for gzip, from 1 to 22 for zstd; -1 for the usual.", valueName: "number"))
    var compressionLevel: Int = -1

    @Flag(help: "Date the image and its new files by 1970, or by SOURCE_DATE_EPOCH: the same input, the same digest.")
    var reproducible = false

    @Option(
        help: ArgumentHelp(
            "The image's date instead of the commit's or of now, such as 2026-11-30T08:28:00Z.", valueName: "time"))
    var created: String?

    @Flag(name: .customLong("single-snapshot"), help: "Make one layer of all that the Dockerfile adds to the base.")
    var singleSnapshot = false

    @Option(
        name: .customLong("ignore-path"),
        help: ArgumentHelp(
            "Leave a path, and what is below, out of the new layers. Repeat for several.", valueName: "path"))
    var ignoredPaths: [String] = []

    @Option(
        name: .customLong("ignore-var-run"),
        help: ArgumentHelp(
            "With true, leave /var/run out of the new layers; it is kept by default.", valueName: "true|false"))
    var ignoresVarRun: Toggle?

    enum CompressionChoice: String, ExpressibleByArgument, CaseIterable { case gzip, zstd }

    /// In seconds since 1970.
    var createdAt: Int64? { created.flatMap { UTCDate.seconds(rfc3339: $0) } }

    mutating func validate() throws {
        if let created, createdAt == nil {
            throw ValidationError("--created '\(created)' is not a date: write it as 2026-11-30T08:28:00Z")
        }
        switch compression {
        case .gzip where !(-1...12).contains(compressionLevel):
            throw ValidationError("--compression-level is \(compressionLevel); gzip has the levels 0 to 12, or -1")
        case .zstd where compressionLevel != -1 && !(1...22).contains(compressionLevel):
            throw ValidationError("--compression-level is \(compressionLevel); zstd has the levels 1 to 22, or -1")
        case .zstd where format == .docker:
            throw ValidationError(
                "--compression zstd with --image-format docker: Docker's format has no zstd layers; use --image-format oci"
            )
        default: break
        }
    }

    var layerCompression: BuildRequest.LayerCompression {
        let level = compressionLevel < 0 ? nil : Int32(compressionLevel)
        return compression == .gzip ? .gzip(level: level) : .zstd(level: level)
    }
}

extension BuildRequest.ImageFormat: ExpressibleByArgument {}
