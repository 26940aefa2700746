import OCI

/// What instructions change and later ones see: the configuration, and the variables.
struct StageState: Sendable {
    var config: ContainerConfig
    var author: String?
    /// ENV and ARG in the order in which they were given: what words are expanded with and RUN sees.
    var variables: OrderedVariables
    /// The ARGs declared so far that have a value, for the history of RUN.
    var arguments: OrderedVariables
    /// Where the names stand in `config.env`; `nil` before the first ENV, which may find names twice there.
    private var environmentPositions: [String: Int]?
    /// Whether this stage gave a CMD: ENTRYPOINT then keeps it.
    var hasCommand = false
    /// The working directory without the trailing slash that the configuration keeps.
    var workingDirectory: String { config.workingDir.isEmpty ? "/" : config.workingDir }

    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    static let defaultShell = ["/bin/sh", "-c"]

    var shell: [String] { config.shell ?? Self.defaultShell }

    /// A stage begins with the configuration of its base.
    init(config: ContainerConfig, author: String?) {
        self.config = config
        self.author = author
        variables = OrderedVariables(environment: config.env)
        arguments = OrderedVariables()
        if variables["PATH"] == nil { setEnvironment("PATH", Self.defaultPath) }
    }

    /// With no image below.
    static var onScratch: StageState {
        var config = ContainerConfig()
        config.workingDir = "/"
        return StageState(config: config, author: nil)
    }

    /// Sets a variable of the image, in place: a file may have a line for each of ten thousand, on a base with ten times as many.
    mutating func setEnvironment(_ name: String, _ value: String) {
        variables[name] = value
        if environmentPositions == nil { normalizeEnvironment() }
        let word = "\(name)=\(value)"
        if let position = environmentPositions?[name] {
            config.env[position] = word
        } else {
            environmentPositions?[name] = config.env.count
            config.env.append(word)
        }
    }

    /// Each name once, at its first place and with its last value.
    private mutating func normalizeEnvironment() {
        let pairs = OrderedVariables(environment: config.env).pairs
        config.env = pairs.map { "\($0.0)=\($0.1)" }
        environmentPositions = Dictionary(uniqueKeysWithValues: pairs.enumerated().map { ($1.0, $0) })
    }

    /// Joins a path with the working directory; a trailing slash stays.
    func absolute(_ path: String) -> String {
        let isDirectory = path.isEmpty || path.hasSuffix("/") || path == "." || path.hasSuffix("/.")
        let joined = path.hasPrefix("/") ? path : workingDirectory + "/" + path
        let clean = ImagePath(joined).text
        return isDirectory && clean != "/" ? clean + "/" : clean
    }
}

/// Variables in the order of their first assignment.
struct OrderedVariables: Sendable {
    private(set) var pairs: [(String, String)] = []
    private var positions: [String: Int] = [:]

    init() {}

    /// From `NAME=value` words.
    init(environment: [String]) {
        for word in environment {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            self[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
        }
    }

    subscript(name: String) -> String? {
        get { positions[name].map { pairs[$0].1 } }
        set {
            if let index = positions[name] {
                if let newValue {
                    pairs[index].1 = newValue
                } else {
                    pairs.remove(at: index)
                    positions = [:]
                    for (index, pair) in pairs.enumerated() { positions[pair.0] = index }
                }
            } else if let newValue {
                positions[name] = pairs.count
                pairs.append((name, newValue))
            }
        }
    }
}
