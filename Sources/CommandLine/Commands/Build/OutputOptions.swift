import Agent
import ArgumentParser
import Glibc

/// Where `slipway build` puts the image, and what it says of it.
struct OutputOptions: ParsableArguments {
    @Option(
        name: [.customShort("d"), .long],
        help: ArgumentHelp(
            "Where the image is pushed: REGISTRY/REPOSITORY:TAG or oci:/DIRECTORY:TAG. Repeat for several.",
            valueName: "image"))
    var destination: [String] = []

    @Flag(name: .customLong("no-push"), help: "Push nothing; also by KANIKO_NO_PUSH=true.")
    var noPush = false

    @Option(
        name: .customLong("tar-path"),
        help: ArgumentHelp(
            "Write the image as an archive for 'docker load', with the destinations' names.", valueName: "file"))
    var tarPath: String?

    @Option(
        name: .customLong("oci-layout-path"),
        help: ArgumentHelp(
            "Write the image as an OCI layout, which then holds this image only.", valueName: "directory"))
    var layoutPath: String?

    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp(
            "How the result is printed, text or json; or one more place for the image: type=oci,dest=FILE|DIRECTORY/ (tar=false), type=docker,dest=FILE, type=registry,name=IMAGE. Repeat for several; dest=- is standard output.",
            valueName: "output"))
    var output: [String] = []

    @Option(
        name: .customLong("digest-file"),
        help: ArgumentHelp("Write the image's digest to a file, or PUT it to an https URL.", valueName: "file"))
    var digestFile: String?

    @Option(
        name: .customLong("image-name-with-digest-file"),
        help: ArgumentHelp("Write REPOSITORY@DIGEST of every destination.", valueName: "file"))
    var nameFile: String?

    @Option(
        name: .customLong("image-name-tag-with-digest-file"),
        help: ArgumentHelp("Write REPOSITORY:TAG@DIGEST of every destination.", valueName: "file"))
    var nameTagFile: String?

    @Flag(
        name: .customLong("push-by-digest"),
        help: "Push the image to the repositories of its destinations and give it no tag.")
    var pushesByDigest = false

    @Option(
        name: .customLong("result-file"),
        help: ArgumentHelp(
            "Write how the build ended as JSON: the digest, or what failed. /dev/termination-log in a pod.",
            valueName: "file"))
    var resultFile: String?

    @Flag(
        name: .customLong("skip-push-permission-check"),
        help: "Do not ask the registry before the build whether it takes uploads.")
    var skipsPermissionCheck = false

    @Flag(
        name: .customLong("push-ignore-immutable-tag-errors"),
        help: "Be content with a tag that the registry does not let be moved.")
    var ignoresImmutableTags = false

    mutating func validate() throws {
        if let text = Self.environment("KANIKO_NO_PUSH") {
            guard let value = GoBoolean.parse(text) else {
                throw ValidationError("KANIKO_NO_PUSH is '\(text)', which is neither true nor false")
            }
            if value { noPush = true }
        }
    }

    /// Whether the options go together; apart from `validate`, so that what is said about single ones is told first.
    func check() throws {
        let extra = try outputs()
        if destination.isEmpty, !noPush, tarPath == nil, layoutPath == nil, extra.isEmpty {
            throw ValidationError("say where the image goes with --destination, or --no-push")
        }
        if destination.isEmpty {
            for (name, file) in [
                ("--image-name-with-digest-file", nameFile), ("--image-name-tag-with-digest-file", nameTagFile),
            ] where file != nil { throw ValidationError("\(name) names the image, so it needs a --destination") }
        }
        for file in [digestFile, nameFile, nameTagFile].compactMap({ $0 }) where file.hasPrefix("http://") {
            throw ValidationError("a digest is sent by HTTPS only: use https:// or a file")
        }
        let piped = extra.filter(\.isStandardOutput).count + (tarPath == "-" ? 1 : 0)
        if piped > 1 { throw ValidationError("only one archive can go to standard output") }
    }

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// How the result is printed.
    var format: OutputFormat { output.compactMap { OutputFormat(rawValue: $0) }.last ?? .text }

    /// The further places that `--output` names.
    func outputs() throws -> [ImageOutput] {
        try output.filter { OutputFormat(rawValue: $0) == nil }.map { try ImageOutput($0) }
    }
}

/// One `--output` in BuildKit's form: https://docs.docker.com/build/exporters/
struct ImageOutput: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case layoutDirectory(String)
        case layoutArchive(String)
        case dockerArchive(String)
        case push(String)
    }

    var kind: Kind
    /// The image's names in an archive.
    var names: [String] = []
    /// `rewrite-timestamp=true`: the image is to be a reproducible one. There is one image, so this is about all places.
    var rewritesTimes = false

    var isStandardOutput: Bool {
        switch kind {
        case .layoutArchive(let path), .dockerArchive(let path): path == "-"
        default: false
        }
    }

    init(_ text: String) throws {
        func wrong(_ what: String) -> ValidationError {
            ValidationError(
                "--output '\(text)' \(what); write text, json, type=oci,dest=PATH, type=docker,dest=FILE or type=registry,name=IMAGE"
            )
        }
        var fields: [String: String] = [:]
        for field in text.split(separator: ",") {
            let sides = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard sides.count == 2, !sides[1].isEmpty else { throw wrong("has a field without a value: '\(field)'") }
            // A name may hold commas between several, which split as fields without '='.
            guard fields.updateValue(sides[1], forKey: sides[0]) == nil else { throw wrong("says '\(sides[0])' twice") }
        }
        guard let type = fields.removeValue(forKey: "type") else { throw wrong("has no type") }
        let destination = fields.removeValue(forKey: "dest")
        let name = fields.removeValue(forKey: "name")
        func needed(_ value: String?, _ what: String) throws -> String {
            guard let value else { throw wrong("has no \(what)") }
            return value
        }
        func flag(_ name: String) throws -> Bool? {
            guard let text = fields.removeValue(forKey: name) else { return nil }
            guard let value = GoBoolean.parse(text) else { throw wrong("has '\(text)' for '\(name)', no truth value") }
            return value
        }
        switch type {
        case "oci":
            let path = try needed(destination, "dest")
            let isArchive = try flag("tar") ?? !path.hasSuffix("/")
            kind = isArchive ? .layoutArchive(path) : .layoutDirectory(path)
            guard isArchive || path != "-" else { throw wrong("cannot write a directory to standard output") }
        case "docker": kind = .dockerArchive(try needed(destination, "dest"))
        case "registry": kind = .push(try needed(name, "name"))
        case "image":
            kind = .push(try needed(name, "name"))
            guard try flag("push") == true else {
                throw wrong("goes nowhere: there is no image store here; add push=true")
            }
        case "local", "tar":
            throw wrong("asks for the image's files alone, which is not supported: unpack an OCI layout with umoci")
        default: throw wrong("is of the unknown type '\(type)'")
        }
        rewritesTimes = try flag("rewrite-timestamp") ?? false
        if case .push = kind {} else { names = [name].compactMap { $0 } }
        if let unknown = fields.keys.sorted().first { throw wrong("has the unknown field '\(unknown)'") }
    }
}
