package import ArgumentParser
import OCI
import Registry

/// Which document a name stands for.
struct ManifestChoice: ParsableArguments {
    @Argument(help: ArgumentHelp("The image.", valueName: "image"))
    var image: String

    @Option(
        help: ArgumentHelp(
            "Of an image for several platforms, the manifest for this one instead of the index.", valueName: "os/arch"))
    var platform: String?

    func read(_ access: RegistryAccess) async throws -> (ImageLocation, RawManifest, any ImageRepository) {
        let image = try ImageLocation(argument: image)
        let wanted = try platform.map { try Platform($0) }
        var failures = PullFailures()
        for repository in access.pullCandidates(image.repository) {
            do throws(RegistryError) {
                let found =
                    if let wanted {
                        try await repository.manifest(tag: image.tag, digest: image.digest, platform: wanted)
                    } else { try await repository.manifest(tag: image.tag, digest: image.digest) }
                if let found { return (image, found, repository) }
                failures.add(missing: repository.location)
            } catch {
                failures.add(error)
            }
        }
        throw failures.error ?? RegistryError(.notFound, "there is no such image", place: "\(image.withDefaultTag)")
    }
}

/// `slipway registry manifest`: a manifest as it is.
package struct RegistryManifestCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "manifest",
        abstract: "Print an image's manifest or index, byte by byte as the registry has it.",
        discussion: """
            The bytes are those of the digest: `slipway registry manifest IMAGE | sha256sum` is the image's digest. With \
            --output json they come as 'manifest' beside 'digest', 'mediaType' and 'size'.

            EXAMPLES
              slipway registry manifest registry.example.com/acme/app:v1
              slipway registry manifest debian:12 --platform linux/arm64
              slipway registry manifest oci:/srv/images/app:v1 --image-config
            """)

    @OptionGroup var choice: ManifestChoice

    @Flag(name: .customLong("image-config"), help: "Print the image's configuration instead of its manifest.")
    var imageConfig = false

    @OptionGroup var client: RegistryClientOptions

    package init() {}

    package mutating func run() async throws {
        var (image, raw, repository) = try await choice.read(client.access())
        if imageConfig {
            if raw.mediaType.isIndex {
                guard let one = try await repository.manifest(tag: nil, digest: raw.digest, platform: .host) else {
                    throw RegistryError(.notFound, "the image's manifest is not there", place: "\(image)")
                }
                raw = one
            }
            let descriptor = try CanonicalJSON.decode(Manifest.self, from: raw.bytes).config
            raw = RawManifest(
                bytes: try await repository.blob(descriptor, limit: 8 << 20), mediaType: descriptor.mediaType,
                digest: descriptor.digest)
        }
        switch client.output {
        case .text: client.console.result(bytes: raw.bytes)
        case .json:
            // The document is put in as it is, so that no number and no key changes.
            let head = """
                {"digest":"\(raw.digest)","image":\(try Self.quoted("\(image)")),\
                "\(imageConfig ? "config" : "manifest")":
                """
            let tail = #","mediaType":\#(try Self.quoted("\(raw.mediaType)")),"size":\#(raw.bytes.count)}"#
            client.console.result(bytes: Array(head.utf8) + raw.bytes + Array((tail + "\n").utf8))
        }
    }

    private static func quoted(_ text: String) throws -> String {
        String(decoding: try CanonicalJSON.encode(text), as: UTF8.self)
    }
}

/// `slipway registry digest`: what a name points at.
package struct RegistryDigestCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "digest",
        abstract: "Print the digest of an image, OCI or Docker, for several platforms or one.",
        discussion: """
            EXAMPLES
              slipway registry digest registry.example.com/acme/app:v1
              slipway registry digest debian:12 --platform linux/arm64 --output json
            """)

    @OptionGroup var choice: ManifestChoice

    @OptionGroup var client: RegistryClientOptions

    package init() {}

    private struct Result: Encodable {
        let image: String
        let digest: String
        let mediaType: String
        let size: Int
    }

    package mutating func run() async throws {
        let (image, raw, _) = try await choice.read(client.access())
        try client.show(
            Result(image: "\(image)", digest: "\(raw.digest)", mediaType: "\(raw.mediaType)", size: raw.bytes.count),
            ["\(raw.digest)"])
    }
}
