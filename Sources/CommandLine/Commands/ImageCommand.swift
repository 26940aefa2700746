package import ArgumentParser
import OCI

/// `slipway image`: about the names of images.
package struct ImageCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Take the names of images apart.", subcommands: [ImageParseCommand.self])

    package init() {}
}

/// `slipway image parse`: a name as it is understood.
package struct ImageParseCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "parse",
        abstract: "Say what an image's name means: registry, repository, tag, digest.",
        discussion: """
            Names are read as Docker reads them: without a registry they are Docker Hub's, and there a single word is in \
            library/. oci:/DIRECTORY[:TAG][@DIGEST] is an OCI layout on disk. What is not an image's name is an error.

            EXAMPLES
              slipway image parse nginx:1.25
              slipway image parse localhost:5000/acme/app:v1 --output json
            """)

    @Argument(help: ArgumentHelp("The name.", valueName: "image"))
    var image: String

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    private struct Result: Encodable {
        var kind: String
        var reference: String
        var familiar: String
        var registry: String?
        var repository: String?
        var path: String?
        var tag: String?
        var digest: String?

        enum CodingKeys: String, CodingKey {
            case kind, reference, familiar, registry, repository, path, tag, digest
        }

        /// Absent parts are `null`, so that a reader finds every key.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(kind, forKey: .kind)
            try container.encode(reference, forKey: .reference)
            try container.encode(familiar, forKey: .familiar)
            try container.encode(registry, forKey: .registry)
            try container.encode(repository, forKey: .repository)
            try container.encode(path, forKey: .path)
            try container.encode(tag, forKey: .tag)
            try container.encode(digest, forKey: .digest)
        }

        var lines: [String] {
            [
                ("reference", reference), ("registry", registry), ("repository", repository), ("path", path),
                ("tag", tag), ("digest", digest),
            ].compactMap { name, value in value.map { "\(name): \($0)" } }
        }
    }

    package mutating func run() async throws {
        let location = try ImageLocation(image)
        var result = Result(kind: "registry", reference: "\(location)", familiar: location.familiar)
        result.tag = location.tag
        result.digest = location.digest?.description
        switch location.repository {
        case .registry(let host, let path):
            result.registry = host
            result.repository = path
        case .layout(let path):
            result.kind = "layout"
            result.path = path
        }
        let console = Console()
        switch output {
        case .json: console.result(String(decoding: try CanonicalJSON.encode(result), as: UTF8.self))
        case .text: console.result(result.lines.joined(separator: "\n"))
        }
    }
}
