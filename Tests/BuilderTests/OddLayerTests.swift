import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// Base images that are right, and unusual: links to entries that follow, parents after their children, marks after what they
/// stand beside, names with prefixes. In every isolation mode a step sees, and its layer tells, the same.
@Suite("Odd layers", .tags(.integration), .thorough) struct OddLayerTests {
    private static func layers() throws -> [[TarItem]] {
        [
            try HostileInputTests.tools() + [
                .file("./dot", "dot"), .file("/slash", "slash"), .file(".//odd//./path/../name", "name"),
                // Children before their folder, whose mode and owner come last.
                .file("late/deep/f", "f"), TarItem.directory("late/deep", mode: 0o700).owned(5, 6),
                TarItem.directory("late/", mode: 0o751).owned(7, 8),
                // Links to entries that follow, and to those of other links.
                .hardLink("links/a", "links/c"), .hardLink("links/b", "links/a"),
                .file("links/c", "linked", mode: 0o640),
                .hardLink("links/d", "./links/c"), .hardLink("links/e", "/links/d"),
                .file("gone/old", "o"), .directory("gone/folder"), .file("gone/folder/f"), .file("kept", "k"),
                .file("twice", "1"), .file("twice", "2"), .file("lower", "lower", mode: 0o600),
                .file("replaced/below", "b"), .file("all/x"), .file("all/y/z"), .file("hidden/f", "h"),
            ],
            [
                // The opaque mark after the entries of the same layer, which stay.
                .directory("gone"), .file("gone/new", "n"), .directory("gone/folder"), .file("gone/folder/g", "g"),
                .file("gone/.wh..wh..opq"),
                // A mark after, and before, the name that the layer has anew.
                .file("kept", "again"), .file(".wh.kept"), .file(".wh.twice"), .file("twice", "3"),
                .directory("replaced"), .file("replaced/own", "o"), .file(".wh.replaced"),
                // A file in the place of a folder, then a folder again: nothing of the first one is left.
                .file("hidden", "file"), .directory("hidden"), .file("hidden/new", "new"),
                .hardLink("upper", "lower"), .hardLink("./upper2", "/lower"),
                .file("all/.wh.x"), .file("all/.wh.y"), .file("all/.wh.nothing"),
            ],
        ]
    }

    private static let expected: [String: String] = [
        "dot": "dot", "slash": "slash", "odd/name": "name", "late/deep/f": "f", "links/e": "linked", "gone/new": "n",
        "gone/folder/g": "g", "kept": "again", "twice": "3", "replaced/own": "o", "hidden/new": "new", "upper": "lower",
        "upper2": "lower", "lower": "lower",
    ]
    private static let gone = [
        "gone/old", "gone/folder/f", "replaced/below", "hidden/f", "all/x", "all/y", "all/nothing",
    ]

    @Test(arguments: BuildMode.allCases) func areSeenAsTheyAre(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let base = try bench.image("odd", try Self.layers())
        let show = Self.expected.keys.sorted().map { "echo \($0) $(cat /\($0));" }.joined(separator: " ")
        let look = Self.gone.map { "test ! -e /\($0) || echo \($0);" }.joined(separator: " ")
        let result = try await bench.build(
            """
            FROM odd AS built
            RUN { \(show) \(look) } > /seen; stat -c '%n %a %u:%g' /late /late/deep /links/a > /modes; stat -c %h /links/a /lower /upper > /links2; ls -d /.wh* >> /seen 2>/dev/null; true
            FROM busybox
            COPY --from=odd / /copied/
            COPY --from=built /seen /modes /links2 /
            """, mode: mode
        ) { $0.namedContexts["odd"] = .image(try ImageLocation(base)) }
        let wanted = Self.expected.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
        #expect(try result.text("seen") == wanted)
        // The header of the last name of a file counts for all of them.
        #expect(try result.text("modes") == "/late 751 7:8\n/late/deep 700 5:6\n/links/a 644 0:0\n")
        #expect(try result.text("links2") == "5\n3\n3\n")
        for (path, text) in Self.expected { #expect(try result.text("copied/\(path)") == text, "\(path)") }
        for path in Self.gone { #expect(try !result.exists("copied/\(path)"), "\(path)") }
        let tree = try result.tree()
        #expect(tree["copied/late"] == "d 0751 7:8" && tree["copied/late/deep"] == "d 0700 5:6")
    }

    /// What an opaque mark at the root hides, and what came before it in the same layer.
    @Test(arguments: BuildMode.allCases) func theRootCanBeOpaque(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let base = try bench.image(
            "opaque",
            [
                [.file("old", "o"), .file("folder/old", "o"), .file("bin/old", "o"), .directory("etc")],
                [.directory("folder"), .file("folder/new", "n"), .file(".wh..wh..opq")]
                    + (try HostileInputTests.tools()),
            ])
        let result = try await bench.build(
            """
            FROM opaque AS built
            RUN ls / /folder > /seen; test ! -e /bin/old
            FROM busybox
            COPY --from=opaque / /copied/
            COPY --from=built /seen /
            """, mode: mode
        ) { $0.namedContexts["opaque"] = .image(try ImageLocation(base)) }
        let seen = try result.text("seen").split(whereSeparator: { $0.isWhitespace }).map(String.init)
        #expect(!seen.contains("old") && seen.contains("new"), "\(seen)")
        for path in ["old", "folder/old", "bin/old"] { #expect(try !result.exists("copied/\(path)"), "\(path)") }
        #expect(try result.text("copied/folder/new") == "n")
    }

    /// A hard link that a step makes to a file of a lower layer, which had one name: both names are one file in the layer, whether the change was
    /// seen by an overlay or by a walk, and the layers are the same to the byte.
    @Test func linksToLowerFilesAreTheSameEverywhere() async throws {
        let bench = try await Workbench()
        let base = try bench.image("odd", try Self.layers())
        var layers: [String: [Digest]] = [:]
        for mode in bench.modes where mode != .ordinaryUser {
            let result = try await bench.build(
                "FROM odd\nRUN ln /dot /linked && ln /late/deep/f /other && echo x > /new && ln /new /new2\nRUN rm /links/a /dot && echo y >> /linked\n",
                mode: mode, tag: mode.rawValue
            ) { $0.namedContexts["odd"] = .image(try ImageLocation(base)) }
            layers[mode.rawValue] = result.image.layers.map(\.diffID)
            let layer = try result.layer(2)
            #expect(layer["new2"]?.type == "h" && layer["new2"]?.link == "new")
            #expect(layer["linked"]?.link == "dot" && layer["dot"] != nil && layer["other"]?.link == "late/deep/f")
            let image = try result.read().tree
            #expect(image["linked"]?.text == "doty\n")
            #expect(image.names(ofFileAt: "new") == ["new", "new2"])
            #expect(image["links/a"] == nil && image["dot"] == nil)
        }
        #expect(Set(layers.values).count == 1, "\(layers)")
    }
}
