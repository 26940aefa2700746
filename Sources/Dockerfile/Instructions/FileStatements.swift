/// RUN, COPY and ADD: the instructions with heredocs and mounts.
extension Statement {
    func run() throws(DockerfileError) -> RunInstruction {
        let set = try FlagSet(
            flags, of: .run,
            ["mount": .strings, "network": .string, "security": .string, "device": .strings])
        let texts = set.strings("mount")
        guard texts.count <= 1000 else {
            throw DockerfileError(.limit, "RUN has more than 1000 mounts", near: keywordText)
        }
        let expander = WordExpander(escape: escape)
        let mounts = try texts.map { (text) throws(DockerfileError) -> RunMount in
            let from = try RunMount.from(of: text)
            guard text.utf8.contains(0x24) else {
                return try RunMount.parse(text) { (value) throws(DockerfileError) in
                    try expander.expand(value) { _ in nil }
                }
            }
            var mount = RunMount()
            mount.from = from
            return mount
        }
        return RunInstruction(
            command: try command(), mountTexts: texts, mounts: mounts,
            network: try choice("network", set.string("network"), .default),
            security: try choice("security", set.string("security"), .sandbox),
            devices: set.strings("device"), heredocs: heredocs)
    }

    private func choice<Value: RawRepresentable & CaseIterable>(
        _ flag: String, _ text: String?, _ fallback: Value
    ) throws(DockerfileError) -> Value where Value.RawValue == String {
        guard let text else { return fallback }
        guard let value = Value(rawValue: text) else {
            let options = Value.allCases.map(\.rawValue)
            throw DockerfileError(
                .flag, "--\(flag) cannot be \(quoted(text))", near: "--\(flag)",
                hint: Suggestion.hint(for: text, among: options) ?? "it is one of \(options.joined(separator: ", "))")
        }
        return value
    }

    func copy() throws(DockerfileError) -> CopyInstruction {
        let (words, isJSON) = try list()
        try requireTwo(words)
        let set = try FlagSet(
            flags, of: .copy,
            [
                "from": .string, "chown": .string, "chmod": .string, "link": .bool, "parents": .bool,
                "exclude": .strings,
            ])
        let from = set.string("from").flatMap { $0.isEmpty ? nil : $0 }
        if let from { try forbidVariables(from) }
        return CopyInstruction(
            sources: try sources(words, isJSON: isJSON), from: from, chown: set.string("chown"),
            chmod: set.string("chmod"), link: set.bool("link") ?? false, parents: set.bool("parents") ?? false,
            excludes: set.strings("exclude"))
    }

    func add() throws(DockerfileError) -> AddInstruction {
        let (words, isJSON) = try list()
        try requireTwo(words)
        let set = try FlagSet(
            flags, of: .add,
            [
                "chown": .string, "chmod": .string, "link": .bool, "keep-git-dir": .bool, "checksum": .string,
                "unpack": .bool, "exclude": .strings,
            ])
        return AddInstruction(
            sources: try sources(words, isJSON: isJSON), chown: set.string("chown"), chmod: set.string("chmod"),
            checksum: set.string("checksum"), link: set.bool("link") ?? false,
            keepGitDirectory: set.bool("keep-git-dir"), unpack: set.bool("unpack"), excludes: set.strings("exclude"))
    }

    private func requireTwo(_ words: [String]) throws(DockerfileError) {
        guard words.count >= 2 else {
            throw DockerfileError(
                .argument, "\(keyword.name) requires at least one source and a destination", near: keywordText,
                hint: words.first.map { "write \(keyword.name) \($0) DESTINATION" })
        }
    }

    /// `--from` is needed before any variable has a value.
    private func forbidVariables(_ from: String) throws(DockerfileError) {
        let expanded = try WordExpander(escape: escape).expand(from) { _ in nil }
        guard expanded == from else {
            throw DockerfileError(
                .reference, "--from cannot hold variables", near: "--from",
                hint:
                    "define a stage with FROM \(from) AS NAME, whose ARG stands before the first FROM, and use its name"
            )
        }
    }

    private func sources(_ words: [String], isJSON: Bool) throws(DockerfileError) -> CopySources {
        func heredoc(_ word: String) -> Heredoc? {
            isJSON ? nil : (try? Heredoc(operator: word)) ?? nil
        }
        var sources = CopySources(paths: [], inline: [], destination: words[words.count - 1])
        guard heredoc(sources.destination) == nil else {
            throw DockerfileError(
                .heredoc, "the destination of \(keyword.name) cannot be a heredoc", near: sources.destination)
        }
        let bodies = Dictionary(heredocs.map { ($0.name, $0) }) { _, last in last }
        for word in words.dropLast() {
            guard var document = heredoc(word) else {
                sources.paths.append(word)
                continue
            }
            document.body = bodies[document.name]?.body ?? []
            sources.inline.append(
                CopySources.Inline(name: document.name, content: document.content, expands: document.expands))
        }
        return sources
    }

    func healthcheck() throws(DockerfileError) -> Healthcheck {
        let type = rest.prefix { !Whitespace.isBlank($0) && $0 != 0x0a }
        guard !type.isEmpty else { throw missing("CMD COMMAND, or HEALTHCHECK NONE") }
        let name = String(decoding: type, as: UTF8.self)
        var inner = self
        inner.rest = Whitespace.trimStart(rest[type.endIndex...])
        let command = try inner.command()
        switch name.uppercased() {
        case "NONE":
            guard inner.rest.isEmpty || command == .exec([]) else {
                throw DockerfileError(.argument, "HEALTHCHECK NONE takes no arguments", near: inner.text)
            }
            return Healthcheck(test: ["NONE"])
        case "CMD": break
        default:
            throw DockerfileError(
                .argument, "HEALTHCHECK \(quoted(name)) is neither CMD nor NONE", near: name,
                hint: Suggestion.hint(for: name, among: ["CMD", "NONE"], ignoringCase: true)
                    ?? "write HEALTHCHECK CMD \(text)")
        }
        let set = try FlagSet(
            flags, of: .healthcheck,
            [
                "interval": .string, "timeout": .string, "start-period": .string, "start-interval": .string,
                "retries": .string,
            ])
        var check: Healthcheck
        switch command {
        case .exec(let arguments) where !arguments.isEmpty: check = Healthcheck(test: ["CMD"] + arguments)
        case .shell(let line) where !line.isEmpty: check = Healthcheck(test: ["CMD-SHELL", line])
        default:
            throw DockerfileError(.argument, "HEALTHCHECK CMD has no command", near: name)
        }
        check.interval = try duration("interval", set)
        check.timeout = try duration("timeout", set)
        check.startPeriod = try duration("start-period", set)
        check.startInterval = try duration("start-interval", set)
        if let text = set.string("retries"), !text.isEmpty {
            guard let retries = Int32(text), retries >= 0 else {
                throw DockerfileError(
                    .argument, "--retries must be a number from 0, not \(quoted(text))", near: "--retries")
            }
            check.retries = Int(retries)
        }
        return check
    }

    private func duration(_ flag: String, _ set: FlagSet) throws(DockerfileError) -> Int64 {
        guard let text = set.string(flag), !text.isEmpty else { return 0 }
        guard let value = GoValue.duration(text) else {
            throw DockerfileError(
                .argument, "--\(flag) must be a duration, not \(quoted(text))", near: "--\(flag)",
                hint: "write a number with a unit: 30s, 1m30s, 500ms")
        }
        guard value == 0 || value >= 1_000_000 else {
            throw DockerfileError(.argument, "--\(flag) cannot be less than 1ms", near: "--\(flag)")
        }
        return value
    }
}
