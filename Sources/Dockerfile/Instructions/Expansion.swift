extension Instruction {
    /// This instruction with the variables of its arguments expanded, wherever the syntax expands them: all of them see
    /// the environment from before the instruction.
    ///
    /// `ARG` stays as it is, since whether its default counts depends on the build's arguments: see
    /// `ArgInstruction.assignments`.
    ///
    /// - Parameter lookup: the stage's environment, `ARG`s included.
    /// - Returns: the instruction, and the variables that are not defined (each once).
    package func expanded(
        _ lookup: (String) -> String?
    ) throws(DockerfileError) -> (instruction: Instruction, undefined: [String]) {
        let expander = WordExpander(escape: escape)
        var undefined = OrderedNames()
        func word(_ text: String) throws(DockerfileError) -> String {
            let expansion = try expander.expansion(of: text, lookup)
            expansion.unmatched.forEach { undefined.insert($0) }
            return expansion.text
        }
        func optional(_ text: String?) throws(DockerfileError) -> String? {
            guard let text else { return nil }
            let expanded = try word(text)
            return expanded.isEmpty ? nil : expanded
        }
        func pairs(_ pairs: [KeyValue]) throws(DockerfileError) -> [KeyValue] {
            try pairs.map { (pair) throws(DockerfileError) in KeyValue(try word(pair.key), try word(pair.value)) }
        }
        func words(_ texts: [String]) throws(DockerfileError) -> [String] {
            try texts.map { (text) throws(DockerfileError) in try word(text) }
        }
        func sources(_ sources: CopySources) throws(DockerfileError) -> CopySources {
            var result = sources
            result.paths = try words(sources.paths)
            result.destination = try word(sources.destination)
            for index in result.inline.indices where result.inline[index].expands {
                let (content, unknown) = try expander.expandHeredoc(result.inline[index].content, lookup)
                result.inline[index].content = content
                result.inline[index].expands = false
                unknown.forEach { undefined.insert($0) }
            }
            return result
        }
        var copy = self
        do throws(DockerfileError) {
            switch kind {
            case .run(var run):
                run.mounts = try run.mountTexts.map { (text) throws(DockerfileError) in
                    try RunMount.parse(text) { (value) throws(DockerfileError) in try word(value) }
                }
                copy.kind = .run(run)
            case .copy(var instruction):
                instruction.sources = try sources(instruction.sources)
                instruction.chown = try optional(instruction.chown)
                instruction.chmod = try optional(instruction.chmod)
                copy.kind = .copy(instruction)
            case .add(var instruction):
                instruction.sources = try sources(instruction.sources)
                instruction.chown = try optional(instruction.chown)
                instruction.chmod = try optional(instruction.chmod)
                instruction.checksum = try optional(instruction.checksum)
                copy.kind = .add(instruction)
            case .env(var instruction):
                instruction.pairs = try pairs(instruction.pairs)
                copy.kind = .env(instruction)
            case .label(var instruction):
                instruction.pairs = try pairs(instruction.pairs)
                copy.kind = .label(instruction)
            case .workdir(let path): copy.kind = .workdir(path: try word(path))
            case .user(let user): copy.kind = .user(try word(user))
            case .volume(let paths):
                let paths = try words(paths)
                guard !paths.contains("") else {
                    throw DockerfileError(.argument, "the path of a VOLUME is empty after expansion", near: nil)
                }
                copy.kind = .volume(paths: paths)
            case .stopsignal(let signal):
                let signal = try word(signal)
                try StopSignal.validate(signal)
                copy.kind = .stopsignal(signal)
            case .expose(let ports):
                var result: [String] = []
                for port in ports {
                    let expansion = try expander.expansion(of: port, splitting: true, lookup)
                    expansion.unmatched.forEach { undefined.insert($0) }
                    result += expansion.words
                }
                copy.kind = .expose(ports: result)
            case .arg, .cmd, .entrypoint, .shell, .healthcheck, .onbuild, .maintainer: break
            }
        } catch {
            throw locate(error)
        }
        return (copy, undefined.inOrder)
    }

    /// What an `ARG` of a stage assigns, in order: the value given to the build, else the default, else the global
    /// argument's value; `nil` leaves the variable as it is.
    ///
    /// - Parameters:
    ///   - buildArguments: of the command line; never expanded.
    ///   - globals: the global arguments' values, the automatic ones included.
    ///   - environment: the stage's, for the defaults. An earlier argument of the same instruction is seen by the later.
    package func assignments(
        buildArguments: (String) -> String?, globals: (String) -> String?, environment: (String) -> String?
    ) throws(DockerfileError) -> [(name: String, value: String?)] {
        guard case .arg(let instruction) = kind else { return [] }
        let expander = WordExpander(escape: escape)
        var assigned: [(name: String, value: String?)] = []
        var known: [String: String] = [:]
        for argument in instruction.arguments {
            var value: String?
            if let given = buildArguments(argument.name) {
                value = given
            } else if let text = argument.value {
                do { value = try expander.expand(text) { known[$0] ?? environment($0) } } catch { throw locate(error) }
            } else {
                value = globals(argument.name)
            }
            assigned.append((argument.name, value))
            if let value { known[argument.name] = value }
        }
        return assigned
    }
}
