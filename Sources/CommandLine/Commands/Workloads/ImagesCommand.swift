import Agent
package import ArgumentParser
import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller
import Text

/// `slipway images`: `fluxctl list-images`.
package struct ImagesCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "images",
        abstract: "List the images that workloads run and could run.",
        discussion: """
            Reads the manifests of the branch's head and asks the registries. The newest image comes first, for filters \
            by semver the highest version; above '-> are the images that are newer than the one in the manifest. An \
            agent that runs on the state directory and watches the repository does it.

            EXAMPLES
              slipway images --repo https://git.example.com/acme/shop.git -w shop:deployment/web
              slipway images --config /etc/slipway/agent.yaml --limit 0 --output json
            """)

    @OptionGroup var repository: RepositoryOptions

    @OptionGroup var server: ServerOptions

    @Option(
        name: [.customShort("w"), .long],
        help: ArgumentHelp("Only this workload: [NAMESPACE:]KIND/NAME.", valueName: "id"))
    var workload: String?

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("Only this namespace; with --workload, the one of a name without.", valueName: "name"))
    var namespace: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("How many images are shown; 0 for all.", valueName: "number"))
    var limit = 10

    @Flag(name: .customLong("no-headers"), help: "Leave out the line of headers.")
    var noHeaders = false

    @Option(name: .shortAndLong, help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func validate() throws {
        if limit < 0 { throw ValidationError("--limit \(limit): write 0 for all, or how many") }
        _ = try identifier()
    }

    private func identifier() throws -> String? {
        try workload.map {
            try WorkloadID.argument($0, flag: "--workload", namespace: namespace ?? "default").description
        }
    }

    package mutating func run() async throws {
        let console = Console()
        let id = try identifier()
        var rows: [ImageListing.Workload]
        do {
            rows = try await WorkloadAccess.open(repository, server: server, on: console).images(
                WorkloadFilter(workload: id, namespace: id == nil ? namespace : nil), console)
        } catch let error as any Diagnostic {
            console.alert("error: \(error)")
            throw ExitCode(1)
        }
        if let id, rows.isEmpty {
            console.alert("error: \(id): not found in repository")
            throw ExitCode(1)
        }
        switch output {
        case .json:
            if limit > 0 {
                for row in rows.indices {
                    for container in rows[row].containers.indices {
                        rows[row].containers[container].available = Array(
                            rows[row].containers[container].available.prefix(limit))
                    }
                }
            }
            console.result(String(decoding: try CanonicalJSON.encode(rows), as: UTF8.self))
        case .text:
            var table: [[String]] = noHeaders ? [] : [["WORKLOAD", "CONTAINER", "IMAGE", "CREATED"]]
            for row in rows {
                for (index, container) in row.containers.enumerated() {
                    table += lines(container, of: index == 0 ? row.id : "")
                }
            }
            for line in TextTable.lines(table) { console.result(line) }
        }
    }

    /// A container's part of the table, with fluxctl's signs.
    private func lines(_ container: ImageListing.Container, of workload: String) -> [[String]] {
        let current = WrittenReference(container.image)
        var lines = [[workload, container.name, current.name, container.availableError ?? ""]]
        var isFound = false
        for (index, image) in container.available.enumerated() {
            let isCurrent = image.tag == current.tag
            let sign = isCurrent ? "'->" : isFound ? "   " : "|  "
            if isCurrent { isFound = true }
            guard limit == 0 || index < limit || isCurrent else { continue }
            if limit > 0, index > limit { lines.append(["", "", ": (\(index - limit) image(s) omitted)", ""]) }
            let created = image.created.flatMap { UTCDate.seconds(rfc3339: $0) }
            lines.append(
                [
                    "", "", "\(sign) \(image.tag)",
                    created.map { UTCDate(secondsSince1970: $0).rfc822 } ?? "",
                ])
        }
        if !isFound { lines.append(["", "", "'-> \(current.tag ?? "(untagged)")", "?"]) }
        return lines
    }
}
