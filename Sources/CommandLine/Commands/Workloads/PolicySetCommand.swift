import Agent
package import ArgumentParser
import Diagnostics
import ManifestUpdater
import RegistryPoller

/// What the commands that edit a workload's annotations have in common.
package struct WorkloadPolicyOptions: ParsableArguments {
    @OptionGroup var repository: RepositoryOptions

    @OptionGroup var server: ServerOptions

    @Option(
        name: [.customShort("w"), .long],
        help: ArgumentHelp("A workload: [NAMESPACE:]KIND/NAME. Repeat for several.", valueName: "id"))
    var workload: [String] = []

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("The namespace of workloads that are named without one.", valueName: "name"))
    var namespace = "default"

    @Option(name: [.customShort("m"), .long], help: ArgumentHelp("Why, for the commit's message.", valueName: "text"))
    var message: String?

    @Option(help: ArgumentHelp("Who asks for it, for the commit's trailers.", valueName: "name"))
    var user: String?

    @Flag(name: .customLong("dry-run"), help: "Change nothing; say what would be changed.")
    var dryRun = false

    @Flag(name: .shortAndLong, help: "Print what was skipped, too.") var verbose: Int

    @Option(name: .shortAndLong, help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    @Flag(name: .customLong("exit-code"), help: "Exit with 3 when nothing changed.")
    var exitCode = false

    package init() {}

    func identifiers() throws -> [String] {
        guard !workload.isEmpty else { throw ValidationError("name a workload: -w NAMESPACE:KIND/NAME") }
        return try workload.flatMap { $0.split(separator: ",").map(String.init) }.map {
            try WorkloadID.argument($0, flag: "--workload", namespace: namespace).description
        }
    }

    /// Edits the annotations, commits, pushes, and prints what fluxctl prints.
    func run(_ update: PolicyUpdate) async throws {
        let console = Console()
        let ids = Set(try identifiers()).sorted()
        let answer: EditAnswer
        do {
            let workloads = try await WorkloadAccess.open(repository, server: server, on: console)
            answer = try await workloads.edit(
                EditRequest(
                    repository: "", policies: PolicyOrder(update, workloads: ids), dryRun: dryRun, user: user,
                    message: message), console)
        } catch let error as any Diagnostic {
            console.alert("error: \(error)")
            throw ExitCode(1)
        }
        try WorkloadResultTable(answer).print(as: output, verbosity: verbose, on: console)
        if answer.workloads.contains(where: { $0.status == "failed" }) { throw ExitCode(1) }
        if exitCode, answer.changes == 0 { throw ExitCode(3) }
    }
}

/// `slipway policy set`: `fluxctl policy`.
package struct PolicySetCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change the policies of workloads: their annotations in git.",
        discussion: """
            An annotation that is there keeps its prefix (fluxcd.io/, flux.weave.works/, slipway.dev/); a new one gets \
            fluxcd.io/. The change is one commit on the branch, with fluxctl's message. An \
            agent that runs on the state directory and watches the repository does it.

            EXAMPLES
              slipway policy set --repo https://git.example.com/acme/shop.git -w shop:deployment/web --automate --tag 'app=semver:~1.4'
              slipway policy set --repo file:///srv/git/shop.git -w deployment/web --tag-all 'v*' -m 'stay on v'
            """)

    @OptionGroup var options: WorkloadPolicyOptions

    @Flag(help: "Follow new images.") var automate = false
    @Flag(help: "Follow no new images.") var deautomate = false
    @Flag(help: "Keep the images as they are.") var lock = false
    @Flag(help: "Let images be changed again.") var unlock = false

    @Option(
        help: ArgumentHelp(
            "Tags that a container may use: semver:~1.4, regexp:^v, 1.*; '*' takes the filter away.",
            valueName: "container=pattern"))
    var tag: [String] = []

    @Option(name: .customLong("tag-all"), help: ArgumentHelp("The same for every container.", valueName: "pattern"))
    var tagAll: String?

    package init() {}

    package mutating func validate() throws {
        _ = try options.identifiers()
        _ = try update()
    }

    private func update() throws -> PolicyUpdate {
        if automate && deautomate { throw ValidationError("--automate and --deautomate exclude each other") }
        if lock && unlock { throw ValidationError("--lock and --unlock exclude each other") }
        var update = PolicyUpdate()
        if automate { update.add["automated"] = "true" }
        if deautomate { update.remove.insert("automated") }
        if lock { update.merge(.lock(user: options.user, message: options.message)) }
        if unlock { update.merge(.unlock) }
        for text in tag {
            let (container, pattern) = try RegistryOptions.pair(text, flag: "--tag")
            try Self.check(pattern, flag: "--tag")
            if pattern == "*" {
                update.remove.insert("tag.\(container)")
            } else {
                update.add["tag.\(container)"] = PolicyUpdate.pattern(pattern)
            }
        }
        if let tagAll {
            try Self.check(tagAll, flag: "--tag-all")
            update.tagAll = PolicyUpdate.pattern(tagAll)
        }
        guard update != PolicyUpdate() else {
            throw ValidationError(
                "say what to change: --automate, --deautomate, --lock, --unlock, --tag CONTAINER=PATTERN or --tag-all PATTERN"
            )
        }
        return update
    }

    private static func check(_ pattern: String, flag: String) throws {
        do {
            _ = try ImagePolicy.parse(PolicyUpdate.pattern(pattern), dialect: .flux1)
        } catch {
            throw ValidationError("\(flag): invalid tag pattern: '\(pattern)': \(error.cause ?? error.summary)")
        }
    }

    package mutating func run() async throws { try await options.run(try update()) }
}

extension PolicyUpdate {
    static func lock(user: String?, message: String?) -> PolicyUpdate {
        var add = ["locked": "true"]
        if let user, !user.isEmpty { add["locked_user"] = user }
        if let message, !message.isEmpty { add["locked_msg"] = message }
        return PolicyUpdate(add: add)
    }

    static let unlock = PolicyUpdate(remove: ["locked", "locked_user", "locked_msg"])

    mutating func merge(_ other: PolicyUpdate) {
        add.merge(other.add) { _, new in new }
        remove.formUnion(other.remove)
    }
}
