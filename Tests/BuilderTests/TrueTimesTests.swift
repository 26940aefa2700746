import Builder
import Foundation
import OCI
import TestSupport
import Testing

/// A context that says nothing of times, as git does not.
struct DatelessContext: BuildContext {
    let inner: any BuildContext

    var displayName: String { inner.displayName }

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        try await inner.entries(under: folder).map { entry in
            var entry = entry
            entry.modified = nil
            return entry
        }
    }

    func contentIDs(of entries: [ContextEntry]) async throws(BuildError) -> [String] {
        try await inner.contentIDs(of: entries)
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) { try await inner.read(entry, sink) }
}

/// A program that goes by times makes of a step's files what it would make of them where nothing was built before.
@Suite("Times are true", .tags(.integration), .thorough) struct TrueTimesTests {
    struct Lane: Sendable, CustomTestStringConvertible {
        let mode: BuildMode
        let isDated: Bool
        let seed: UInt64

        var testDescription: String { "\(mode.rawValue), \(isDated ? "a directory" : "git"), seed \(seed)" }
    }

    private static let lanes = BuildMode.allCases.flatMap { mode in
        [true, false].flatMap { isDated in [UInt64(1), 2].map { Lane(mode: mode, isDated: isDated, seed: $0) } }
    }

    private static let makefile = """
        OBJECTS = $(O)/a.o $(O)/b.o $(O)/c.o
        $(O)/prog: $(OBJECTS) ; cat $(OBJECTS) > $@
        $(O)/%.o: %.c ; sed 's/^/o:/' $< > $@
        """

    /// Commits, reverts and branches, edited RUN lines, one cache for all, a store that loses things.
    @Test(arguments: lanes) func `an image holds what a build from nothing gives`(lane: Lane) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(lane.mode) else { return print("skipped: no \(lane.mode.rawValue) on this machine") }
        guard let tools = try await ToolsImage.name() else { return }
        var random = SplitMix(state: lane.seed)
        try bench.write("Makefile", Self.makefile)
        var texts = ["a": "0", "b": "0", "c": "0"]
        for (name, text) in texts { try bench.write("\(name).c", text + "\n") }
        for round in 0..<8 {
            // Few contents, so that each comes again: a revert, another branch.
            for name in ["a", "b", "c"] where Int.random(in: 0..<3, using: &random) == 0 {
                texts[name] = "\(Int.random(in: 0..<3, using: &random))"
                try bench.write("\(name).c", "\(texts[name] ?? "")\n")
                // As `cp -p` does it; and as an archive does it whose files all have one time.
                let age = [nil, "@1500000000", "@\(1_600_000_000 + round).5"].randomElement(using: &random) ?? nil
                if let age { try Shell.run(["touch", "-d", age, bench.directory.file("context/\(name).c")]) }
            }
            let edit = Int.random(in: 0..<2, using: &random)
            let make = "make -s -C /src O=/obj && cp /obj/prog /prog"
            var expected = ["a", "b", "c"].map { "o:\(texts[$0] ?? "")\n" }
            let steps: String
            switch Int.random(in: 0..<3, using: &random) {
            case 0: steps = "COPY . /src\nRUN --mount=type=cache,id=obj,target=/obj \(make) && : \(edit)"
            case 1:
                steps =
                    "RUN --mount=type=bind,source=.,target=/src --mount=type=cache,id=obj,target=/obj \(make) && : \(edit)"
            default:
                expected[1] += "o:\(edit)\n"
                steps = "COPY . /src\nRUN mkdir /obj && \(make)\nRUN echo \(edit) >> /src/b.c\nRUN \(make)"
            }
            switch Int.random(in: 0..<6, using: &random) {
            case 0: try? FileManager.default.removeItem(atPath: bench.state(lane.mode) + "/layers")
            case 1: try? FileManager.default.removeItem(atPath: bench.state(lane.mode) + "/steps")
            default: break
            }
            let isCold = Int.random(in: 0..<6, using: &random) == 0
            let result = try await bench.build("FROM tools\n\(steps)\n", mode: lane.mode, tag: "r\(round)") {
                $0.namedContexts["tools"] = .image(try ImageLocation(tools))
                $0.isReproducible = round % 2 == 0
                $0.noCache = isCold
                if !lane.isDated { $0.context = DatelessContext(inner: $0.context) }
            }
            #expect(try result.read().tree["prog"]?.text == expected.joined(), "round \(round): \(steps)")
        }
    }

    /// A header of the base, as old as the base is, and a cache that steps on another base filled.
    @Test(arguments: BuildMode.allCases) func `another base's files count`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        guard let layers = try await ToolsImage.layers() else { return }
        // Base images of three ages: older than the cache, from before there were times, and of today.
        var bases: [String] = []
        for (index, age) in ["@1300000000", "@0", "@\(Int(Date().timeIntervalSince1970) - 5)", "@1200000000"]
            .enumerated()
        {
            let folder = bench.directory.file("base-\(index)")
            try Shell.run([
                "sh", "-c",
                """
                mkdir -p \(folder)/usr/include && echo base-\(index) > \(folder)/usr/include/h && \
                touch -d \(age) \(folder)/usr/include/h && tar --owner=0 --group=0 -C \(folder) -cf \(folder).tar usr
                """,
            ])
            bases.append(
                try ImageFixtures.image(
                    at: folder + "-image", tag: "latest", layerTars: layers + [folder + ".tar"],
                    config: ["Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["/bin/sh"]]))
        }
        try bench.write("Makefile", "$(O)/prog: f.c /usr/include/h ; echo made; cat f.c /usr/include/h > $@\n")
        try bench.write("f.c", "f\n")
        try Shell.run(["touch", "-d", "@1500000000", bench.directory.file("context/f.c")])
        func build(_ base: Int, _ edit: String) async throws -> (prog: String?, isMade: Bool) {
            let text = """
                FROM base
                COPY . /src
                RUN --mount=type=cache,target=/obj,id=obj mkdir -p /obj/d && [ -e /obj/d/kept ] || echo kept > /obj/d/kept
                RUN --mount=type=cache,target=/obj,id=obj make -s -C /src O=/obj && cp /obj/prog /prog && : \(edit)
                """
            let result = try await bench.build(text, mode: mode, tag: edit) {
                $0.namedContexts["base"] = .image(try ImageLocation(bases[base]))
                $0.noCache = false
            }
            return (try result.read().tree["prog"]?.text, result.log.output.contains("made"))
        }
        for (round, base) in [0, 0, 1, 0, 3, 2, 1, 1, 3].enumerated() {
            let found = try await build(base, "\(round)")
            #expect(found.prog == "f\nbase-\(base)\n", "round \(round)")
            // On the same base as before, nothing is made again.
            if round == 1 || round == 7 { #expect(!found.isMade, "round \(round)") }
        }
    }

    /// A checkout writes hundreds of files within one tick of the clock.
    @Test(arguments: BuildMode.allCases) func `files of one time and size are told apart`(mode: BuildMode) async throws
    {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        guard let tools = try await ToolsImage.name() else { return }
        try bench.write("Makefile", Self.makefile)
        for folder in ["one", "two"] {
            for name in ["a", "b", "c"] {
                try bench.write("\(folder)/\(name).c", folder + "\n")
                try Shell.run([
                    "touch", "-d", "@1600000000.123456789", bench.directory.file("context/\(folder)/\(name).c"),
                ])
            }
        }
        for (round, folder) in ["one", "two", "one", "two"].enumerated() {
            let cache = "--mount=type=cache,id=obj,target=/obj"
            let make = "make -s -C /src O=/obj -f /Makefile && cp /obj/prog /prog"
            let steps =
                round < 2
                ? "COPY \(folder) /src\nRUN \(cache) \(make)"
                : "RUN --mount=type=bind,source=\(folder),target=/src \(cache) \(make)"
            let result = try await bench.build("FROM tools\nCOPY Makefile /\n\(steps)\n", mode: mode, tag: "\(round)") {
                $0.namedContexts["tools"] = .image(try ImageLocation(tools))
            }
            #expect(
                try result.read().tree["prog"]?.text == String(repeating: "o:\(folder)\n", count: 3), "round \(round)")
        }
    }

    /// Two steps of one build in one cache at the same time, each with files of its own: what either makes may be taken by the other,
    /// but by nobody after them.
    @Test(arguments: BuildMode.allCases) func `steps after two at once are right`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        guard let tools = try await ToolsImage.name() else { return }
        try bench.write("Makefile", Self.makefile)
        for name in ["a", "b", "c"] {
            try bench.write("one/\(name).c", "one\n")
            try bench.write("two/\(name).c", "two\n")
        }
        let make = "make -s -C /src O=/obj -f /Makefile && cp /obj/prog /prog"
        func build(_ text: String, tag: String) async throws -> String? {
            try await bench.build(text, mode: mode, tag: tag) {
                $0.namedContexts["tools"] = .image(try ImageLocation(tools))
                $0.jobs = 2
            }.read().tree["prog"]?.text
        }
        for round in 0..<3 {
            let stages = ["one", "two"].map { name in
                """
                FROM tools AS \(name)
                COPY Makefile /
                COPY \(name) /src
                RUN --mount=type=cache,id=obj,target=/obj \(make) && : \(round)
                """
            }
            _ = try await build(
                stages.joined(separator: "\n")
                    + "\nFROM scratch\nCOPY --from=one /prog /\nCOPY --from=two /prog /two\n",
                tag: "both-\(round)")
            for name in ["one", "two"] {
                let stage = stages[name == "one" ? 0 : 1]
                let found = try await build(
                    stage.replacing("&& : \(round)", with: "&& : after"), tag: "\(name)-\(round)")
                #expect(found == String(repeating: "o:\(name)\n", count: 3), "round \(round)")
            }
        }
    }

    /// A source that is gone is one that differs for those that knew of it by name; what stays in the cache by itself is the program's
    /// affair.
    @Test(arguments: BuildMode.allCases) func `a source that comes and goes`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        guard let tools = try await ToolsImage.name() else { return }
        // The list of objects is a file of its own, as build systems have it.
        try bench.write(
            "Makefile",
            """
            OBJECTS = $(patsubst %.c,$(O)/%.o,$(wildcard *.c))
            $(O)/prog: $(OBJECTS) $(O)/list ; cat $(OBJECTS) > $@
            $(O)/%.o: %.c ; sed 's/^/o:/' $< > $@
            $(O)/list: always ; echo $(OBJECTS) | cmp -s - $@ || echo $(OBJECTS) > $@
            always:
            """)
        func build(_ files: [String: String], _ round: Int) async throws -> String? {
            for name in ["a", "b"] {
                try? FileManager.default.removeItem(atPath: bench.directory.file("context/\(name).c"))
            }
            for (name, text) in files { try bench.write("\(name).c", text + "\n") }
            for name in files.keys {
                try Shell.run(["touch", "-d", "@1500000000", bench.directory.file("context/\(name).c")])
            }
            let text =
                "FROM tools\nCOPY . /src\nRUN --mount=type=cache,target=/obj make -s -C /src O=/obj && cp /obj/prog /prog\n"
            return try await bench.build(text, mode: mode, tag: "\(round)") {
                $0.namedContexts["tools"] = .image(try ImageLocation(tools))
                $0.noCache = false
            }.read().tree["prog"]?.text
        }
        let rounds = [
            ["a": "1", "b": "1"], ["a": "1"], ["a": "1", "b": "2"], ["b": "2"], ["a": "1", "b": "1"], ["a": "2"],
            ["a": "1", "b": "1"],
        ]
        for (round, files) in rounds.enumerated() {
            let expected = files.sorted { $0.key < $1.key }.map { "o:\($0.value)\n" }.joined()
            #expect(try await build(files, round) == expected, "round \(round)")
        }
    }

    /// What did not change is not made again: the cache serves its purpose.
    @Test(arguments: BuildMode.allCases) func `what is unchanged is not made again`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        guard let tools = try await ToolsImage.name() else { return }
        try bench.write("Makefile", Self.makefile)
        for name in ["a", "b", "c"] { try bench.write("\(name).c", "1\n") }
        func made(_ edit: String) async throws -> Set<String> {
            let text = """
                FROM tools
                COPY . /src
                RUN --mount=type=cache,target=/obj make -C /src O=/obj && : \(edit)
                """
            let result = try await bench.build(text, mode: mode) {
                $0.namedContexts["tools"] = .image(try ImageLocation(tools))
                $0.noCache = false
            }
            return Set(["a", "b", "c"].filter { result.log.output.contains("\($0).c >") })
        }
        #expect(try await made("1") == ["a", "b", "c"])
        #expect(try await made("2") == [])
        try bench.write("b.c", "2\n")
        #expect(try await made("3") == ["b"])
        // Old content with an old time: it is shown as new once, and known from then on.
        try bench.write("b.c", "1\n")
        try Shell.run(["touch", "-d", "@1500000000", bench.directory.file("context/b.c")])
        #expect(try await made("4") == ["b"])
        #expect(try await made("5") == [])
        // Nor does that reach the layer.
        let plain = try await bench.build("FROM busybox\nCOPY . /src\nRUN stat -c %Y /src/b.c > /time\n", mode: mode)
        #expect(try plain.read().tree["time"]?.text == "1500000000\n")
    }

    @Test(arguments: BuildMode.allCases) func `later steps see the order of earlier ones`(mode: BuildMode) async throws
    {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try bench.write("f", "x")
        let text = """
            FROM busybox AS made
            COPY f /src/f
            RUN cp /src/f /src/g
            RUN touch /src/f
            RUN stat -c '%y %n' /src/f /src/g | sort | tail -1 | grep f
            FROM busybox
            COPY --from=made /src /there
            RUN stat -c '%y %n' /there/f /there/g | sort | tail -1 | grep f && stat -c %Y /there/f > /time
            """
        let start = Int64(Date().timeIntervalSince1970)
        for isReproducible in [true, false] {
            for isDated in [true, false] {
                let tag = "\(isReproducible)-\(isDated)"
                let result = try await bench.build(text, mode: mode, state: tag, tag: tag) {
                    $0.isReproducible = isReproducible
                    if !isDated { $0.context = DatelessContext(inner: $0.context) }
                }
                let tree = try result.read().tree
                #expect(Int64(tree["time"]?.text.dropLast() ?? "") ?? 0 >= start, "what steps see is true")
                let told = Int64(tree["there/f"]?.modified ?? 0)
                #expect(
                    isReproducible ? told < start : told >= start, "what the layer tells is rewritten where asked for")
            }
        }
    }

    /// nginx and its like make an entity's tag of time and length: a commit that changes a file gives it the time of now.
    @Test func `a file of a commit has the time at which it was put there`() async throws {
        let bench = try await Workbench()
        func time(_ text: String) async throws -> Int {
            try bench.write("index.html", text)
            try Shell.run(["touch", "-d", "@1500000000", bench.directory.file("context/index.html")])
            let result = try await bench.build("FROM busybox\nCOPY index.html /\n", tag: text) {
                $0.isReproducible = false
                $0.context = DatelessContext(inner: $0.context)
            }
            return try #require(result.read().tree["index.html"]?.modified)
        }
        for text in ["one", "two"] {
            let start = Int(Date().timeIntervalSince1970)
            let found = try await time(text)
            #expect(found >= start)
            #expect(try await time(text) == found, "nothing changed: it is the layer of then")
        }
    }

    @Test func `the same content gives the same digest when it is asked for`() async throws {
        let bench = try await Workbench()
        try bench.write("f", "x")
        let text =
            "FROM busybox\nCOPY f /d/f\nRUN date +%s%N > /dev/null && mkdir /n && touch /n/a && echo $SOURCE_DATE_EPOCH > /e\n"
        var digests: Set<Digest> = []
        for mode in bench.modes {
            for state in ["one", "two"] {
                let result = try await bench.build(text, mode: mode, state: state, tag: "\(mode)-\(state)") {
                    $0.isReproducible = true
                    $0.hasContentDate = true
                    $0.buildArguments = [("SOURCE_DATE_EPOCH", "context")]
                    $0.context = DatelessContext(inner: $0.context)
                }
                digests.insert(result.image.manifestDigest)
                let tree = try result.read().tree
                #expect(tree["e"]?.text == "\(Workbench.createdAt)\n")
                #expect(tree["n/a"]?.modified == Int(Workbench.createdAt))
            }
        }
        #expect(digests.count == 1)
        let error = await #expect(throws: BuildError.self) {
            try await bench.build(text) { $0.buildArguments = [("SOURCE_DATE_EPOCH", "context")] }
        }
        #expect(error?.hint?.contains("no date of its own") == true)
    }

    /// Python takes a compiled file only while its source has the time that is written in it.
    @Test(arguments: BuildMode.allCases) func `Python's compiled files stay valid`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try bench.write("y.py", "print(2)\n")
        // What compileall writes, by hand: magic number, flags, time and size of the source, code.
        let script = #"""
            t=$(stat -c %Y $1)
            mkdir -p ${2%/*}
            {
                printf 'MAGC'; printf "\\$3"'\0\0\0'
                for i in 0 8 16 24; do printf "\\$(printf %o $((t >> i & 255)))"; done
                printf 'SIZEcode'
            } > $2
            """#
        try bench.write("compile", script)
        let text = """
            FROM busybox
            COPY y.py compile /app/
            RUN cd /app && echo 'print(1)' > x.py && sh compile x.py __pycache__/x.cpython-312.opt-1.pyc 0 \
             && sh compile y.py __pycache__/y.cpython-312.pyc 0 && sh compile x.py old/x.pyc 0 \
             && sh compile x.py __pycache__/x.cpython-313.pyc 1
            """
        let names = ["x.cpython-312.opt-1": "x", "y.cpython-312": "y"]
        for isReproducible in [true, false] {
            func build(_ tail: String, tag: String) async throws -> Workbench.Result {
                try await bench.build(
                    text + tail, mode: mode, state: "\(isReproducible)", tag: "\(tag)-\(isReproducible)"
                ) {
                    $0.isReproducible = isReproducible
                    $0.noCache = false
                    $0.context = DatelessContext(inner: $0.context)
                }
            }
            let root = try await build("", tag: "one").unpack()
            func time(in file: String) throws -> Int {
                try [UInt8](Data(contentsOf: URL(fileURLWithPath: root + "/app/" + file)))[8..<12].reversed()
                    .reduce(0) { $0 << 8 | Int($1) }
            }
            func modified(_ file: String) throws -> Int {
                var status = stat()
                try #require(stat(root + "/app/" + file, &status) == 0)
                return status.st_mtim.tv_sec
            }
            for (compiled, source) in names {
                #expect(try time(in: "__pycache__/\(compiled).pyc") == modified("\(source).py"), "\(compiled)")
            }
            // Known by its hash, and without a source: as they were.
            #expect(try time(in: "__pycache__/x.cpython-313.pyc") > 1_600_000_000)
            #expect(try time(in: "old/x.pyc") > 1_600_000_000)
            // Steps on the unpacked layer see what the step before saw.
            try FileManager.default.removeItem(atPath: bench.state(mode, "\(isReproducible)") + "/layers")
            let checks = names.map { compiled, source in
                "[ $(od -An -tu4 -j8 -N4 /app/__pycache__/\(compiled).pyc) = $(stat -c %Y /app/\(source).py) ]"
            }
            let again = try await build("\nRUN " + checks.joined(separator: " && "), tag: "two")
            #expect(again.image.steps.map(\.source) == [.local, .local, .made])
        }
    }
}
