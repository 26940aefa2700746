import TestSupport

/// The same numbers for the same seed, on every machine.
struct SeededNumbers: RandomNumberGenerator {
    private var source: SplitMix

    init(_ seed: UInt64) { source = SplitMix(state: seed &* 0x9e37_79b9_7f4a_7c15 &+ 0x1234_5678_9abc_def1) }

    mutating func next() -> UInt64 { source.next() }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(max(1, count))) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func pick<Element>(_ options: [Element]) -> Element { options[below(options.count)] }
}

/// A stage of a generated Dockerfile and what has to come out of it.
struct ModelStage {
    var tree = ModelTree()
    var environment: [(name: String, value: String)] = []
    /// For expansion and RUN: `ENV` and `ARG`.
    var variables: [String: String] = [:]
    var arguments: [(name: String, value: String)] = []
    var labels: [String: String] = [:]
    var user = ""
    var directory = "/"
    var shell: [String]?
    var command: [String]?
    var entrypoint: [String]?
    var ownCommand = false
    var ports: Set<String> = []
    var volumes: Set<String> = []
    var stopSignal: String?
    var healthcheck: [String: Any]?
    var triggers: [(line: String, name: String, value: String)] = []
    var author: String?
    /// `created_by`, and whether a layer belongs to it.
    var history: [(text: String, hasLayer: Bool)] = []
    var lines: [String] = []
    let name: String
    /// There is a shell in it.
    var runs = true

    var effectiveShell: [String] { shell ?? ["/bin/sh", "-c"] }

    /// Numbers of the user that RUN and WORKDIR work as.
    var owner: (uid: Int, gid: Int) {
        switch user {
        case "app": (1000, 1000)
        case "app:extra": (1000, 2000)
        case "1234": (1234, 0)
        case "7:8": (7, 8)
        default: (0, 0)
        }
    }

    var isRoot: Bool { owner.uid == 0 }

    mutating func add(_ line: String, _ history: String?, hasLayer: Bool = false) {
        lines.append(line)
        if let history { self.history.append((history, hasLayer)) }
    }

    mutating func setEnvironment(_ name: String, _ value: String) {
        variables[name] = value
        if let index = environment.firstIndex(where: { $0.name == name }) {
            environment[index].value = value
        } else {
            environment.append((name, value))
        }
    }

    mutating func setArgument(_ name: String, _ value: String?) {
        if let value { variables[name] = value }
        let shown = value ?? arguments.first { $0.name == name }?.value ?? ""
        if let index = arguments.firstIndex(where: { $0.name == name }) {
            arguments[index].value = shown
        } else {
            arguments.append((name, shown))
        }
    }

    /// The history of a RUN.
    func runText(_ arguments: [String]) -> String {
        var words = self.arguments.map { "\($0.name)=\(variables[$0.name] ?? $0.value)" }
        if !words.isEmpty { words.insert("|\(words.count)", at: 0) }
        return "RUN " + (words + arguments).joined(separator: " ") + " # buildkit"
    }

    /// A path as an instruction gives it: absolute, without the `/` at its start.
    func absolute(_ path: String) -> String {
        let joined = path.hasPrefix("/") ? path : directory + "/" + path
        var parts: [Substring] = []
        for part in joined.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// Starts another stage from this one.
    func child(_ name: String) -> ModelStage {
        var next = ModelStage(tree: tree, name: name, runs: runs)
        next.environment = environment
        next.variables = variables
        next.arguments = arguments
        next.labels = labels
        next.user = user
        next.directory = directory
        next.shell = shell
        next.command = command
        next.entrypoint = entrypoint
        next.ports = ports
        next.volumes = volumes
        next.stopSignal = stopSignal
        next.healthcheck = healthcheck
        next.author = author
        next.history = history
        for trigger in triggers {
            next.labels[trigger.name] = trigger.value
            next.history.append(("LABEL \(trigger.name)=\(trigger.value)", false))
        }
        return next
    }

    init(tree: ModelTree = ModelTree(), name: String, runs: Bool = true) {
        self.tree = tree
        self.name = name
        self.runs = runs
    }
}

/// The context that every generated Dockerfile has, and the ignore files that it may have.
enum ModelContext {
    static let files: [(path: String, file: ImageFile)] = [
        ("a.txt", .regular("A\n")), ("b.log", .regular("B\n")), ("keep.log", .regular("K\n")),
        ("run.sh", .regular("#!/bin/sh\n", 0o755)), ("secret", .regular("s", 0o600)), ("empty", .regular("")),
        ("w space", .regular("w")), (".hidden", .regular("h")), ("d", .directory()), ("d/one", .regular("1")),
        ("d/two.log", .regular("2")), ("d/sub", .directory(0o750)), ("d/sub/three", .regular("3", 0o600)),
        ("d/sub/x.md", .regular("md")), ("d/link", .symlink("one")), ("d/dangling", .symlink("../nowhere")),
        ("e", .directory(0o700)), ("e/f", .directory()), ("e/f/g.txt", .regular("g")), ("to-a", .symlink("a.txt")),
        ("to-d", .symlink("d")), ("ü", .regular("u")),
    ]

    /// The text of an ignore file, and which paths it takes away.
    static let ignores: [(text: String?, excludes: @Sendable (String) -> Bool)] = [
        (nil, { _ in false }), ("", { _ in false }), ("*.log\n", { $0 == "b.log" || $0 == "keep.log" }),
        ("**/*.log\n!keep.log\n", { $0.hasSuffix(".log") && $0 != "keep.log" }),
        ("# a comment\n/d/sub/\n", { $0 == "d/sub" || $0.hasPrefix("d/sub/") }),
        ("d\n!d/one\n", { $0.hasPrefix("d/") && $0 != "d/one" }),
        (
            "*\n!a.txt\n!e\n!run.sh\n!d\nd/two.log\n",
            { path in
                let top = path.split(separator: "/").first.map(String.init) ?? ""
                return path == "d/two.log" || !["a.txt", "e", "run.sh", "d"].contains(top)
            }
        ),
        ("[bk]*.log\nd/*/three\n", { ["b.log", "keep.log", "d/sub/three"].contains($0) }),
    ]

    static func tree(_ ignore: Int) -> ModelTree {
        var tree = ModelTree()
        for (path, file) in files where !ignores[ignore].excludes(path) { tree.put(path, file) }
        if let text = ignores[ignore].text, !ignores[ignore].excludes(".dockerignore") {
            tree.put(".dockerignore", .regular(text))
        }
        return tree
    }
}
