package import ArgumentParser
import Diagnostics
import Glibc
import OCI
import Registry
import RegistryPoller
import Text

/// `slipway policy select`: one policy over tags that are given or that a repository has.
package struct PolicySelectCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "select",
        abstract: "Choose a tag by a policy.",
        discussion: """
            Tags come from standard input, one a line, optionally followed by a tab and the image's creation time (RFC 3339), \
            or from a repository. The chosen tag is printed; when there is none, the reason is on standard error and the \
            exit code is 3. The order of the tags does not matter, and a choice that would go back from --current is none.

            Without an order (--semver, --alphabetical, --numerical, --newest-build, --digest) the newest image wins of the \
            tags that --glob, --regexp and --filter let pass. Regular expressions are RE2's, as in Go.

            --dialect gives a policy the meaning that it has in another tool: flux1 (--semver, --glob, --regexp, or the \
            annotation's text as --policy), flux2 (--semver, --alphabetical, --numerical with --filter and --extract), argocd \
            (--semver, --newest-build, --alphabetical, --digest with --regexp for allow-tags and --ignore for ignore-tags) \
            and keel (--policy all|major|minor|patch|force|glob:…|regexp:… with --current). docs/policies.md has the details.

            EXAMPLES
              printf '1.4.9\\n1.10.0\\n2.0.0\\n' | slipway policy select --semver '^1'
              printf 'main-7\\nmain-12\\ndev-99\\n' | slipway policy select --filter '^main-(?P<n>[0-9]+)$' --extract '$n' --numerical asc
              printf 'v1\\t2024-05-01T10:00:00Z\\nv2\\t2024-04-01T10:00:00Z\\n' | slipway policy select --newest-build --explain
              slipway policy select --repository registry.example.com/acme/app --glob 'main-*' --output json
              printf '1.2.4\\n1.3.0\\n' | slipway policy select --dialect keel --policy patch --current 1.2.3
            """)

    @Option(help: ArgumentHelp("Versions in a range, the highest one.", valueName: "range"))
    var semver: String?

    @Option(help: ArgumentHelp("The last (asc) or first (desc) tag in byte order.", valueName: "asc|desc"))
    var alphabetical: String?

    @Option(help: ArgumentHelp("The highest (asc) or lowest (desc) number.", valueName: "asc|desc"))
    var numerical: String?

    @Flag(name: .customLong("newest-build"), help: "The image that was made last.")
    var newestBuild = false

    @Option(help: ArgumentHelp("This tag, whatever it points at.", valueName: "tag"))
    var digest: String?

    @Option(help: ArgumentHelp("Only tags that match a pattern, in which * is any text.", valueName: "pattern"))
    var glob: String?

    @Option(help: ArgumentHelp("Only tags with a match of a regular expression.", valueName: "re"))
    var regexp: String?

    @Option(
        help: ArgumentHelp(
            "Only tags with a match of a regular expression, whose groups --extract names.", valueName: "re"))
    var filter: String?

    @Option(
        help: ArgumentHelp("What of a tag is ordered: $name, ${name}, $1 of --filter's groups.", valueName: "template"))
    var extract: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "No tags with a match of a regular expression. Signatures and attestations are always left out. Repeatable.",
            valueName: "re"))
    var exclude: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "No tags that match a pattern with *, ? and […]; a comma separates several. Repeatable.",
            valueName: "pattern"))
    var ignore: [String] = []

    @Option(
        help: ArgumentHelp(
            "The policy as one text, as annotations have it: 'semver:~1.2', 'glob:v*', 'regexp:^v', 'numerical:asc'.",
            valueName: "text"))
    var policy: String?

    @Option(help: ArgumentHelp("Whose rules: slipway, flux1, flux2, argocd or keel.", valueName: "name"))
    var dialect: PolicyDialect = .slipway

    @Flag(name: .customLong("match-tag"), help: "Keel's matchTag: with 'force', only the tag that is in use.")
    var matchTag = false

    @Flag(
        name: .customLong("match-pre-release"), inversion: .prefixedNo,
        help: "Keel's matchPreRelease: the pre-release part stays what it is.")
    var matchPreRelease = true

    @Option(help: ArgumentHelp("The tag that is in use: no step back from it.", valueName: "tag"))
    var current: String?

    @Flag(name: .customLong("allow-downgrade"), help: "Also choose a tag that comes before the one in use.")
    var allowDowngrade = false

    @Option(help: ArgumentHelp("Take the tags of a repository.", valueName: "repository"))
    var repository: String?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "With --repository: only images for this platform. Repeatable: for all of them.", valueName: "os/arch"))
    var platform: [String] = []

    @Flag(help: "Say on standard error why each tag is or is not chosen.")
    var explain = false

    @OptionGroup var client: RegistryClientOptions

    package init() {}

    package mutating func run() async throws {
        let chosen = try imagePolicy()
        if chosen.needsCurrent, current == nil {
            throw ValidationError("Keel's '\(chosen)' compares with the tag in use: give it as --current TAG")
        }
        let wantsVerdicts = explain || client.output == .json
        let tags: TagList
        var digests: [String: String] = [:]
        if let repository {
            let inventory = try await scan(repository, for: chosen)
            tags = TagList(inventory.tags.map { TagCandidate($0) })
            for record in inventory.tags { digests[record.tag] = record.digest?.description }
        } else {
            guard platform.isEmpty else { throw ValidationError("--platform needs --repository") }
            tags = try TagLines.read()
        }
        let selection = chosen.select(
            from: tags, current: current, allowDowngrade: allowDowngrade, explaining: wantsVerdicts)
        report(selection, chosen, digests, isEmpty: tags.isEmpty)
        if selection.tag == nil { throw ExitCode(3) }
    }

    private func report(
        _ selection: Selection, _ chosen: ImagePolicy, _ digests: [String: String], isEmpty: Bool
    ) {
        let console = client.console
        let reason = isEmpty && repository == nil ? "there are no tags on standard input" : selection.reason
        if explain {
            var text = ""
            for verdict in selection.verdicts {
                text += "\(printable(verdict.tag, limit: 200)): \(verdict.outcome.rawValue): \(verdict.reason)\n"
            }
            if !text.isEmpty { console.alert(String(text.dropLast())) }
        }
        switch client.output {
        case .json:
            console.result(
                SelectionJSON.text(
                    selection, reason: reason, policy: chosen, current: current, digests: digests))
        case .text:
            if let tag = selection.tag { console.result(TerminalText.name(tag)) }
        }
        if selection.tag == nil { console.alert("no tag is chosen: \(reason)") }
    }

    private func scan(_ name: String, for chosen: ImagePolicy) async throws -> TagInventory {
        let image = try ImageLocation(argument: name)
        guard image.tag == nil, image.digest == nil else {
            throw ValidationError("'\(name)' names an image: leave out the tag and the digest")
        }
        var platforms: [Platform] = []
        for text in platform { platforms.append(try Platform(text)) }
        let poller = RegistryPoller(registry: try client.access())
        return try await poller.scan(
            image.repository, needsCreationTime: chosen.needsCreationTime || !platforms.isEmpty, platforms: platforms)
    }

    /// The policy that the flags describe together.
    private func imagePolicy() throws -> ImagePolicy {
        var specification = PolicySpecification(dialect: dialect)
        var orders: [(flag: String, order: PolicySpecification.Order)] = []
        if let semver { orders.append(("--semver", .semver(semver))) }
        if let alphabetical { orders.append(("--alphabetical", .alphabetical(alphabetical))) }
        if let numerical { orders.append(("--numerical", .numerical(numerical))) }
        if newestBuild { orders.append(("--newest-build", .newestBuild)) }
        if let digest { orders.append(("--digest", .digest(digest))) }
        guard orders.count <= 1 else {
            throw ValidationError("\(orders.map(\.flag).joined(separator: " and ")): give one order")
        }
        for (flag, word) in [("--alphabetical", alphabetical), ("--numerical", numerical)] {
            if let word, !["asc", "desc"].contains(word.lowercased()) {
                throw ValidationError("\(flag) '\(word)': write asc (the last one wins) or desc")
            }
        }
        if dialect != .keel, matchTag || !matchPreRelease {
            throw ValidationError("--match-tag and --no-match-pre-release are Keel's: give --dialect keel")
        }
        specification.order = orders.first?.order
        specification.glob = glob
        specification.regexp = regexp
        specification.filter = filter
        specification.extract = extract
        specification.exclude = exclude
        specification.ignore = ignore.flatMap { $0.split(separator: ",").map { $0.trimmingBlanks } }
        specification.matchTag = matchTag
        specification.matchPreRelease = matchPreRelease
        do {
            if let policy {
                guard orders.isEmpty, glob == nil, regexp == nil else {
                    throw ValidationError(
                        "--policy is a whole policy: leave out \(orders.first?.flag ?? "the pattern")")
                }
                try specification.read(policy)
            }
            guard
                policy != nil || !orders.isEmpty || glob != nil || regexp != nil || filter != nil || dialect == .argocd
            else {
                throw ValidationError(
                    "say what to choose by: --semver, --alphabetical, --numerical, --newest-build, --digest, --glob, --regexp, --filter or --policy"
                )
            }
            return try ImagePolicy(specification)
        } catch let error as PolicyError {
            throw ValidationError("\(error)")
        }
    }
}

extension Substring {
    fileprivate var trimmingBlanks: String {
        var text = self
        while text.first == " " || text.first == "\t" { text = text.dropFirst() }
        while text.last == " " || text.last == "\t" { text = text.dropLast() }
        return String(text)
    }
}
