import Diagnostics
import Foundation
import TestSupport
import Testing

@testable import Agent

/// docs/security.md against the readers: nothing is missing there, and what it says is so.
@Suite(.tags(.unit)) struct TrustTableTests {
    private let table: TrustTable

    init() throws { table = try TrustTable() }

    private func expectRefusal(_ name: String, _ body: () throws -> some Any) {
        let error = #expect(throws: (any Error).self, "\(name)") { _ = try body() }
        guard let refusal = error as? any Diagnostic else { return }
        #expect(refusal.place?.hasPrefix(".slipway.yaml:") == true, "\(name): \(refusal)")
        #expect(!refusal.summary.isEmpty && refusal.hint?.isEmpty == false, "\(name): \(refusal)")
    }

    @Test func `every key of the configuration is in the table`() throws {
        let keys = Set(try TrustTable.schemaKeys())
        let named = ["The agent's configuration", "Builds"].flatMap { table.rows(of: $0) }.flatMap(\.names)
            .filter { !$0.contains(": ") && !$0.hasSuffix("://") && !$0.hasSuffix(":") }
        #expect(keys.subtracting(named) == [])
        #expect(Set(named).subtracting(keys) == [])
        #expect(keys.count > 80)
    }

    /// As a key of `.slipway.yaml` by its whole name, and by its name in the entry of a repository.
    @Test func `no key of the configuration is taken from a repository`() throws {
        for row in table.rows(of: "The agent's configuration") {
            #expect(row.verdict == "refused", "\(row.text)")
            for name in row.names {
                let parts = name.split(separator: ".").map { $0.filter { $0 != "[" && $0 != "]" } }
                for path in Set([
                    parts, parts.count > 1 && parts[0] == "repositories" ? Array(parts.dropFirst()) : parts,
                ]) {
                    let nested = path.reversed().reduce("x") { "{\($1): \($0)}" }
                    let value = path.count == 1 ? "x" : path.dropFirst().reversed().reduce("x") { "{\($1): \($0)}" }
                    let isBuilds = path[0] == "builds"
                    let text = isBuilds ? nested : "{\(path[0]): \(value), builds: [{destinations: [acme/web]}]}"
                    expectRefusal(name) { try RepositoryFile.builds(in: Array(text.utf8)) }
                    // Nor below a build, unless it is a key of builds itself.
                    if path.count == 1, !["name", "contexts"].contains(path[0]) {
                        expectRefusal(name) {
                            try RepositoryFile.builds(in: RepositoryFileTests.file(more: "\(path[0]): x"))
                        }
                    }
                }
            }
        }
    }

    @Test func `what a build of a repository may not say`() throws {
        var tried = 0
        for row in table.rows(of: "Builds") where row.verdict == "refused" {
            for name in row.names {
                let sides = name.components(separatedBy: ": ")
                let value = sides[1].replacingOccurrences(of: "PATH", with: "srv/x")
                    .replacingOccurrences(of: "URL", with: "example.com/x").replacingOccurrences(
                        of: "REPOSITORY", with: "example.com/x")
                expectRefusal(name) {
                    switch sides[0] {
                    case "contexts": try RepositoryFile.builds(in: RepositoryFileTests.file(contexts: value))
                    case "destinations": try RepositoryFile.builds(in: RepositoryFileTests.file(destinations: value))
                    default: try RepositoryFile.builds(in: RepositoryFileTests.file(more: "\(sides[0]): \(value)"))
                    }
                }
                tried += 1
            }
        }
        #expect(tried >= 14)
    }

    // MARK: kaniko

    private static let section = "Kaniko's arguments"

    @Test func `every flag of kaniko's is in the table`() {
        let named = Set(table.rows(of: Self.section).flatMap(\.names).filter { $0.hasPrefix("--") })
        let flags = (KanikoFlags.executor.all + KanikoFlags.warmer.all).map { "--\($0.name)" }
        #expect(Set(flags).subtracting(named) == [])
        #expect(named.subtracting(flags) == [])
    }

    /// Each in a Job of a repository that would be built without it.
    @Test func `flags of a repository's Job do what the table says`() throws {
        for flag in KanikoFlags.executor.all {
            let name = "--\(flag.name)"
            let verdict = try #require(table.verdict(name, in: Self.section), "\(name)")
            let value = flag.form == .boolean || flag.form == .toggle ? name : "\(name)=/srv/x"
            let found = discovery.builds(in: "ci/job.yaml", bytes: job([value]))
            let pipeline = found.pipelines.first
            switch verdict {
            case "allowed": #expect(pipeline?.notes.contains { $0.contains("\(name) ") } != true)
            case "ignored": #expect(pipeline?.notes.contains { $0.contains(name) } == false, "\(name)")
            case "noted":
                #expect(pipeline?.notes.contains { $0.hasPrefix("\(name) is not taken from the repository: ") } == true)
                #expect(pipeline?.destinations.count == 1)
            case "refused":
                let skipped = try #require(found.skipped.first, "\(name)")
                #expect(pipeline == nil && skipped.isError)
                #expect(skipped.origin.hasPrefix("ci/job.yaml"), "\(skipped.origin)")
                #expect(skipped.reason.contains(name) && skipped.remedy?.isEmpty == false)
            default: Issue.record("'\(verdict)' of \(name) is no verdict")
            }
        }
    }

    @Test(arguments: ["oci:/srv/images/app:v1", "oci:images", "oci:5000/app:v1"])
    func `a Job does not write to the machine`(destination: String) throws {
        let found = discovery.builds(in: "ci/job.yaml", bytes: job(["--destination=\(destination)"]))
        #expect(found.pipelines.isEmpty)
        let skipped = try #require(found.skipped.first)
        #expect(skipped.reason.contains("directory of the agent's machine, where a repository may not write"))
        #expect(skipped.remedy == "name an image of a registry" && skipped.isError)
    }

    private var discovery: KanikoDiscovery {
        KanikoDiscovery(
            repositoryURLs: ["https://git.example.com/acme/shop.git"], branch: "main",
            tree: .init(isFile: { $0 == "Dockerfile" }, isDirectory: { $0 == "" }))
    }

    private func job(_ arguments: [String]) -> [UInt8] {
        let all = ["--context=git://git.example.com/acme/shop.git", "--destination=acme/shop:v1"] + arguments
        return Array(
            """
            apiVersion: batch/v1
            kind: Job
            metadata: {name: build}
            spec:
              template:
                spec:
                  containers:
                  - name: kaniko
                    image: gcr.io/kaniko-project/executor:v1.24.0
                    args: [\(all.map { "'\($0)'" }.joined(separator: ", "))]
            """.utf8)
    }
}
