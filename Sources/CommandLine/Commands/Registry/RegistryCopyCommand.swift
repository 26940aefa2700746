package import ArgumentParser
import Glibc
import OCI
import Registry

/// `slipway registry copy`: an image from one place to another.
package struct RegistryCopyCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "copy",
        abstract: "Copy an image between registries and OCI layouts, in any direction.",
        discussion: """
            An image for several platforms is copied whole and keeps its digest; with --platform only those parts are (one: \
            its manifest, several: a new index). Blobs that the destination has are not moved, and inside one registry \
            they are mounted. A destination without a tag gets the source's. The digest is printed.

            EXAMPLES
              slipway registry copy debian:12 registry.example.com/mirror/debian:12
              slipway registry copy registry.example.com/acme/app:v1 oci:/srv/images/app:v1 --platform linux/amd64
              slipway registry copy oci:/srv/images/app:v1 localhost:5000/app:v1 --insecure-registry localhost:5000
            """)

    @Argument(help: ArgumentHelp("The image to copy.", valueName: "source"))
    var source: String

    @Argument(help: ArgumentHelp("Where it goes.", valueName: "destination"))
    var destination: String

    @Option(help: ArgumentHelp("Copy only the part for this platform. Repeat for several.", valueName: "os/arch"))
    var platform: [String] = []

    @Option(help: ArgumentHelp("How many blobs move at the same time.", valueName: "number"))
    var concurrency = 4

    @OptionGroup var client: RegistryClientOptions

    package init() {}

    package mutating func validate() throws {
        guard (1...64).contains(concurrency) else { throw ValidationError("--concurrency is a number from 1 to 64") }
    }

    private struct Result: Encodable {
        let source: String
        let destination: String
        let digest: String
        let mediaType: String
        let manifests: Int
        let blobs: Blobs
        let bytes: Int64

        struct Blobs: Encodable {
            let existed: Int
            let mounted: Int
            let copied: Int
        }
    }

    package mutating func run() async throws {
        let from = try ImageLocation(argument: source)
        let to = try ImageLocation(argument: destination)
        let platforms = try platform.map { try Platform($0) }
        let console = client.console
        let copy = ImageCopy(
            registry: try client.access(), platforms: platforms, scratch: Self.scratch, concurrency: concurrency
        ) { event in
            switch event {
            case .blob(let digest, let size, let outcome):
                let word =
                    switch outcome {
                    case .existed: "is there"
                    case .mounted: "mounted"
                    case .uploaded: "copied"
                    }
                console.progress("blob \(digest.short) \(size) bytes: \(word)")
            case .manifest(let digest, let tag):
                console.progress("manifest \(digest.short)" + (tag.map { ": tagged \($0)" } ?? ""))
            }
        }
        let report = try await copy.run(from: from, to: to)
        try client.show(
            Result(
                source: "\(from)", destination: "\(to)", digest: "\(report.digest)", mediaType: "\(report.mediaType)",
                manifests: report.manifests,
                blobs: Result.Blobs(existed: report.existed, mounted: report.mounted, copied: report.uploaded),
                bytes: report.bytes), ["\(report.digest)"])
    }

    /// For blobs between two registries: large, so not in memory as `/tmp` may be.
    private static var scratch: String {
        getenv("TMPDIR").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } ?? "/var/tmp"
    }
}
