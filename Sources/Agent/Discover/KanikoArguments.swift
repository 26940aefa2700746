package import Diagnostics

/// The command line of a kaniko executor, as it stands in the `args` of a Job or a Pod.
///
/// Every flag of kaniko 1.24 and of its living fork is known here with what becomes of it; an unknown one is refused,
/// because a flag that is dropped in silence makes a wrong image.
package struct KanikoArguments: Sendable, Equatable {
    package var context = "/workspace/"
    package var contextSubPath = ""
    /// The branch that `--git` checks out where the context is a git repository and names none itself.
    package var gitBranch: String?
    /// `--git=recurse-submodules=…`.
    package var fetchesSubmodules: Bool?
    package var dockerfile = "Dockerfile"
    package var destinations: [String] = []
    package var buildArguments: [BuildArgument] = []
    package var labels: [BuildArgument] = []
    package var annotations: [BuildArgument] = []
    package var target: String?
    package var platform: String?
    package var noPush = false
    /// Flags that were understood and have no effect here, each with the reason.
    package var notes: [String] = []

    package struct Refusal: Error, Sendable, Equatable {
        package var reason: String
        package var remedy: String?
        /// Of the argument; `nil` where the arguments have no place in a file.
        package var location: SourceLocation?
    }

    package init(parsing arguments: [String]) throws(Refusal) {
        try self.init(parsing: arguments.map { KanikoWord(text: $0) })
    }

    /// - Throws: also where a flag that matters has a value of which only the cluster knows.
    init(parsing words: [KanikoWord]) throws(Refusal) {
        var rest = words[...]
        while let word = rest.popFirst() {
            do throws(Refusal) {
                try parse(word, &rest)
            } catch {
                var error = error
                error.location = error.location ?? word.location
                throw error
            }
        }
    }

    private mutating func parse(_ word: KanikoWord, _ rest: inout ArraySlice<KanikoWord>) throws(Refusal) {
        let argument = word.text
        guard argument.hasPrefix("-"), argument != "-" else {
            if let unknown = word.unknown { throw Self.refusal("an argument of the executor", unknown) }
            throw Refusal(
                reason: "the executor's argument '\(argument)' is no flag", remedy: "remove it from the args")
        }
        guard let (token, known) = KanikoFlags.executor.token(argument), let flag = known else {
            throw Refusal(
                reason: "unknown executor flag '\(argument.prefix { $0 != "=" })'",
                remedy: "declare this build in the agent's configuration under 'builds:'")
        }
        var value = word
        if let attached = token.value {
            value.text = attached
        } else if !flag.form.takesValue {
            value.text = "true"
        } else if let next = rest.popFirst() {
            value = next
        } else {
            throw Refusal(reason: "executor flag '--\(token.name)' has no value", remedy: nil)
        }
        if flag.treatment == .honoured, let unknown = value.unknown {
            var refusal = Self.refusal("executor flag '--\(token.name)'", unknown)
            refusal.location = value.location
            throw refusal
        }
        // What has no effect here may say what it will.
        if value.unknown != nil, !flag.form.takesValue { value.text = "true" }
        try apply(flag, name: token.name, value: value.text)
    }

    private static func refusal(_ subject: String, _ unknown: ContainerEnvironment.Unknown) -> Refusal {
        Refusal(
            reason: "\(subject) uses \(unknown.reference), \(unknown.reason)",
            remedy: unknown.variable.map { "give \($0) a 'value' in the container's 'env', or " }.map {
                $0 + "declare this build under 'builds:' in .slipway.yaml"
            } ?? "write the value itself, or declare this build under 'builds:' in .slipway.yaml")
    }

    private mutating func apply(_ flag: KanikoFlag, name: String, value: String) throws(Refusal) {
        if !flag.form.takesValue {
            guard let isSet = GoBoolean.parse(value) else {
                throw Refusal(reason: "executor flag '--\(name)=\(value)' is neither true nor false", remedy: nil)
            }
            if !isSet { return }
        }
        switch flag.treatment {
        case .immaterial: break
        case .transport:
            notes.append(
                "--\(name) is not taken from the repository: only the agent's own configuration sets transport")
        case .local:
            notes.append(
                "--\(name) is not taken from the repository: it names a file or a cache of the pod, and a repository may "
                    + "name none of the agent's")
        case .refused(let reason):
            throw Refusal(
                reason: "executor flag '--\(name)': \(reason)",
                remedy: "remove the flag, or declare this build in the agent's configuration under 'builds:'")
        case .honoured: try set(name, value)
        }
    }

    private mutating func set(_ name: String, _ value: String) throws(Refusal) {
        switch name {
        case "context": context = value
        case "context-sub-path": contextSubPath = value
        case "git": try setGit(value)
        case "dockerfile": dockerfile = value
        case "destination": destinations.append(value)
        case "build-arg": buildArguments.append(try Self.pair(name, value))
        case "label": labels.append(try Self.pair(name, value))
        case "annotation": annotations.append(try Self.pair(name, value))
        case "target": target = value
        case "custom-platform", "customPlatform": platform = value
        default: noPush = true
        }
    }

    /// `--git=branch=NAME,single-branch=true,recurse-submodules=false,insecure-skip-tls=false`.
    private mutating func setGit(_ value: String) throws(Refusal) {
        for option in value.split(separator: ",") {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let (name, text) = (parts[0], parts.count > 1 ? parts[1] : "true")
            switch name {
            case "branch": gitBranch = text.isEmpty ? nil : text
            // Which commits are fetched changes no file.
            case "single-branch", "depth": break
            case "recurse-submodules": fetchesSubmodules = GoBoolean.parse(text)
            case "insecure-skip-tls":
                notes.append(
                    "--git=insecure-skip-tls is not taken from the repository: only the agent's own configuration sets transport"
                )
            default:
                throw Refusal(
                    reason: "executor flag '--git' has the unknown option '\(name)'",
                    remedy: "there are branch, single-branch, recurse-submodules, insecure-skip-tls and depth")
            }
        }
    }

    private static func pair(_ name: String, _ value: String) throws(Refusal) -> BuildArgument {
        guard let equals = value.firstIndex(of: "="), equals != value.startIndex else {
            throw Refusal(
                reason: "executor flag '--\(name)=\(value)' takes its value from the pod's environment",
                remedy: "write --\(name)=\(value)=VALUE")
        }
        return BuildArgument(name: String(value[..<equals]), value: String(value[value.index(after: equals)...]))
    }
}
