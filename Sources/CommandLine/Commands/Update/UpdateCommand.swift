package import ArgumentParser
import Diagnostics
import ManifestUpdater

/// `slipway update`: the rewriter on a plain directory.
package struct UpdateCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Write images into the manifests of a directory, and change no other byte.",
        discussion: """
            Looks at the YAML and JSON files below DIR. Only the bytes of the values change: comments, quotes, blank lines, \
            line endings and anchors stay. Each changed file is read again before it is written, to prove that; it is \
            replaced as a whole and keeps its mode. Files that are no YAML, and places that cannot be changed, are \
            skipped with a reason. Symbolic links are not followed; .git is not entered.

            --resolved answers the markers of Flux v2, comments like # {"$imagepolicy": "ns:name:tag"}.
            --workload, --container and --image belong together, in their order, and may be repeated.
            --kustomize-image takes what `kustomize edit set image` takes: NAME=NEWNAME:TAG@DIGEST, NAME:TAG, NAME@DIGEST;
            NAME=*:TAG keeps the name, NAME=NEWNAME:* the tag and NAME=NEWNAME@* the digest that the entry has.
            --helm-value sets a text in the files called values.yaml, or in those that --helm-file names.

            Exit codes: 0 done, 1 a file could not be written, 3 nothing changed (with --exit-code), 64 wrong usage.

            EXAMPLES
              slipway update deploy --resolved shop:web=registry.example.com/shop/web:v1.2.4 --diff
              slipway update . --workload shop:deployment/web --container app --image acme/web:v2 --dry-run --diff
              slipway update overlays/prod --kustomize-image acme/web=acme/web:v2
              slipway update charts --helm-value image.tag=v2 --helm-value 'workers[1].image=acme/worker:v2' --output json
            """)

    @Argument(help: ArgumentHelp("The directory.", valueName: "dir"))
    var directory: String

    @Option(
        help: ArgumentHelp(
            "What an image policy chose: NAMESPACE:NAME=REPOSITORY:TAG[@DIGEST]. Repeat for each.", valueName: "answer")
    )
    var resolved: [String] = []

    @Option(help: ArgumentHelp("A workload: [NAMESPACE:]KIND/NAME.", valueName: "id"))
    var workload: [String] = []

    @Option(
        help: ArgumentHelp(
            "The container of the workload; may be left out for workloads that have one.", valueName: "name"))
    var container: [String] = []

    @Option(help: ArgumentHelp("The image for the container, written as it is given.", valueName: "ref"))
    var image: [String] = []

    @Option(
        name: .customLong("kustomize-image"),
        help: ArgumentHelp("An entry of a kustomization's images: NAME[=NEWNAME][:TAG][@DIGEST].", valueName: "image"))
    var kustomizeImages: [String] = []

    @Option(
        name: .customLong("helm-value"),
        help: ArgumentHelp("A text in a values file: PATH=VALUE, with a path like image.tag.", valueName: "path=value"))
    var helmValues: [String] = []

    @Option(
        name: .customLong("helm-file"),
        help: ArgumentHelp("A values file, relative to DIR, instead of every values.yaml.", valueName: "file"))
    var helmFiles: [String] = []

    @Flag(help: "Also change workloads that are locked or ignored.")
    var force = false

    @Flag(name: .customLong("dry-run"), help: "Write nothing; say what would be written.")
    var dryRun = false

    @Flag(help: "Print the change as a unified diff.")
    var diff = false

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    @Flag(name: .customLong("exit-code"), help: "Exit with 3 when nothing changed, or with --dry-run would change.")
    var exitCode = false

    package init() {}

    package mutating func validate() throws { _ = try request() }

    package mutating func run() async throws {
        let console = Console()
        let request = try request()
        let outcome: DirectoryUpdate.Outcome
        do {
            outcome = try await DirectoryUpdate(
                path: directory, request: request, writes: !dryRun, wantsDiff: diff
            ).run()
        } catch {
            console.alert("error: \(error)")
            throw ExitCode(1)
        }
        let skipped = outcome.skipped + missing(in: outcome, of: request)
        switch output {
        case .json:
            let report = UpdateReport(
                directory: directory, dryRun: dryRun, outcome: outcome, skipped: skipped,
                diff: diff ? outcome.diff : nil)
            console.result(bytes: report.json)
        case .text:
            if diff {
                if !outcome.diff.isEmpty { console.result(outcome.diff) }
            } else {
                console.result(bytes: outcome.changes.flatMap { Array((Self.line($0) + "\n").utf8) })
            }
            for skip in skipped { console.alert(Self.line(skip)) }
        }
        for failure in outcome.failures {
            console.alert("error: \(failure.file): cannot be written: \(failure.reason)")
        }
        if !outcome.failures.isEmpty { throw ExitCode(1) }
        if exitCode, outcome.changes.isEmpty { throw ExitCode(3) }
    }

    // MARK: Output

    private static func line(_ change: ManifestChange) -> String {
        let subject = [change.object, change.container].filter { !$0.isEmpty }.joined(separator: " ")
        return "\(change.file):\(change.line): \(subject.isEmpty ? "" : subject + ": ")\(change.old) -> \(change.new)"
    }

    private static func line(_ skip: ManifestSkip) -> String {
        var text = "skipped "
        if !skip.file.isEmpty { text += skip.file + (skip.line.map { ":\($0)" } ?? "") + ": " }
        let subject = [skip.object, skip.container].filter { !$0.isEmpty }.joined(separator: " ")
        return text + (subject.isEmpty ? "" : subject + ": ") + skip.reason
    }

    /// What was asked for and found no place in any file.
    private func missing(in outcome: DirectoryUpdate.Outcome, of request: UpdateRequest) -> [ManifestSkip] {
        var skips: [ManifestSkip] = []
        for name in request.resolved.keys.map(\.description).sorted() where !outcome.met.contains(name) {
            skips.append(ManifestSkip(file: "", reason: "no marker names the image policy \(name)"))
        }
        for (number, wanted) in request.workloads.enumerated()
        where !outcome.met.contains(UpdateRequest.key(ofWorkload: number)) {
            skips.append(
                ManifestSkip(
                    file: "", object: wanted.workload.description, container: wanted.container ?? "",
                    reason: "not found in the directory"))
        }
        for (number, wanted) in request.kustomizeImages.enumerated()
        where !outcome.met.contains(UpdateRequest.key(ofKustomizeImage: number)) {
            skips.append(
                ManifestSkip(
                    file: "", container: wanted.name, reason: "no kustomization has an entry for this image"))
        }
        for (number, wanted) in request.helmValues.enumerated()
        where !outcome.met.contains(UpdateRequest.key(ofHelmValue: number)) {
            skips.append(ManifestSkip(file: "", reason: "no values file has a value at \(wanted.path)"))
        }
        return skips
    }
}
