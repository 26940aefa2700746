import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// Base images and archives that were made to do harm: harmless, bounded, and told of.
@Suite("Hostile input", .tags(.integration), .thorough) struct HostileInputTests {
    /// What a hostile archive tries to reach: a file beside the state directory, which must stay as it is.
    private static func canary(_ bench: Workbench) throws -> String {
        let path = bench.directory.file("canary")
        try Data("untouched".utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    /// Names that lead out, and links that lead out with names through them.
    private static func escapes(to outside: String) -> [TarItem] {
        let above = String(repeating: "../", count: 40)
        return [
            .file("../up", "up"), .file("/absolute", "absolute"), .file("a/../../../b", "b"),
            .file(above.dropLast() + outside + ".new", "n"), .symlink("out", outside + ".folder"),
            .file("out/through", "t"), .symlink("relative", above + "etc"), .file("relative/hostile", "h"),
            .symlink("canary", outside), .file("canary", "replaced"), .directory(".."), .directory("/"),
            // Swapped under the extraction: a directory is a link by the time that its file comes.
            .directory("swapped"), .file("swapped/one", "1"), .symlink("swapped", outside + ".folder"),
            .file("swapped/two", "2"), .directory("deep/er"), .symlink("deep", "/etc"), .file("deep/er", "3"),
        ]
    }

    /// Whether nothing was made or changed beside the builder's own directories.
    private static func expectNothingOutside(_ bench: Workbench, _ place: SourceLocation = #_sourceLocation) throws {
        let canary = bench.directory.file("canary")
        #expect(try String(contentsOfFile: canary, encoding: .utf8) == "untouched", sourceLocation: place)
        let names = try FileManager.default.contentsOfDirectory(atPath: bench.directory.path)
        #expect(names.filter { $0.hasPrefix("canary") } == ["canary"], sourceLocation: place)
        #expect(!FileManager.default.fileExists(atPath: "/etc/hostile"), sourceLocation: place)
        #expect(!FileManager.default.fileExists(atPath: "/absolute"), sourceLocation: place)
    }

    @Test(arguments: BuildMode.allCases) func aBaseStaysInItsRoot(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let canary = try Self.canary(bench)
        let base = try bench.image("hostile", [try Self.tools(), Self.escapes(to: canary)])
        let result = try await bench.build(
            """
            FROM hostile
            RUN cat /up /absolute /b /etc/hostile /canary > /seen; test -L /swapped; echo $? >> /seen
            COPY --from=hostile /out/through /swapped/two /copied/
            """, mode: mode
        ) { $0.namedContexts["hostile"] = .image(try ImageLocation(base)) }
        #expect(try result.text("seen") == "upabsolutebhreplaced0\n")
        #expect(try result.text("copied/through") == "t" && result.text("copied/two") == "2")
        try Self.expectNothingOutside(bench)
    }

    @Test func anArchiveStaysInItsFolder() async throws {
        let bench = try await Workbench()
        let canary = try Self.canary(bench)
        let archive = URL(fileURLWithPath: bench.directory.file("context/a.tar"))
        try Data(TarItem.archive(Self.escapes(to: canary))).write(to: archive)
        let result = try await bench.build("FROM busybox\nADD a.tar /to/\nADD a.tar /\n")
        let names = try result.layer(1).entries.keys
        #expect(names.allSatisfy { $0 == "to" || $0.hasPrefix("to/") }, "\(names)")
        #expect(try result.text("to/up") == "up" && result.text("to/etc/hostile") == "h")
        #expect(try result.text("up") == "up" && result.text("etc/hostile") == "h")
        try Self.expectNothingOutside(bench)
    }

    /// Files of an archive, and what the message says of them.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let items: [TarItem]
        let words: String

        init(_ items: [TarItem], _ words: String) {
            self.items = items
            self.words = words
        }

        var testDescription: String {
            "\(String(decoding: items.last?.name.prefix(30) ?? [], as: UTF8.self)): \(words)"
        }
    }

    static let refusedBases: [Refusal] = [
        Refusal([TarItem.hardLink("h", "../canary")], "the hard link has no target"),
        Refusal([TarItem.hardLink("h", "/etc/shadow")], "the hard link has no target"),
        Refusal([TarItem.symlink("l", "/etc/shadow"), TarItem.hardLink("h", "l/x")], "the hard link has no target"),
        Refusal([TarItem.directory("d"), TarItem.hardLink("h", "d")], "a hard link may not point to a directory"),
        Refusal([TarItem.file(String(repeating: "n", count: 100_000))], "longer than"),
        Refusal([TarItem.file((0..<3_000).map { _ in "dd" }.joined(separator: "/"))], "longer than"),
        Refusal([TarItem.file(String(repeating: "n", count: 300))], "File name too long"),
        Refusal([TarItem.symlink("l", "l"), TarItem.file("l/f")], "Too many levels of symbolic links"),
        Refusal([TarItem.file("f"), TarItem.file("f/g")], "Not a directory"),
        Refusal([TarItem.file("huge").with { $0.claimedSize = 60 << 30 }], "unpacks to more than"),
        Refusal([TarItem.file("negative").with { $0.records = [("size", Array("-5".utf8))] }], "malformed"),
        Refusal([TarItem.file(".wh.")], "the mark of a removed file names no file"),
        Refusal([TarItem.file("d/.wh...")], "the mark of a removed file names no file"),
    ]

    static let refusedArchives: [Refusal] = [
        Refusal([TarItem.hardLink("h", "/etc/passwd")], "is a link to /etc/passwd, which is not there"),
        Refusal([TarItem.hardLink("h", "../../../etc/passwd")], "which is not there"),
        Refusal([TarItem.directory("d"), TarItem.hardLink("h", "d")], "which is not there"),
        Refusal([TarItem.file(String(repeating: "n", count: 100_000))], "longer than"),
        Refusal([TarItem.file(String(repeating: "n", count: 300))], "File name too long"),
        Refusal([TarItem.symlink("l", "l"), TarItem.file("l/f")], "too many"),
        Refusal([TarItem.file("f"), TarItem.file("f/g")], "not a directory"),
        Refusal([TarItem.file("huge").with { $0.claimedSize = 60 << 30 }], "unpacks to more than"),
    ]

    @Test(arguments: refusedBases) func aBaseThatCannotBeUnpackedIsRefused(_ refusal: Refusal) async throws {
        let bench = try await Workbench()
        _ = try Self.canary(bench)
        let base = try bench.image("hostile", [refusal.items])
        for rest in ["COPY --from=hostile / /", "RUN true"] {
            let error = await #expect(throws: BuildError.self) {
                try await bench.build("FROM \(rest == "RUN true" ? "hostile" : "busybox")\n\(rest)\n") {
                    $0.namedContexts["hostile"] = .image(try ImageLocation(base))
                }
            }
            #expect(error?.code == .baseImage)
            #expect(error?.summary.hasPrefix("cannot unpack the layer sha256:") == true, "\(String(describing: error))")
            #expect(error?.cause?.contains(refusal.words) == true, "\(String(describing: error))")
            #expect(String(describing: error).utf8.count < 2_000)
        }
        let builds = bench.directory.file("state/builds")
        #expect(try FileManager.default.contentsOfDirectory(atPath: builds).isEmpty, "what was unpacked is removed")
        try Self.expectNothingOutside(bench)
    }

    @Test(arguments: refusedArchives) func anArchiveThatCannotBeUnpackedIsRefused(_ refusal: Refusal) async throws {
        let bench = try await Workbench()
        _ = try Self.canary(bench)
        let archive = URL(fileURLWithPath: bench.directory.file("context/a.tar"))
        try Data(TarItem.archive(refusal.items)).write(to: archive)
        let error = await #expect(throws: BuildError.self) { try await bench.build("FROM busybox\nADD a.tar /to/\n") }
        let text = "\(error?.summary ?? "") \(error?.cause ?? "")".lowercased()
        #expect(text.contains(refusal.words.lowercased()), "\(text)")
        #expect(error?.place == "Dockerfile:2:1", "\(String(describing: error))")
        #expect(String(describing: error).utf8.count < 2_000)
        try Self.expectNothingOutside(bench)
    }

    /// A base may hold device nodes; no step reads a device of the machine through them.
    @Test(arguments: BuildMode.allCases) func devicesOfABaseOpenNothing(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let disk = try Shell.run(["sh", "-c", "stat -c %d $(readlink -f /proc/1/root 2>/dev/null || echo /)/."]).stdout
        let number = Int(disk.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
        let base = try bench.image(
            "hostile",
            [
                try Self.tools(), [.node("4", "disk", number >> 8, number & 0xff), .node("3", "memory", 1, 1)],
            ])
        let result = try await bench.build(
            "FROM hostile\nRUN head -c 1 /disk > /seen; head -c 1 /memory >> /seen; test -b /disk && echo is >> /seen\n",
            mode: mode
        ) { $0.namedContexts["hostile"] = .image(try ImageLocation(base)) }
        #expect(try result.text("seen") == (mode == .ordinaryUser ? result.text("seen") : "is\n"))
        #expect(try !result.text("seen").hasPrefix("\0"))
        #expect(try result.tree()["disk"]?.hasPrefix("b") == true)
    }

    // MARK: Bounds

    /// Compressed to some kilobytes: bombs of 2 GiB, of a base and of ADD.
    @Test(arguments: ["gzip -1", "zstd -q", "bzip2 -1"]) func bombsAreStopped(program: String) async throws {
        let bench = try await Workbench()
        let bomb = bench.directory.file("context/bomb")
        // One member again and again is a valid stream of each of them.
        let piece = "head -c 64m /dev/zero | \(program)"
        let header = #"import tarfile; e = tarfile.TarInfo("zeros"); e.size = SIZE << 20"#
        func make(_ size: Int, _ path: String) throws {
            let head =
                "python3 -c '\(header.replacing("SIZE", with: "\(size)")); print(end=\"\"); "
                + "import sys; sys.stdout.buffer.write(e.tobuf())'"
            let count = size / 64
            try Shell.run([
                "bash", "-c",
                "\(head) | \(program) > \(path); \(piece) > \(path).piece; "
                    + "for i in $(seq \(count)); do cat \(path).piece; done >> \(path); rm \(path).piece; "
                    + "head -c 1024 /dev/zero | \(program) >> \(path)",
            ])
        }
        try make(2048, bomb)
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nADD bomb /to/\n")
        }
        #expect(error?.cause?.contains("unpacks to more than") == true, "\(String(describing: error))")
        #expect(error?.hint?.contains("--unpack-limit") == true)
        #expect(error?.place == "Dockerfile:2:1")
        // Who means it may.
        try make(64, bomb)
        let low = try Builder(
            stateDirectory: bench.directory.file("low"), registry: bench.registry, report: bench.report,
            unpackLimit: 32 << 20)
        let request = try bench.request("FROM scratch\nADD bomb /\n")
        let refused = await #expect(throws: BuildError.self) { try await low.build(request) { _ in } }
        #expect(
            refused?.cause?.contains("unpacks to more than 33554432 bytes") == true, "\(String(describing: refused))")
        let high = try Builder(
            stateDirectory: bench.directory.file("high"), registry: bench.registry, report: bench.report,
            unpackLimit: 65 << 20)
        _ = try await high.build(request) { _ in }
    }

    /// Of base images, with a digest that is right.
    @Test func bombsOfBasesAreStopped() async throws {
        let bench = try await Workbench()
        let items = [TarItem.file("zeros").with { $0.content = [UInt8](repeating: 0, count: 3 << 20) }, .file("end")]
        let base = try bench.image("bomb", [try Self.tools(), items])
        func build(_ state: String, _ limit: Int64?, _ text: String) async throws {
            var request = try bench.request(text)
            request.namedContexts["bomb"] = .image(try ImageLocation(base))
            let builder = try Builder(
                stateDirectory: bench.directory.file(state), registry: bench.registry, report: bench.report,
                unpackLimit: limit)
            _ = try await builder.build(request) { _ in }
        }
        for text in ["FROM bomb\nRUN true\n", "FROM bomb\nWORKDIR /w\n", "FROM busybox\nCOPY --from=bomb /end /\n"] {
            let error = await #expect(throws: BuildError.self) { try await build("low", 1 << 20, text) }
            #expect(error?.code == .baseImage)
            #expect(
                error?.cause?.contains("unpacks to more than 1048576 bytes") == true, "\(String(describing: error))")
            #expect(error?.hint?.contains("--unpack-limit") == true)
            try await build("high", nil, text)
        }
        let builds = bench.directory.file("low/builds")
        #expect(try FileManager.default.contentsOfDirectory(atPath: builds).isEmpty)
    }

    /// Three thousand here, and as many entries as `SLIPWAY_ENTRIES` says: memory does not grow with them.
    @Test func aMillionEntries() async throws {
        let bench = try await Workbench()
        let wanted = ProcessInfo.processInfo.environment["SLIPWAY_ENTRIES"].flatMap { Int($0) } ?? 3_000
        let program = """
            import sys, tarfile
            with tarfile.open(sys.argv[1], 'w:gz', compresslevel=1, format=tarfile.USTAR_FORMAT) as archive:
                count = int(sys.argv[2])
                for i in range(count):
                    entry = tarfile.TarInfo('%d/%d/%d' % (i % 7, i // 1000, i))
                    entry.mode, entry.mtime = 0o644, 1500000000
                    # A quarter are folders that another quarter replaces by files: none of it may take the square of the time.
                    if i < count // 4: entry.name, entry.type, entry.mode = 'again/%d' % i, tarfile.DIRTYPE, 0o755
                    elif i < count // 2: entry.name = 'again/%d' % (i - count // 4)
                    archive.addfile(entry)
            """
        try Shell.run(["python3", "-c", program, bench.directory.file("context/a.tgz"), "\(wanted)"])
        let result = try await bench.build("FROM scratch\nADD a.tgz /\n")
        #expect(try result.names(inLayer: 0).count > wanted / 2)
        let tar = bench.directory.file("entries.tar")
        try Shell.run(["sh", "-c", "gzip -dc \(bench.directory.file("context/a.tgz")) > \(tar)"])
        let base = try ImageFixtures.image(at: bench.directory.file("many"), tag: "many", layerTars: [tar])
        let again = try await bench.build("FROM many\nCOPY --from=many /again /copied/\n", tag: "again") {
            $0.namedContexts["many"] = .image(try ImageLocation(base))
        }
        #expect(again.image.layers.count == 2)
    }

    // MARK: Dockerfiles

    @Test func largeDockerfilesAreBounded() async throws {
        let bench = try await Workbench()
        // 10 MB of one instruction, and 10 000 stages of which one is needed.
        let long =
            "FROM scratch\nLABEL a=" + String(repeating: String(repeating: "x", count: 60_000) + "\\\n", count: 170)
        let error = await #expect(throws: BuildError.self) { try await bench.build(long + "\n" + long) }
        #expect(error?.place?.hasPrefix("Dockerfile") == true, "\(String(describing: error).prefix(300))")
        var stages = "FROM scratch AS s0\n"
        for index in 1..<10_000 { stages += "FROM s\(index - 1) AS s\(index)\nRUN exit \(index % 256)\n" }
        let result = try await bench.build(stages) { $0.target = "s0" }
        #expect(result.image.layers.isEmpty)
        let cycle = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox AS a\nCOPY --from=b /x /\nFROM busybox AS b\nCOPY --from=a /x /\n")
        }
        #expect(cycle?.place == "Dockerfile:4:8", "\(String(describing: cycle))")
        for text in [
            "FROM busybox AS a\nCOPY --from=a /x /\n", "FROM busybox\nCOPY --from=0 /x /\n",
            "FROM busybox AS a\nRUN --mount=from=a,target=/m true\n",
            "FROM busybox AS x\nCOPY --from=1 /x /\nFROM x\n",
        ] {
            let error = await #expect(throws: BuildError.self) { try await bench.build(text) }
            #expect(error?.code == .dockerfile && error?.place?.hasPrefix("Dockerfile:2:") == true, "\(text)")
        }
    }

    // MARK: Helpers

    /// A layer with busybox and the links that the tests here use.
    static func tools() throws -> [TarItem] {
        let program = try Data(contentsOf: URL(fileURLWithPath: "/bin/busybox"))
        let busybox = TarItem.file("bin/busybox", mode: 0o755).with { $0.content = Array(program) }
        let links = ["sh", "cat", "head", "test", "echo", "ls", "rm", "mkdir", "ln", "touch", "true", "stat", "mv"]
        return [TarItem.directory("bin"), busybox] + links.map { .symlink("bin/\($0)", "busybox") } + [
            .directory("etc"), .directory("tmp", mode: 0o1777),
        ]
    }
}
