import Diagnostics

/// All that can be said about a Dockerfile without building it: its warnings, and what makes it unbuildable.
package struct DockerfileCheck: Sendable {
    /// What the file is checked for.
    package struct Options: Sendable {
        package var target: String?
        /// Of the command line; the last of a name counts.
        package var buildArguments: [(String, String)] = []
        package var platform = "linux/amd64"
        package var namedContexts: Set<String> = []
        /// The context's ignore file, for sources that it takes away.
        package var ignore: IgnoreMatcher?
        /// On top of what the file's `# check=…` says.
        package var check = CheckOptions()

        package init() {}
    }

    /// By line.
    package private(set) var warnings: [LintWarning] = []
    /// Why the file cannot be built. The warnings are then those that were found nonetheless.
    package private(set) var error: DockerfileError?
    /// Warnings count as errors: the caller or the file says so.
    package private(set) var failsOnWarnings: Bool

    package init(_ bytes: [UInt8], file: String, _ options: Options = Options()) {
        failsOnWarnings = options.check.isError
        let dockerfile: Dockerfile
        do throws(DockerfileError) {
            dockerfile = try Dockerfile.parse(bytes, file: file, check: options.check)
        } catch {
            self.error = error
            return
        }
        failsOnWarnings = dockerfile.directives.check.isError
        do throws(DockerfileError) {
            let graph = try StageGraph.resolve(
                dockerfile, target: options.target, buildArguments: options.buildArguments, platform: options.platform,
                namedContexts: options.namedContexts)
            warnings = graph.lint(ignore: options.ignore)
            try Self.expand(graph)
        } catch {
            self.error = error
            if warnings.isEmpty { warnings = Linter.unresolved(dockerfile, options) }
        }
    }

    /// Whether the file passes: it can be built, and no warning is left that counts as an error.
    package var isClean: Bool { error == nil && (warnings.isEmpty || !failsOnWarnings) }

    /// What goes wrong whatever the base images define: a word whose variables are all known, or that has none.
    private static func expand(_ graph: StageGraph) throws(DockerfileError) {
        for node in graph.nodes {
            for instruction in node.instructions {
                var isCertain = true
                do throws(DockerfileError) {
                    // A variable may come from the base: then nothing that follows from its value is certain.
                    let expanded = try instruction.expanded { _ in
                        isCertain = false
                        return ""
                    }.instruction
                    if isCertain {
                        do throws(DockerfileError) { try values(of: expanded) } catch {
                            throw instruction.locate(error)
                        }
                    }
                } catch {
                    if isCertain { throw error }
                }
            }
        }
    }

    /// What expanded arguments have to be, beyond their syntax.
    private static func values(of instruction: Instruction) throws(DockerfileError) {
        func mode(_ text: String?) throws(DockerfileError) {
            if let text, !text.isEmpty { _ = try FileModeChange(text) }
        }
        switch instruction.kind {
        case .expose(let words): _ = try ExposedPorts(words)
        case .copy(let copy): try mode(copy.chmod)
        case .add(let add): try mode(add.chmod)
        case .run(let run):
            for mount in run.mounts where mount.target.utf8.first == 0x2f { _ = try mount.target(in: "/") }
        default: break
        }
    }
}
