import Agent
package import ArgumentParser
import Diagnostics
import OCI

/// `slipway workloads`: what `fluxctl list-workloads` shows, from the manifests in git.
package struct WorkloadsCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "workloads",
        abstract: "List the workloads of a repository with their images and policies.",
        discussion: """
            Reads the manifests of the branch's head; no cluster is asked, so that nothing is said of a release's state. An \
            agent that runs on the state directory and watches the repository does it.

            EXAMPLES
              slipway workloads --repo https://git.example.com/acme/shop.git --branch main
              slipway workloads --config /etc/slipway/agent.yaml --namespace shop --output json
            """)

    @OptionGroup var repository: RepositoryOptions

    @OptionGroup var server: ServerOptions

    @Option(name: [.customShort("n"), .long], help: ArgumentHelp("Only this namespace.", valueName: "name"))
    var namespace: String?

    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp("Only workloads that have this container.", valueName: "name"))
    var container: String?

    @Flag(name: .customLong("no-headers"), help: "Leave out the line of headers.")
    var noHeaders = false

    @Flag(name: [.customShort("a"), .customLong("all-namespaces")], help: "All namespaces: the default.")
    var allNamespaces = false

    @Option(name: .shortAndLong, help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func validate() throws {
        if allNamespaces, namespace != nil {
            throw ValidationError("--all-namespaces and --namespace exclude each other")
        }
    }

    package mutating func run() async throws {
        let console = Console()
        var rows: [WorkloadListing.Workload]
        do {
            rows = try await WorkloadAccess.open(repository, server: server, on: console).list(console)
        } catch let error as any Diagnostic {
            console.alert("error: \(error)")
            throw ExitCode(1)
        }
        if let namespace { rows.removeAll { !$0.id.hasPrefix(namespace + ":") } }
        // As fluxctl does: the whole workload, when one of its containers has the name.
        if let container { rows.removeAll { !$0.containers.contains { $0.name == container } } }
        switch output {
        case .json: console.result(String(decoding: try CanonicalJSON.encode(rows), as: UTF8.self))
        case .text:
            var table: [[String]] = noHeaders ? [] : [["WORKLOAD", "CONTAINER", "IMAGE", "RELEASE", "POLICY"]]
            for row in rows {
                for (index, item) in row.containers.enumerated() {
                    table.append(
                        index == 0
                            ? [row.id, item.name, item.image, "", row.policies.joined(separator: ",")]
                            : ["", item.name, item.image, "", ""])
                }
            }
            for line in TextTable.lines(table) { console.result(line) }
        }
    }
}
