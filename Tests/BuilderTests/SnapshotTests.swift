import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// What a step did to its files, exactly and nothing else, however the change is found: from an overlay or by a walk.
@Suite("Snapshots", .tags(.integration), .thorough) struct SnapshotTests {
    /// A step, and the entries of its layer: type, mode, owner, link. Deletions are files called `.wh.NAME`.
    struct Row: Sendable {
        let what: String
        let script: String
        let entries: [String: String]
    }

    static let long = String(repeating: "n", count: 255)

    private static let before = """
        mkdir -p /t/dir/sub /t/full/x /t/moved/in && cd /t && echo 1 > dir/a && echo 2 > dir/b && echo 3 > dir/sub/c \
        && echo f > file && ln -s file link && echo k > kept && ln kept twin && echo o > full/one && echo w > full/x/two \
        && echo m > moved/in/f && mkdir type && echo x > same && touch -d @1400000000 same && chmod 1777 dir/sub \
        && echo x > stamp && touch -d @1400000000 stamp
        """

    private static let gone = "f 0 0:0"

    static let rows = [
        Row(what: "nothing", script: "cat file > /dev/null; touch /tmp/x; rm /tmp/x", entries: [:]),
        Row(
            what: "a deletion", script: "rm dir/a",
            entries: ["t": "d 0755 0:0", "t/dir": "d 0755 0:0", "t/dir/.wh.a": gone]),
        Row(
            what: "a directory made anew", script: "rm -r full && mkdir full && echo n > full/new",
            entries: [
                "t": "d 0755 0:0", "t/full": "d 0755 0:0", "t/full/.wh.one": gone, "t/full/.wh.x": gone,
                "t/full/new": "f 0644 0:0",
            ]),
        Row(
            what: "a directory moved", script: "mv moved there",
            entries: [
                "t": "d 0755 0:0", "t/.wh.moved": gone, "t/there": "d 0755 0:0", "t/there/in": "d 0755 0:0",
                "t/there/in/f": "f 0644 0:0",
            ]),
        Row(
            what: "changes of type",
            script:
                "rm file link && mkdir file && ln -s file link && rmdir type && mkfifo type && rm -r dir/sub && echo s > dir/sub",
            entries: [
                "t": "d 0755 0:0", "t/file": "d 0755 0:0", "t/type": "p 0644 0:0", "t/dir": "d 0755 0:0",
                "t/dir/sub": "f 0644 0:0", "t/link": "l 0777 0:0 file",
            ]),
        Row(
            what: "links in a layer, and to the layer below", script: "echo h > h1 && ln h1 h2 && ln same again",
            entries: [
                "t": "d 0755 0:0", "t/h1": "f 0644 0:0", "t/h2": "h 0644 0:0 t/h1", "t/again": "f 0644 0:0",
                "t/same": "h 0644 0:0 t/again",
            ]),
        Row(
            what: "modes and owners",
            script: "chmod 6711 dir/b && chown 12:34 dir/b && chmod 6711 dir/b && chmod 1700 dir && chown -h 5:6 link",
            entries: [
                "t": "d 0755 0:0", "t/dir": "d 01700 0:0", "t/dir/b": "f 06711 12:34", "t/link": "l 0777 5:6 file",
            ]),
        Row(what: "a mode that came back", script: "chmod 600 kept && chmod 644 kept", entries: [:]),
        Row(
            what: "the same size and time, other bytes", script: "echo y > stamp && touch -d @1400000000 stamp",
            entries: ["t": "d 0755 0:0", "t/stamp": "f 0644 0:0"]),
        Row(
            what: "odd names",
            script:
                #"mkdir odd && cd odd && touch "$(printf '\377\376')" "$(printf 'a\nb')" ' ' '.wh' "'" '\' "$(printf '\303\274')" && touch \#(long)"#,
            entries: [
                "t": "d 0755 0:0", "t/odd": "d 0755 0:0", "t/odd/\(long)": "f 0644 0:0", "t/odd/.wh": "f 0644 0:0",
                "t/odd/ ": "f 0644 0:0", "t/odd/'": "f 0644 0:0", "t/odd/\\": "f 0644 0:0", "t/odd/ü": "f 0644 0:0",
                "t/odd/a\nb": "f 0644 0:0", #"t/odd/\xff\xfe"#: "f 0644 0:0",
            ]),
        Row(
            what: "a sparse file", script: "truncate -s 50331648 sparse && echo end >> sparse",
            entries: ["t": "d 0755 0:0", "t/sparse": "f 0644 0:0"]),
    ]

    /// The rows of a layer, with names that are no text in Python's way.
    @Test(arguments: BuildMode.allCases) func stepsGiveTheirChanges(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let steps = Self.rows.map { "RUN cd /t && \($0.script)" }.joined(separator: "\n")
        let result = try await bench.build(
            "FROM busybox\nRUN \(Self.before)\n\(steps)\n", mode: mode, tag: mode.rawValue)
        for (index, row) in Self.rows.enumerated() {
            let found = try result.listing(inLayer: 2 + index)
            var expected = row.entries
            // A file that hides nothing else: its mark's mode is of no account.
            for name in expected.keys where (name.split(separator: "/").last ?? "").hasPrefix(".wh.") {
                expected[name] = "gone"
            }
            #expect(found == expected, "\(row.what)")
        }
        let sizes = try result.sizes(inLayer: -1)
        #expect(sizes["t/sparse"] == 48 << 20 + 4)
        Self.digests.append(mode, result.image.manifestDigest)
    }

    /// What all modes gave.
    private static let digests = Digests()

    @Test(arguments: BuildMode.allCases) func attributesAndCapabilities(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode), let tools = try await ToolsImage.name() else { return }
        let result = try await bench.build(
            """
            FROM tools AS one
            RUN cp /bin/busybox /ping && setcap cap_net_raw+ep /ping && setfattr -n user.note -v hi /ping && mkdir /d && setfattr -n user.dir -v x /d
            RUN chmod 700 /ping && setcap cap_net_raw+ep /ping
            RUN ln /ping /d/pong
            FROM tools
            COPY --from=one /ping /d /copy/
            """, mode: mode
        ) { $0.namedContexts["tools"] = .image(try ImageLocation(tools)) }
        let tree = try result.read().tree
        for path in ["copy/ping", "copy/pong"] {
            let file = try #require(tree[path])
            #expect(file.attributes["security.capability"]?.count == 20, "\(path)")
            #expect(file.attributes["user.note"] == Array("hi".utf8))
        }
    }

    @Test(arguments: BuildMode.allCases) func devices(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let result = try await bench.build(
            "FROM busybox\nRUN mknod /c c 1 3 && mknod -m 640 /b b 7 300 && chown 3:4 /b && ln /b /b2 && mkfifo -m 600 /p\nRUN rm /c\n",
            mode: mode)
        let tree = try result.tree()
        #expect(
            tree["c"] == nil && tree["b"] == "b 0640 3:4" && tree["b2"] == "b 0640 3:4" && tree["p"] == "p 0600 0:0")
    }

    @Test(arguments: [BuildMode.namespaces, .chroot, .ordinaryUser])
    func pathsOfFourThousandBytes(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let name = String(repeating: "d", count: 200)
        let result = try await bench.build(
            """
            FROM busybox AS one
            RUN i=0; while [ $i -lt 20 ]; do mkdir \(name) && cd \(name) || exit 1; i=$((i+1)); done; echo deep > file
            RUN i=0; while [ $i -lt 20 ]; do cd \(name) || exit 1; i=$((i+1)); done; cat file > other; rm file
            FROM scratch
            COPY --from=one /\(name) /copy
            """, mode: mode)
        let path = "copy" + String(repeating: "/" + name, count: 19) + "/other"
        #expect(path.utf8.count > 3_800)
        #expect(try result.sizes(inLayer: -1)[path] == 5)
        let state = try FileManager.default.contentsOfDirectory(atPath: bench.state(mode))
        let builds = try #require(state.first { $0.hasPrefix("builds") })
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.state(mode) + "/" + builds).isEmpty)
    }

    /// A file of the layers below with several names, of which one is written to. Overlay copies that one up and leaves the
    /// others what they were, as with every container engine; in a directory all of them are one file. Either way, the layer
    /// is what the step saw, and what the next step sees.
    @Test(arguments: BuildMode.allCases) func linksToTheLayerBelowThatAreWrittenTo(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let look = "for f in a b c; do echo $f $(cat $f) $(stat -c '%a %u' $f); done"
        let result = try await bench.build(
            """
            FROM busybox
            RUN mkdir /t && cd /t && echo old > a && ln a b && ln a c && echo 1 > m && ln m n && echo 1 > r && ln r s
            WORKDIR /t
            RUN echo new >> a && chmod 600 m && rm r && (\(look)) > seen && test $(stat -c %a m) = 600
            RUN (\(look)) > again && stat -c '%n %a' m n s > modes
            """, mode: mode)
        let tree = try result.read().tree
        let (seen, again) = (try result.text("t/seen"), try result.text("t/again"))
        #expect(seen == again)
        let others = mode.hasNamespaces ? "old\n" : "old\nnew\n"
        #expect(tree["t/a"]?.text == "old\nnew\n" && tree["t/b"]?.text == others && tree["t/c"]?.text == others)
        for name in ["a", "b", "c"] {
            let file = try #require(tree["t/\(name)"])
            let shown = file.text.split(separator: "\n").joined(separator: " ")
            #expect(seen.contains("\(name) \(shown) 644 0\n"), "\(seen)")
        }
        #expect(try result.text("t/modes") == (mode.hasNamespaces ? "m 600\nn 644\ns 644\n" : "m 600\nn 600\ns 644\n"))
        #expect(tree["t/r"] == nil && tree["t/s"]?.text == "1\n")
        // Names that still are one file stay so.
        #expect(tree.names(ofFileAt: "t/c").contains("t/b"))
        #expect(tree.names(ofFileAt: "t/a").contains("t/b") == !mode.hasNamespaces)
    }

    /// `SLIPWAY_FILES=200000` is the long form; a walk, which copies the root first, has a tenth of it.
    private static let fileCount = ProcessInfo.processInfo.environment["SLIPWAY_FILES"].flatMap { Int($0) } ?? 20_000

    @Test(arguments: [(BuildMode.namespaces, fileCount / 1_000), (.chroot, fileCount / 10_000)])
    func manyFiles(mode: BuildMode, thousands: Int) async throws {
        let folders = max(8, thousands)
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let result = try await bench.build(
            """
            FROM busybox
            RUN mkdir /many && cd /many && for d in $(seq \(folders)); do mkdir $d && cd $d && seq 1000 | xargs touch && cd .. || exit 1; done
            RUN rm /many/7/7 && echo x > /many/8/8
            """, mode: mode)
        let blob = bench.directory.file("out/blobs/sha256/\(result.image.layers[1].descriptor.digest.encoded)")
        #expect(try Shell.run(["sh", "-c", "tar -tzf \(blob) | wc -l"]).stdout.contains("\(folders * 1_001 + 1)"))
        #expect(Set(try result.names(inLayer: 2)) == ["many/", "many/7/", "many/7/.wh.7", "many/8/", "many/8/8"])
    }
}

/// Manifest digests by mode; all that came are the same.
final class Digests: @unchecked Sendable {
    // Guarded by the lock.
    private var found: [BuildMode: Digest] = [:]
    private let lock = NSLock()

    func append(_ mode: BuildMode, _ digest: Digest) {
        lock.withLock {
            found[mode] = digest
            #expect(Set(found.values).count == 1, "\(found)")
        }
    }
}

extension Workbench.Result {
    private func blob(_ index: Int) -> String {
        let layer = image.layers[index < 0 ? image.layers.count + index : index]
        return bench.directory.file("out/blobs/sha256/\(layer.descriptor.digest.encoded)")
    }

    /// A layer's entries in the short form; deletions are `gone`.
    func listing(inLayer index: Int) throws -> [String: String] {
        try LayerListing(blob: blob(index)).entries.reduce(into: [:]) { found, entry in
            let last = entry.key.split(separator: "/").last ?? ""
            found[entry.key] = last.hasPrefix(".wh.") ? "gone" : entry.value.short
        }
    }

    func sizes(inLayer index: Int) throws -> [String: Int] {
        let program = "import json,sys,tarfile; print(json.dumps({e.name: e.size for e in tarfile.open(sys.argv[1])}))"
        let output = try Shell.run(["python3", "-c", program, blob(index)]).stdout
        return try JSONDecoder().decode([String: Int].self, from: Data(output.utf8))
    }
}
