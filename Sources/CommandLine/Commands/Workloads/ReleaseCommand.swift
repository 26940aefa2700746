import Agent
package import ArgumentParser
import Diagnostics
import ManifestUpdater

/// `slipway release`: `fluxctl release`.
package struct ReleaseCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Give workloads new images, in git.",
        discussion: """
            Every container of the chosen workloads that runs another tag of the image's repository gets its tag; with \
            --update-all-images, the best image that the container's filter allows. Names stay as they are written, pinned \
            references stay pinned. Locked and ignored workloads are left alone, unless they are named and --force is given; \
            --force also lets a named image pass the filters. An image that its registry does not have is refused; when the \
            registry cannot be asked, a named image is taken with a warning. An \
            agent that runs on the state directory and watches the repository does it.

            Prints WORKLOAD, STATUS and UPDATES; -v also the workloads that were skipped, with the reason, -vv also those \
            that the release is not about.

            EXAMPLES
              slipway release --repo file:///srv/git/shop.git --workload shop:deployment/web --update-image acme/web:v4 --dry-run
              slipway release --config /etc/slipway/agent.yaml --all --exclude shop:deployment/old --update-image acme/web:v4
              slipway release --config /etc/slipway/agent.yaml --all --update-all-images -m 'release week'
            """)

    @OptionGroup var repository: RepositoryOptions

    @OptionGroup var server: ServerOptions

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A workload: [NAMESPACE:]KIND/NAME. Repeat for several.", valueName: "id"))
    var workload: [String] = []

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("The namespace of workloads that are named without one.", valueName: "name"))
    var namespace = "default"

    @Flag(help: "All workloads.") var all = false

    @Option(
        parsing: .singleValue, help: ArgumentHelp("A workload to leave out. Repeat for several.", valueName: "id"))
    var exclude: [String] = []

    @Option(
        name: [.customShort("i"), .customLong("update-image")],
        help: ArgumentHelp("The image with its tag.", valueName: "ref"))
    var updateImage: String?

    @Flag(name: .customLong("update-all-images"), help: "The best image that each container's filter allows.")
    var updateAllImages = false

    @Flag(name: .shortAndLong, help: "Disregard locks of named workloads, and filters for a named image.")
    var force = false

    @Flag(name: .customLong("dry-run"), help: "Change nothing; print what would be done.") var dryRun = false

    @Flag(help: ArgumentHelp("Refused: there is nobody to ask.", visibility: .hidden)) var interactive = false

    @Flag(name: .shortAndLong, help: ArgumentHelp("Refused: no cluster is looked at.", visibility: .hidden))
    var watch = false

    @Option(name: [.customShort("m"), .long], help: ArgumentHelp("Why, for the commit's message.", valueName: "text"))
    var message: String?

    @Option(help: ArgumentHelp("Who asks for it, for the commit's trailers.", valueName: "name"))
    var user: String?

    @Flag(name: .shortAndLong, help: "Print what was skipped; twice, also what was ignored.") var verbose: Int

    @Option(name: .shortAndLong, help: "How the result is printed: text or json.") var output: OutputFormat = .text

    @Flag(name: .customLong("exit-code"), help: "Exit with 3 when nothing changed.") var exitCode = false

    package init() {}

    package mutating func validate() throws {
        if watch {
            throw ValidationError(
                "-w, --watch: Slipway writes to git and looks at no cluster; leave it out, and name workloads by --workload"
            )
        }
        if interactive { throw ValidationError("--interactive: use --dry-run, then name the workloads by --workload") }
        guard (updateImage != nil) != updateAllImages else {
            throw ValidationError("please supply exactly one of --update-image=<image> or --update-all-images")
        }
        if let updateImage, try UpdateCommand.image(updateImage, flag: "--update-image").tag == nil {
            throw ValidationError(
                "--update-image '\(updateImage)': blank tag (if you want latest, explicitly state the tag :latest)")
        }
        guard all || !workload.isEmpty else {
            throw ValidationError("please supply either --all, or at least one --workload=<workload>")
        }
        guard !all || workload.isEmpty else { throw ValidationError("--all and --workload exclude each other") }
        if force, all, updateAllImages {
            throw ValidationError("--force has no effect when used with --all and --update-all-images")
        }
        _ = try named()
        _ = try excluded()
    }

    private func named() throws -> [String] { try identifiers(workload, "--workload") }

    private func excluded() throws -> [String] { try identifiers(exclude, "--exclude") }

    private func identifiers(_ texts: [String], _ flag: String) throws -> [String] {
        try texts.flatMap { $0.split(separator: ",").map(String.init) }.map {
            try WorkloadID.argument($0, flag: flag, namespace: namespace).description
        }
    }

    package mutating func run() async throws {
        let console = Console()
        let (named, excluded) = (try named(), try excluded())
        if force, all {
            console.alert("Warning: --force will not ignore locked workloads when used with --all")
        } else if force, updateAllImages {
            console.alert("Warning: --force will not ignore container image tags when used with --update-all-images")
        }
        console.progress(dryRun ? "Submitting dry-run release ..." : "Submitting release ...")
        let answer: EditAnswer
        do {
            let workloads = try await WorkloadAccess.open(repository, server: server, on: console)
            answer = try await workloads.edit(
                EditRequest(
                    repository: "",
                    release: ReleaseOrder(
                        workloads: named, excluded: excluded, image: updateImage, latest: updateAllImages, force: force),
                    dryRun: dryRun, user: user, message: message), console)
        } catch let error as any Diagnostic {
            console.alert("error: \(error)")
            throw ExitCode(1)
        }
        for id in answer.missing { console.alert("warning: \(id): \(Release.notFound)") }
        try WorkloadResultTable(answer).print(as: output, verbosity: verbose, on: console)
        if answer.workloads.contains(where: { $0.status == "failed" }) { throw ExitCode(1) }
        if !named.isEmpty, answer.missing.count == named.count { throw ExitCode(1) }
        if exitCode, answer.changes == 0 { throw ExitCode(3) }
    }
}
