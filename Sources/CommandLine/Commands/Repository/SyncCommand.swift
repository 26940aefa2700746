import Agent
package import ArgumentParser
import Diagnostics
import OCI

/// `slipway sync`: one cycle now.
package struct SyncCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract: "Run one cycle now: build what changed, push it, update the manifests, commit.",
        discussion: """
            Progress goes to standard error, the result to standard output. Where an agent runs on the state directory and \
            watches the repository, it does the work, by its own configuration, and this command shows it.

            EXAMPLES
              slipway sync --repo https://git.example.com/acme/shop.git --branch main
              slipway sync --repo file:///srv/git/shop.git --branch main --registry-map docker.io=oci:/srv/images
              slipway sync --config /etc/slipway/agent.yaml --name shop --output json
              slipway sync --server https://slipway.example.com --token-file token --name shop
            """)

    @OptionGroup var options: CycleOptions

    package init() {}

    package mutating func run() async throws { try await options.run(.complete) }
}

/// `slipway plan`: what a cycle would do.
package struct PlanCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what sync would do: the builds, the tags chosen, the exact diff of the commit.",
        discussion: """
            Reads git and the registries; builds, pushes and commits nothing. An agent that runs on the state directory and \
            watches the repository is asked.

            EXAMPLES
              slipway plan --repo https://git.example.com/acme/shop.git --branch main
              slipway plan --config /etc/slipway/agent.yaml --exit-code
            """)

    @OptionGroup var options: CycleOptions

    package init() {}

    package mutating func run() async throws { try await options.run(.plan) }
}

/// What both take: whose cycle it is, and how its outcome is told.
package struct CycleOptions: ParsableArguments {
    @OptionGroup var repository: RepositoryOptions

    @OptionGroup var server: ServerOptions

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    @Flag(help: "Print no progress.")
    var quiet = false

    @Flag(name: .customLong("exit-code"), help: "Exit with 3 when there is nothing to do.")
    var exitCode = false

    package init() {}

    func run(_ mode: CycleMode) async throws {
        try await CycleRunner(console: Console(isQuiet: quiet), output: output)
            .run(repository, server: server, mode: mode, exitCode: exitCode)
    }
}

/// Runs the cycle of each configured repository and prints the outcome.
struct CycleRunner {
    let console: Console
    let output: OutputFormat

    func run(
        _ options: RepositoryOptions, server: ServerOptions, mode: CycleMode, exitCode: Bool
    ) async throws {
        let remote: AgentClient?
        do { remote = try await server.connect() } catch {
            console.alert("error: \(error)")
            throw ExitCode(1)
        }
        if let remote {
            var reports: [CycleReport] = []
            for name in try options.names(of: remote) { reports += await cycle(of: name, by: remote, mode) }
            return try show(reports, exitCode: exitCode)
        }
        let configuration = try options.resolved()
        let agent = try await AgentClient.connect(configuration.stateDirectory)
        var own: Fleet?
        var isTold = false
        var reports: [CycleReport] = []
        for repository in configuration.repositories {
            if let agent, let name = agent.name(of: repository, isNamed: options.config != nil) {
                if !isTold { console.progress(options.note(about: agent)) }
                isTold = true
                reports += await cycle(of: name, by: agent, mode)
                continue
            }
            let fleet: Fleet
            if let own {
                fleet = own
            } else {
                fleet = try await Fleet.open(configuration, besideAgent: agent != nil) { console.progress($0) }
                own = fleet
            }
            reports.append(await cycle(of: repository, by: fleet, mode))
        }
        try show(reports, exitCode: exitCode)
    }

    private func cycle(
        of repository: AgentConfiguration.RepositoryConfiguration, by fleet: Fleet, _ mode: CycleMode
    ) async -> CycleReport {
        do throws(AgentError) {
            let report = await (try await fleet.reconciler(for: repository)).cycle(mode) { console.progress($0.text) }
            await fleet.tidy(now: SystemClock().now)
            return report
        } catch {
            return Self.report(of: repository.name, branch: repository.branch, error)
        }
    }

    private func cycle(
        of name: String, by agent: AgentClient, _ mode: CycleMode
    ) async -> [CycleReport] {
        do throws(ControlError) {
            return try await agent.cycle(name, mode) { console.progress($0) }
        } catch {
            let known = agent.watched.first { $0.name == name }
            return [Self.report(of: name, branch: known?.branch ?? "", error)]
        }
    }

    private static func report(
        of name: String, branch: String, _ error: any Diagnostic
    ) -> CycleReport {
        var report = CycleReport(repository: name, url: name, branch: branch)
        report.fail(ReconcileError(phase: .sync, underlying: error))
        return report
    }

    private func show(_ reports: [CycleReport], exitCode: Bool) throws {
        let failed = reports.contains { !$0.failures.isEmpty }
        for report in reports {
            for failure in report.failures {
                console.alert("error: \(failure.message)" + (failure.hint.map { "\n  hint: \($0)" } ?? ""))
            }
        }
        if case .text = output { for report in reports { printTimes(report) } }
        if !failed { console.progress("Done.") }
        switch output {
        case .json: console.result(String(decoding: try CanonicalJSON.encode(reports), as: UTF8.self))
        case .text: for report in reports { printText(report) }
        }
        if failed { throw ExitCode(1) }
        if exitCode, reports.allSatisfy(\.didNothing) { throw ExitCode(3) }
    }

    private func printText(_ report: CycleReport) {
        for image in report.images {
            let names = image.references.joined(separator: " ")
            if report.dryRun {
                console.result("would build \(names)")
                continue
            }
            console.result("image \(names) \(image.digest)")
            for layer in image.layers { console.result("  layer \(layer.digest) \(layer.size) bytes") }
        }
        for published in report.commits {
            let branch = published.branch == report.branch ? "" : " (branch \(published.branch))"
            let subject = TerminalText.name(String(published.message.prefix { $0 != "\n" }))
            console.result("commit \(published.commit) \(subject)\(branch)")
        }
        for request in report.pullRequests {
            console.result(TerminalText.name("pull request \(request.url) \(request.title)"))
        }
        if report.commits.isEmpty, report.dryRun, let message = report.message {
            console.result("would commit: " + TerminalText.name(String(message.prefix { $0 != "\n" })))
        }
        if let diff = report.diff { console.result(diff) }
        if report.didNothing { console.result("nothing to do") }
    }

    private func printTimes(_ report: CycleReport) {
        let steps = report.steps.filter { $0.seconds >= 0.0005 }
        if !steps.isEmpty {
            console.progress(
                "Times: " + steps.map { "\($0.phase.rawValue) \(Self.rounded($0.seconds)) s" }.joined(separator: ", "))
        }
    }

    private static func rounded(_ seconds: Double) -> String {
        let milliseconds = Int((seconds * 1000).rounded())
        let fraction = String(milliseconds % 1000)
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}
