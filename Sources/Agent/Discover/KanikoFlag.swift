/// A flag of kaniko's executor or warmer, and what becomes of it here.
///
/// This is the only table of them: the command line reads kaniko's spellings by it, and the arguments of Jobs that are found
/// in repositories are read by it.
package struct KanikoFlag: Sendable {
    /// How the flag takes its value, as pflag has it.
    package enum Form: Sendable, Hashable {
        /// `--name`, `--name=true`, `--name=false`; false where it is not given.
        case boolean
        /// The same, where `false` says something else than nothing.
        case toggle
        /// `--name VALUE` or `--name=VALUE`; where it is repeated, the last counts.
        case value
        /// A value that may be repeated.
        case list

        package var takesValue: Bool { self == .value || self == .list }
    }

    /// What `slipway build`, or `slipway warm`, does with it.
    package enum Handling: Sendable, Hashable {
        case honoured
        /// Taken, with a note: what it is about does not exist here.
        case idle(String)
        case refused(reason: String, remedy: String)
    }

    /// What becomes of it in a Job that is found in a repository.
    enum Treatment: Sendable, Hashable {
        /// Changes what is built or where it goes: read into a field.
        case honoured
        /// About kaniko's own working, its logs, its cache, or a file inside its pod: nothing to do here.
        case immaterial
        /// Lowers transport security. A repository's content may not decide that for the agent.
        case transport
        /// Names a file, a directory or a cache of the pod. A repository may not name the agent's.
        case local
        /// Would change the image in a way that is not supported there.
        case refused(String)
    }

    /// As kaniko's help has it today.
    package let name: String
    package let shorthand: Character?
    /// Spellings of old.
    package let formerNames: [String]
    package let form: Form
    package let handling: Handling
    let treatment: Treatment

    init(
        _ name: String, _ form: Form = .value, short shorthand: Character? = nil, formerly formerNames: [String] = [],
        _ handling: Handling = .honoured, found treatment: Treatment = .immaterial
    ) {
        self.name = name
        self.shorthand = shorthand
        self.formerNames = formerNames
        self.form = form
        self.handling = handling
        self.treatment = treatment
    }

    func has(name: String) -> Bool { self.name == name || formerNames.contains(name) }
}

/// The flags of one of kaniko's programs.
package struct KanikoFlags: Sendable {
    package let all: [KanikoFlag]
    private let byName: [String: Int]
    private let byShorthand: [Character: Int]

    init(_ all: [KanikoFlag]) {
        self.all = all
        var byName: [String: Int] = [:]
        var byShorthand: [Character: Int] = [:]
        for (index, flag) in all.enumerated() {
            for name in [flag.name] + flag.formerNames { byName[name] = index }
            if let letter = flag.shorthand { byShorthand[letter] = index }
        }
        self.byName = byName
        self.byShorthand = byShorthand
    }

    package subscript(name: String) -> KanikoFlag? { byName[name].map { all[$0] } }

    /// One argument of a command line.
    package struct Token: Equatable {
        /// As it was written, without dashes.
        package let name: String
        /// What stood behind it in the same argument.
        package let value: String?
    }

    /// `--name`, `--name=value`, `-n`, `-nvalue` and `-n=value`, as pflag reads them; `nil` for what is no flag.
    package func token(_ argument: String) -> (token: Token, flag: KanikoFlag?)? {
        guard argument.hasPrefix("-"), argument != "-", argument != "--" else { return nil }
        var body = argument.dropFirst()
        if body.first == "-" {
            body = body.dropFirst()
        } else if let letter = body.first, let index = byShorthand[letter] {
            var value = body.dropFirst()
            if value.first == "=" { value = value.dropFirst() }
            return (Token(name: all[index].name, value: body.count == 1 ? nil : String(value)), all[index])
        }
        let equals = body.firstIndex(of: "=")
        let name = String(equals.map { body[..<$0] } ?? body)
        return (Token(name: name, value: equals.map { String(body[body.index(after: $0)...]) }), self[name])
    }
}
