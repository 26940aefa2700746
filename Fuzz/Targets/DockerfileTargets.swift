import Diagnostics
import Dockerfile

/// A whole Dockerfile: parsed, its graph resolved, checked, expanded, printed.
@Sendable func fuzzDockerfile(_ bytes: [UInt8]) {
    let check = DockerfileCheck(bytes, file: "Dockerfile")
    for warning in check.warnings { require(!warning.description.isEmpty, "a warning says nothing") }
    if let error = check.error { require(error.description.utf8.count < 8192, "an error of unbearable length") }
    let dockerfile: Dockerfile
    do { dockerfile = try Dockerfile.parse(bytes) } catch { return }
    let lines = bytes.count { $0 == 0x0a } + 1
    let tree = SyntaxTree(dockerfile)
    _ = tree.outline
    for stage in tree.stages {
        for node in [stage.from.range] + stage.instructions.map(\.range) {
            require(node.start.line >= 1 && node.end.line <= lines, "a range outside of the file")
            require(
                (node.start.line, node.start.column) <= (node.end.line, node.end.column),
                "a range ends before it starts")
        }
    }
    guard let graph = try? StageGraph.resolve(dockerfile, platform: "linux/amd64") else { return }
    for index in graph.order {
        require(graph.nodes[index].dependencies.allSatisfy { $0 < index }, "a stage depends on a later one")
        for instruction in graph.nodes[index].instructions {
            guard let expanded = try? instruction.expanded({ $0.utf8.count % 2 == 0 ? $0 : nil }) else { continue }
            let text = HistoryText(shell: defaultShell, workingDirectory: "/", buildArguments: [("A", "b")])
            _ = text.text(of: expanded.instruction.kind)
            switch expanded.instruction.kind {
            case .expose(let words): _ = try? ExposedPorts(words)
            case .run(let run): _ = run.invocation(shell: defaultShell)
            case .copy(let copy): if let mode = copy.chmod { _ = try? FileModeChange(mode) }
            case .add(let add): for source in add.sources.paths { _ = AddSource(source) }
            case .onbuild(let trigger): _ = try? Instruction.parse(line: trigger.text)
            default: break
            }
        }
    }
}

/// The word engine: the first byte chooses the escape character, the rest is the word.
@Sendable func fuzzWords(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let expander = WordExpander(escape: first & 1 == 0 ? .backslash : .backtick)
    let text = String(decoding: bytes.dropFirst(), as: UTF8.self)
    let values = ["a": "value", "b": "", "c": "x/y*z?[q]\\", "long": String(repeating: "ab/", count: 50)]
    if let expansion = try? expander.expansion(of: text, { values[$0] }) {
        require(expansion.text.utf8.count <= WordExpander.resultLimit, "a result beyond its limit")
        require(expansion.matched.allSatisfy { values[$0] != nil }, "a variable that is not there is matched")
        require(Set(expansion.unmatched).isDisjoint(with: values.keys), "a variable that is there is unmatched")
        let joined = expansion.words.joined()
        require(joined.utf8.count <= expansion.text.utf8.count, "splitting makes text")
    }
    _ = try? expander.expandHeredoc(Array(bytes.dropFirst())) { values[$0] }
    _ = try? FileModeChange(text)
    _ = try? GlobMatch(text)
    _ = AddSource(text)
}

/// An ignore file, an empty line, and the path to judge.
@Sendable func fuzzIgnore(_ bytes: [UInt8]) {
    let split = bytes.lastIndex(of: 0x0a) ?? bytes.endIndex
    let path = Array(bytes[split...].dropFirst())
    guard let matcher = try? IgnoreMatcher(file: Array(bytes[..<split])) else { return }
    let excluded = matcher.excludes(path)
    if !path.isEmpty, path != [0x2e], !matcher.hasNegations, !path.contains(0x2f), excluded {
        require(matcher.excludes(path + Array("/below".utf8)), "what lies in an excluded folder is not excluded")
    }
}
