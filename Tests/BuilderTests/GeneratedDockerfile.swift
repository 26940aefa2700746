import Foundation
import TestSupport

/// A Dockerfile made from a number, and the image that it has to become.
struct GeneratedDockerfile {
    let seed: Int
    let text: String
    let ignore: Int
    let buildArguments: [(String, String)]
    /// The final stage.
    let expected: ModelStage

    /// - Parameters:
    ///   - base: the files of `FROM busybox`.
    ///   - extra: the files of the image `extra`, which COPY takes from.
    ///   - hasOwners: whether a step can give files away.
    init(seed: Int, base: ModelTree, extra: ModelTree, hasOwners: Bool) {
        self.seed = seed
        var maker = Maker(
            numbers: SeededNumbers(UInt64(seed)), base: base, extra: extra, hasOwners: hasOwners)
        maker.make()
        text = maker.text
        ignore = maker.ignore
        buildArguments = maker.given.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
        expected = maker.stages[maker.stages.count - 1]
    }
}

/// Puts instructions together and keeps the books.
struct Maker {
    var numbers: SeededNumbers
    let base: ModelTree
    let extra: ModelTree
    let hasOwners: Bool
    var given: [String: String] = [:]
    private var globals: [(name: String, value: String)] = []
    private(set) var ignore = 0
    private(set) var stages: [ModelStage] = []
    private(set) var text = ""
    private var counter = 0
    private var context = ModelTree()

    init(numbers: SeededNumbers, base: ModelTree, extra: ModelTree, hasOwners: Bool) {
        self.numbers = numbers
        self.base = base
        self.extra = extra
        self.hasOwners = hasOwners
    }

    private mutating func fresh(_ prefix: String) -> String {
        counter += 1
        return "\(prefix)\(counter)"
    }

    mutating func make() {
        ignore = numbers.below(ModelContext.ignores.count)
        context = ModelContext.tree(ignore)
        var head: [String] = []
        if numbers.chance(30) {
            let value = fresh("global")
            globals.append(("G", value))
            head.append("ARG G=\(value)")
            if numbers.chance(40) {
                given["G"] = "given"
                globals[0].value = "given"
            }
        }
        let count = 1 + numbers.below(3)
        for index in 0..<count {
            var (from, stage) = start(index)
            for _ in 0..<(3 + numbers.below(6)) { step(&stage) }
            // What is FROM scratch and nothing else would be no image at all.
            if stage.tree.files.isEmpty { copyFiles(&stage) }
            stages.append(stage)
            head.append(from)
            head += stage.lines
            from = ""
        }
        text = head.joined(separator: "\n") + "\n"
    }

    private mutating func start(_ index: Int) -> (String, ModelStage) {
        let name = "s\(index)"
        let roll = numbers.below(10)
        let alias = numbers.chance(50) ? " AS \(name)" : numbers.chance(50) ? " as S\(index)" : ""
        if index > 0, roll < 3, stages[index - 1].lines.first?.isEmpty == false, named.contains(index - 1) {
            if !alias.isEmpty { named.insert(index) }
            return ("FROM s\(index - 1)\(alias)", stages[index - 1].child(name))
        }
        if !alias.isEmpty { named.insert(index) }
        if roll == 3 {
            var stage = ModelStage(name: name, runs: false)
            stage.setEnvironment("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            return ("FROM scratch\(alias)", stage)
        }
        var stage = ModelStage(tree: base, name: name)
        stage.setEnvironment("PATH", "/usr/bin:/bin")
        stage.setEnvironment("BASE", "busybox")
        stage.command = ["/bin/sh"]
        stage.history = [("a fixture", true)]
        return ("FROM busybox\(alias)", stage)
    }

    /// Stages that have a name.
    private var named: Set<Int> = []

    private mutating func step(_ stage: inout ModelStage) {
        switch numbers.below(20) {
        case 0...5: if stage.runs { run(&stage) } else { copyFiles(&stage) }
        case 6...9: copyFiles(&stage)
        case 10: copyFromElsewhere(&stage)
        case 11: inline(&stage)
        case 12: workdir(&stage)
        case 13: user(&stage)
        case 14, 15: environment(&stage)
        case 16: argument(&stage)
        default: metadata(&stage)
        }
    }

    // MARK: Files

    private mutating func run(_ stage: inout ModelStage) {
        var steps: [String] = []
        // A working directory that went away is made anew.
        stage.tree.makeDirectories(stage.tree.resolve(stage.absolute("")))
        var operations = RunOperations(tree: stage.tree, owner: stage.owner, hasOwners: hasOwners)
        for _ in 0..<(1 + numbers.below(4)) { steps += operations.add(&numbers, name: fresh("n")) }
        stage.tree = operations.tree
        let shell = stage.effectiveShell
        switch numbers.below(4) {
        case 0:
            let line = steps.joined(separator: " && ")
            let words = ["/bin/sh", "-c", line]
            stage.add("RUN \(Self.json(words))", stage.runText(words), hasLayer: true)
        case 1:
            let body = (["set -e"] + steps).joined(separator: "\n") + "\n"
            stage.add("RUN <<EOF\n\(body)EOF", stage.runText(shell + [body]), hasLayer: true)
        case 2:
            // The blank before the escape character and the one at the next line's start both stay.
            let line = steps.joined(separator: "  && ")
            let broken = steps.joined(separator: " \\\n  # comment\n && ")
            stage.add("RUN \(broken)", stage.runText(shell + [line]), hasLayer: true)
        default:
            let line = steps.joined(separator: " && ")
            stage.add("run   \(line)", stage.runText(shell + [line]), hasLayer: true)
        }
    }

    private mutating func destination(_ stage: ModelStage) -> (written: String, path: String, isFolder: Bool) {
        let isFolder = numbers.chance(60)
        let name = fresh("c")
        let options =
            ["/\(name)", name, "/deep/\(name)/x", "./\(name)", "/tmp/\(name)"]
            + (stage.tree["data"] == nil ? [] : ["/data/\(name)"])
        let written = numbers.pick(options) + (isFolder ? "/" : "")
        return (written, stage.absolute(written), isFolder)
    }

    /// `--chown` and `--chmod`, which may be there.
    private mutating func flags(_ copy: inout ModelCopy, _ stage: ModelStage) -> (written: String, shown: String) {
        var flags = ""
        if numbers.chance(25) {
            let hasNames = stage.tree["etc/passwd"] != nil
            let (text, uid, gid) = numbers.pick(
                [("5:6", 5, 6), ("77", 77, 77)] + (hasNames ? [("app", 1000, 1000), ("app:extra", 1000, 2000)] : []))
            (copy.uid, copy.gid) = (uid, gid)
            flags += " --chown=\(text)"
        }
        if numbers.chance(20) {
            let mode = numbers.pick([0o644, 0o755, 0o600, 0o4755])
            copy.octal = mode
            flags += " --chmod=\(String(mode, radix: 8))"
        } else if numbers.chance(8) {
            copy.isSymbolic = true
            flags += " --chmod=u=rwX,go=rX"
        }
        return (flags, flags)
    }

    private mutating func copyFiles(_ stage: inout ModelStage) {
        var copy = ModelCopy()
        let (written, shown) = flags(&copy, stage)
        var (target, path, isFolder) = destination(stage)
        let plain = ["a.txt", "run.sh", "d", "e", "."].filter { $0 == "." || context[$0] != nil }
        let more = ["to-a", "to-d", "secret", "empty", "d/sub", "d/one", "keep.log", "ü"].filter {
            context[context.resolve($0)] != nil && context[$0] != nil
        }
        var sources = [numbers.pick(plain + more)]
        var words = sources
        switch numbers.below(5) {
        case 0:
            sources.append(numbers.pick(plain))
            words = sources
            isFolder = true
        case 1:
            let top = context.children("")
            words = [numbers.pick(["*.txt", "?.txt", "[a-c].*"])]
            let matches: (String) -> Bool =
                words[0] == "*.txt"
                ? { $0.hasSuffix(".txt") }
                : words[0] == "?.txt"
                    ? { $0.hasSuffix(".txt") && $0.count == 5 }
                    : { "abc".contains($0.first ?? "-") && $0.dropFirst().first == "." }
            sources = top.filter(matches)
            isFolder = true
        default: break
        }
        if isFolder, !target.hasSuffix("/") { target += "/" }
        var line = "COPY\(written)"
        if numbers.chance(15), sources.contains("d") || sources.contains(".") {
            line += " --exclude=**/*.md --exclude=sub/three"
            copy.excludes = { $0.hasSuffix(".md") || $0 == "sub/three" }
            if sources.contains(".") {
                // Exclusions are relative to the folder that is copied.
                copy.excludes = { $0.hasSuffix(".md") }
                line = line.replacingOccurrences(of: " --exclude=sub/three", with: "")
            } else if sources.count > 1 {
                copy.excludes = { $0.hasSuffix(".md") }
                line = line.replacingOccurrences(of: " --exclude=sub/three", with: "")
            }
        }
        let isJSON = numbers.chance(20)
        line += " " + (isJSON ? Self.json(words + [target]) : (words + [target]).joined(separator: " "))
        copy.apply(sources, of: context, to: path, isFolder: isFolder, in: &stage.tree)
        path = ""
        stage.add(line, "COPY\(shown) \((words + [target]).joined(separator: " ")) # buildkit", hasLayer: true)
    }

    private mutating func copyFromElsewhere(_ stage: inout ModelStage) {
        var copy = ModelCopy(keepsOwners: true)
        let (written, shown) = flags(&copy, stage)
        let (target, path, isFolder) = destination(stage)
        let earlier = stages.indices.filter { !stages[$0].tree.files.isEmpty }
        if !earlier.isEmpty, numbers.chance(60) {
            let index = numbers.pick(earlier)
            let from = named.contains(index) && numbers.chance(50) ? "S\(index)" : "\(index)"
            let candidates = stages[index].tree.files.filter {
                ($0.value.type == "f" || $0.value.type == "d") && !$0.key.hasPrefix("bin") && !$0.key.contains(" ")
                    && $0.key.utf8.allSatisfy { $0 < 0x80 } && !$0.key.hasPrefix(".")
            }.keys.sorted()
            guard !candidates.isEmpty else { return }
            let source = numbers.pick(candidates)
            copy.apply([source], of: stages[index].tree, to: path, isFolder: isFolder, in: &stage.tree)
            stage.add(
                "COPY --from=\(from)\(written) /\(source) \(target)", "COPY\(shown) /\(source) \(target) # buildkit",
                hasLayer: true)
        } else {
            let source = numbers.pick(["x", "x/f", "x/s"])
            copy.apply([source], of: extra, to: path, isFolder: isFolder, in: &stage.tree)
            stage.add(
                "COPY --from=extra\(written) \(source) \(target)", "COPY\(shown) \(source) \(target) # buildkit",
                hasLayer: true)
        }
    }

    private mutating func inline(_ stage: inout ModelStage) {
        var copy = ModelCopy()
        let (written, shown) = flags(&copy, stage)
        let (target, path, isFolder) = destination(stage)
        let expands = numbers.chance(50)
        let value = stage.variables["V"] ?? ""
        let tree: ModelTree = {
            var tree = ModelTree()
            tree.put("doc", .regular(expands ? "v=\(value)\n'q' \"p\"\n" : "v=$V\n'q' \"p\"\n"))
            return tree
        }()
        copy.apply(["doc"], of: tree, to: path, isFolder: isFolder, in: &stage.tree)
        stage.add(
            "COPY\(written) <<\(expands ? "doc" : "'doc'") \(target)\nv=$V\n'q' \"p\"\ndoc",
            "COPY\(shown) <<doc \(target) # buildkit", hasLayer: true)
    }

    private mutating func workdir(_ stage: inout ModelStage) {
        let written = numbers.pick(["/w/\(fresh("w"))", fresh("w"), "..", "/tmp", "a b"])
        let path = stage.absolute(written)
        stage.directory = "/" + path
        let owner = stage.owner
        stage.tree.makeDirectories(stage.tree.resolve(path), uid: owner.uid, gid: owner.gid)
        stage.add("WORKDIR \(written)", "WORKDIR /\(path)", hasLayer: !path.isEmpty)
    }

    // MARK: Configuration

    private mutating func user(_ stage: inout ModelStage) {
        guard hasOwners, stage.tree["etc/passwd"] != nil else { return }
        let user = numbers.pick(["root", "app", "app:extra", "1234", "7:8", "0"])
        stage.user = user
        stage.add("USER \(user)", "USER \(user)")
    }

    private mutating func environment(_ stage: inout ModelStage) {
        let value = fresh("v")
        switch numbers.below(5) {
        case 0:
            let old = stage.variables["V"] ?? ""
            stage.setEnvironment("V", value)
            stage.setEnvironment("W", "\(old)-x")
            stage.add("ENV V=\(value) W=${V}-x", "ENV V=\(value) W=\(old)-x")
        case 1:
            stage.setEnvironment("V", "two  words \(value)")
            stage.add("ENV V=\"two  words \(value)\"", "ENV V=two  words \(value)")
        case 2:
            stage.setEnvironment("L", "old form = \(value)")
            stage.add("ENV L old form = \(value)", "ENV L=old form = \(value)")
        case 3:
            let expanded = (stage.variables["V"] ?? "").isEmpty ? "none" : stage.variables["V"] ?? ""
            stage.setEnvironment("D", expanded)
            stage.add("ENV D=${V:-none}", "ENV D=\(expanded)")
        default:
            stage.setEnvironment("Q", "a$b'\(value)")
            stage.add("ENV Q='a$b'\\''\(value)'", "ENV Q=a$b'\(value)")
        }
    }

    private mutating func argument(_ stage: inout ModelStage) {
        switch numbers.below(3) {
        case 0:
            let value = globals.first?.value
            stage.setArgument("G", value)
            stage.add("ARG G", value.map { "ARG G=\($0)" } ?? "ARG G")
        case 1:
            if numbers.chance(50) { given["P"] = given["P"] ?? "from the caller" }
            argumentWithDefault("P", &stage)
        default: argumentWithDefault(fresh("A"), &stage)
        }
    }

    private mutating func argumentWithDefault(_ name: String, _ stage: inout ModelStage) {
        let fallback = "d-\(stage.variables["V"] ?? "")"
        let value = given[name] ?? fallback
        stage.setArgument(name, value)
        stage.add("ARG \(name)=\"d-$V\"", "ARG \(name)=\(value)")
    }

    private mutating func metadata(_ stage: inout ModelStage) {
        let value = fresh("m")
        switch numbers.below(12) {
        case 0:
            let user = stage.variables["V"] ?? ""
            stage.labels["l.\(value)"] = user
            stage.labels["plain"] = value
            stage.add("LABEL l.\(value)=\"$V\" plain=\(value)", "LABEL l.\(value)=\(user) plain=\(value)")
        case 1:
            stage.ports.formUnion(["80/tcp", "53/udp", "8000/tcp", "8001/tcp"])
            stage.add("EXPOSE 80 53/UDP 8000-8001", "EXPOSE [53/udp 80/tcp 8000/tcp 8001/tcp]")
        case 2:
            stage.volumes.formUnion(["/vol", "/tmp"])
            stage.add("VOLUME [\"/vol\", \"/tmp\"]", "VOLUME [/vol /tmp]")
        case 3:
            stage.stopSignal = "SIGUSR1"
            stage.add("STOPSIGNAL SIGUSR1", "STOPSIGNAL SIGUSR1")
        case 4:
            stage.command = ["run", value]
            stage.ownCommand = true
            stage.add("CMD [\"run\", \"\(value)\"]", "CMD [\"run\" \"\(value)\"]")
        case 5:
            stage.command = stage.effectiveShell + ["run \(value)"]
            stage.ownCommand = true
            stage.add("CMD run \(value)", "CMD " + Self.goList(stage.command ?? []))
        case 6:
            stage.entrypoint = ["/entry", value]
            if !stage.ownCommand { stage.command = nil }
            stage.add("ENTRYPOINT [\"/entry\", \"\(value)\"]", "ENTRYPOINT [\"/entry\" \"\(value)\"]")
        case 7:
            stage.entrypoint = stage.effectiveShell + ["enter \(value)"]
            if !stage.ownCommand { stage.command = nil }
            stage.add("ENTRYPOINT enter \(value)", "ENTRYPOINT " + Self.goList(stage.entrypoint ?? []))
        case 8:
            guard stage.runs else { return }
            stage.shell = ["/bin/ash", "-e", "-c"]
            stage.add("SHELL [\"/bin/ash\", \"-e\", \"-c\"]", "SHELL [/bin/ash -e -c]")
        case 9:
            stage.healthcheck = ["Test": ["CMD-SHELL", "check \(value)"], "Interval": 5_000_000_000, "Retries": 2]
            stage.add(
                "HEALTHCHECK --interval=5s --retries=2 CMD check \(value)",
                "HEALTHCHECK {Test:[CMD-SHELL check \(value)] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:2}"
            )
        case 10:
            stage.triggers.append(("LABEL trigger=\(value)", "trigger", value))
            stage.add("ONBUILD LABEL trigger=\(value)", nil)
        default:
            stage.author = "me \(value)"
            stage.add("MAINTAINER me \(value)", "MAINTAINER me \(value)")
        }
    }

    static func json(_ words: [String]) -> String {
        let data = try? JSONSerialization.data(withJSONObject: words, options: [.withoutEscapingSlashes])
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    static func goList(_ words: [String]) -> String { "[" + words.map { "\"\($0)\"" }.joined(separator: " ") + "]" }
}
