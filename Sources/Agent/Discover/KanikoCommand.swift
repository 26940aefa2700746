import Diagnostics
import ManifestUpdater

/// An argument of the executor, as the executor would see it.
struct KanikoWord: Sendable, Equatable {
    /// What is not known stands there as it is written.
    var text: String
    /// The element of `command` or `args` that it comes from.
    var location: SourceLocation?
    var unknown: ContainerEnvironment.Unknown?
}

/// The call of kaniko's executor in a container: its own arguments, and where it is called.
struct KanikoCommand: Sendable, Equatable {
    var words: [KanikoWord]
    /// `nil`: the image's own.
    var workingDirectory: String?

    /// Why no single call can be made out.
    struct Unclear: Error, Sendable, Equatable {
        let reason: String
        let location: SourceLocation
    }

    /// Reads the call: all words behind the executor's name, or the one command of a shell's text that calls it.
    init(_ container: PodContainer) throws(Unclear) {
        workingDirectory = container.workingDirectory
        let environment = ContainerEnvironment(container)
        let written = container.commandWords + container.argWords
        let expanded = written.map { environment.expand($0.text) }
        let script = zip(written, expanded).first { word, expanded in
            expanded.text.contains("/kaniko/executor") && expanded.text.contains { $0 == " " || $0.isNewline }
        }
        if let (word, text) = script {
            words = []
            try read(script: text, environment, at: word.location)
            return
        }
        words = zip(written, expanded).map { word, expanded in
            var unknown = expanded.unknown[...]
            return Self.word(expanded.text, &unknown, at: word.location)
        }
        if let program = words.firstIndex(where: { Self.isExecutor($0.text) }) { words.removeSubrange(...program) }
    }

    private static func isExecutor(_ word: String) -> Bool { word == "executor" || word.hasSuffix("/executor") }

    private mutating func read(
        script: ContainerEnvironment.Expanded, _ environment: ContainerEnvironment, at location: SourceLocation
    ) throws(Unclear) {
        // A script that sets variables itself may set these, too.
        let sets = Self.setsVariables(ShellWords.split(script.text))
        let commands = ShellWords.commands(ShellWords.split(script.text) { sets ? nil : environment[$0] })
        var unknown = script.unknown[...]
        var call: [KanikoWord]?
        for command in commands {
            let words = command.map { word in
                let text = Self.word(word.text, &unknown, at: location)
                guard text.unknown == nil, let expansion = word.expansion else { return text }
                return KanikoWord(
                    text: word.text, location: location,
                    unknown: .init(
                        reference: expansion, variable: nil, reason: "which only the shell of the pod can expand"))
            }
            if let program = words.firstIndex(where: { Self.isExecutor($0.text) }) {
                guard call == nil else {
                    throw Unclear(reason: "the script calls the executor more than once", location: location)
                }
                call = Array(words[(program + 1)...])
            } else if words.first?.text == "cd", call == nil {
                guard words.count == 2, words[1].unknown == nil else {
                    throw Unclear(
                        reason: "the script changes its directory in a way that cannot be followed", location: location)
                }
                workingDirectory = PodFiles.join(workingDirectory ?? "/workspace", words[1].text)
            }
        }
        words = call ?? []
    }

    /// Whether a script may set variables. The executor's own arguments only look like it.
    private static func setsVariables(_ words: [ShellWord]) -> Bool {
        let builtins: Set<String> = ["read", "for", "source", ".", "eval", "unset", "getopts"]
        return ShellWords.commands(words).contains { command in
            command.prefix { !isExecutor($0.text) }.contains { word in
                if builtins.contains(word.text) { return true }
                guard let equals = word.text.firstIndex(of: "="), equals > word.text.startIndex else { return false }
                return word.text[..<equals].allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
            }
        }
    }

    /// Puts what is not known back as it is written.
    private static func word(
        _ text: String, _ unknown: inout ArraySlice<ContainerEnvironment.Unknown>, at location: SourceLocation
    ) -> KanikoWord {
        var result = KanikoWord(text: "", location: location)
        for character in text {
            guard character == ContainerEnvironment.placeholder, let next = unknown.popFirst() else {
                result.text.append(character)
                continue
            }
            result.text += next.reference
            result.unknown = result.unknown ?? next
        }
        return result
    }
}
