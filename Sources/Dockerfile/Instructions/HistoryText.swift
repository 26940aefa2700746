import Diagnostics

/// How an image's history words its instructions.
package struct HistoryText: Sendable {
    /// The stage's shell.
    package var shell: [String]
    /// After the instruction.
    package var workingDirectory: String
    /// The stage's `ARG`s so far, those of its base stages included, with their values.
    package var buildArguments: [(name: String, value: String)]

    package init(
        shell: [String] = defaultShell, workingDirectory: String = "/",
        buildArguments: [(name: String, value: String)] = []
    ) {
        self.shell = shell
        self.workingDirectory = workingDirectory
        self.buildArguments = buildArguments
    }

    /// Whether the history entry of an instruction comes with a layer.
    package func hasLayer(_ kind: Instruction.Kind) -> Bool {
        switch kind {
        case .run, .copy, .add: true
        case .workdir: workingDirectory != "/"
        default: false
        }
    }

    /// The `created_by` of an expanded instruction; `nil` for ONBUILD, which has no entry, and for ARG: see
    /// `arg(_:)`.
    package func text(of kind: Instruction.Kind) -> String? {
        switch kind {
        case .run(let run): self.run(run)
        case .copy(let copy):
            "COPY" + (copy.parents ? " --parents" : "") + files(copy.sources, copy.chown, copy.chmod)
        case .add(let add): "ADD" + files(add.sources, add.chown, add.chmod)
        case .env(let env): "ENV" + env.pairs.map { " \($0.key)=\($0.value)" }.joined()
        case .label(let label): "LABEL" + label.pairs.map { " \($0.key)=\($0.value)" }.joined()
        case .workdir: "WORKDIR \(workingDirectory)"
        case .user(let user): "USER \(user)"
        case .expose(let words): "EXPOSE [\(((try? ExposedPorts(words).ports) ?? words).joined(separator: " "))]"
        case .volume(let paths): "VOLUME [\(paths.joined(separator: " "))]"
        case .cmd(let command): "CMD \(quotedList(command))"
        case .entrypoint(let command): "ENTRYPOINT \(quotedList(command))"
        case .shell(let words): "SHELL [\(words.joined(separator: " "))]"
        case .stopsignal(let signal): "STOPSIGNAL \(signal)"
        case .maintainer(let name): "MAINTAINER \(name)"
        case .healthcheck(let check): "HEALTHCHECK \(healthcheck(check))"
        case .arg, .onbuild: nil
        }
    }

    /// - Parameter assignments: of `Instruction.assignments`.
    package static func arg(_ assignments: [(name: String, value: String?)]) -> String {
        "ARG "
            + assignments.map { name, value in value.map { "\(name)=\($0)" } ?? name }.joined(separator: " ")
    }

    private func run(_ run: RunInstruction) -> String {
        var words: [String] = []
        // An argument that is declared twice shows once, with its last value.
        var positions: [String: Int] = [:]
        for (name, value) in buildArguments {
            if let position = positions[name] {
                words[position] = "\(name)=\(value)"
            } else {
                positions[name] = words.count
                words.append("\(name)=\(value)")
            }
        }
        if !words.isEmpty { words.insert("|\(words.count)", at: 0) }
        words += run.invocation(shell: shell).arguments
        return "RUN \(words.joined(separator: " ")) # buildkit"
    }

    private func files(_ sources: CopySources, _ chown: String?, _ chmod: String?) -> String {
        var text = ""
        if let chown, !chown.isEmpty { text += " --chown=\(chown)" }
        if let chmod, !chmod.isEmpty { text += " --chmod=\(chmod)" }
        text += sources.paths.map { " \($0)" }.joined() + sources.inline.map { " <<\($0.name)" }.joined()
        return text + " \(sources.destination) # buildkit"
    }

    private func quotedList(_ command: CommandLine) -> String {
        "[" + command.arguments(shell: shell).map(GoQuote.quoted).joined(separator: " ") + "]"
    }

    private func healthcheck(_ check: Healthcheck) -> String {
        "{Test:[\(check.test.joined(separator: " "))] Interval:\(GoValue.text(ofDuration: check.interval))"
            + " Timeout:\(GoValue.text(ofDuration: check.timeout))"
            + " StartPeriod:\(GoValue.text(ofDuration: check.startPeriod))"
            + " StartInterval:\(GoValue.text(ofDuration: check.startInterval)) Retries:\(check.retries)}"
    }
}
