import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// Contexts whose links lead to files of the machine, and files that no layer can hold.
@Suite("Hostile contexts", .tags(.integration), .thorough) struct HostileContextTests {
    /// A file of the machine that no image may get, and links to it in the context.
    private static func prepare(_ bench: Workbench) throws -> String {
        let secret = bench.directory.file("secret")
        try FileManager.default.createDirectory(atPath: secret, withIntermediateDirectories: true)
        try Data("of the machine".utf8).write(to: URL(fileURLWithPath: secret + "/shadow"))
        try Shell.run(["tar", "-C", secret, "-cf", secret + "/archive.tar", "shadow"])
        try bench.link("shadow", to: "/etc/shadow")
        try bench.link("etc", to: "/etc")
        try bench.link("file", to: secret + "/shadow")
        try bench.link("folder", to: secret)
        try bench.link("up", to: "../secret")
        try bench.link("archive.tar", to: secret + "/archive.tar")
        try bench.link("proc", to: "/proc/self/environ")
        try bench.link("chain", to: "folder")
        try bench.write("own/f", "of the context")
        try bench.link("own/out", to: "../../secret/shadow")
        return secret
    }

    @Test(arguments: [
        "COPY shadow /x", "COPY etc/shadow /x", "COPY file /x", "COPY folder/shadow /x", "COPY up/shadow /x",
        "COPY chain/shadow /x", "COPY proc /x", "COPY own/out /x", "COPY folder /x/", "COPY fold*/shadow /x",
        "COPY --parents folder/shadow /x/", "COPY --parents ./folder/./shadow /x/", "ADD file /x",
        "ADD archive.tar /x/",
        "ADD folder/archive.tar /x/", "COPY ../secret/shadow /x", "COPY /../../../../../../etc/shadow /x",
        "RUN --mount=type=bind,source=shadow,target=/m cat /m", "RUN --mount=type=bind,source=folder,target=/m ls /m",
        "RUN --mount=type=bind,source=up/shadow,target=/m cat /m",
        "RUN --mount=type=bind,source=../secret/shadow,target=/m cat /m",
        "RUN --mount=type=cache,from=named,source=file,target=/m cat /m", "COPY --from=named file /x",
        "COPY --from=named folder/shadow /x", "COPY --from=stage /link /x", "COPY --from=stage /dir/shadow /x",
        "COPY --link file /x", "COPY --link folder/shadow /x",
    ])
    func linksOutAreRefused(_ line: String) async throws {
        let bench = try await Workbench()
        let secret = try Self.prepare(bench)
        let text =
            "FROM busybox AS stage\nRUN ln -s \(secret)/shadow /link && ln -s \(secret) /dir\nFROM busybox\n\(line)\n"
        let log = EventLog()
        do {
            let result = try await bench.build(text) {
                $0.namedContexts["named"] = .directory(path: bench.directory.file("context"))
            }
            // Patterns without a match select nothing, as with BuildKit.
            #expect(line.contains("*"))
            #expect(try !result.exists("x"))
        } catch let error as BuildError {
            #expect(error.code == .missingSource || error.code == .step, "\(error)")
            #expect(error.place?.hasPrefix("Dockerfile:4:") == true, "\(error)")
            #expect(!"\(error)".contains("of the machine"))
        }
        #expect(!log.output.contains("of the machine"))
    }

    @Test(arguments: BuildMode.allCases) func linksBelowAreLinks(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let secret = try Self.prepare(bench)
        let result = try await bench.build(
            """
            FROM busybox
            COPY . /all/
            COPY --parents ./*/ /parents/
            RUN --mount=type=bind,target=/m cat /m/file /m/folder/shadow /m/up/shadow /m/own/out /m/shadow > /seen 2>/dev/null; \\
                for l in /m/file /m/own/out; do readlink $l; done >> /seen
            RUN cat /all/file /all/folder/shadow /all/own/out >> /seen 2>/dev/null; test ! -s /all/shadow
            """, mode: mode)
        #expect(try result.text("seen") == "\(secret)/shadow\n../../secret/shadow\n")
        let tree = try result.tree()
        #expect(tree["all/shadow"] == "l 0777 0:0 /etc/shadow" && tree["all/etc"] == "l 0777 0:0 /etc")
        #expect(tree["all/own/out"] == "l 0777 0:0 ../../secret/shadow" && tree["all/folder/shadow"] == nil)
        #expect(tree["parents/folder/shadow"] == nil && tree["parents/etc/shadow"] == nil)
    }

    /// The Dockerfile and the ignore file are read in the context too.
    @Test func theDockerfileIsInTheContext() async throws {
        let bench = try await Workbench()
        let outside = bench.directory.file("outside")
        try Data("FROM busybox\nLABEL from=outside\n".utf8).write(to: URL(fileURLWithPath: outside))
        try bench.link("Dockerfile", to: outside)
        try bench.write("sub/Real", "FROM busybox\nCOPY . /all/\n")
        try bench.link("Good", to: "sub/Real")
        try bench.link(".dockerignore", to: outside)
        var request = try bench.request("")
        request.dockerfile = .path("Dockerfile")
        let asked = request
        let error = await #expect(throws: BuildError.self) { try await bench.builder().build(asked) { _ in } }
        #expect(error?.code == .missingSource, "\(String(describing: error))")
        request.dockerfile = .path("Good")
        let good = request
        _ = try await bench.builder().build(good) { _ in }
    }

    // MARK: Names of marks

    @Test(arguments: BuildMode.allCases) func namesOfMarksAreRefused(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        try bench.write("d/.wh.x", "of the user")
        for (line, path) in [
            ("RUN mkdir -p /a && echo x > /a/.wh.old", "/a/.wh.old"),
            ("RUN mkdir -p /a/.wh..wh..opq", "/a/.wh..wh..opq"),
            ("COPY d /d", "/d/.wh.x"),
        ] {
            let error = await #expect(throws: BuildError.self) {
                try await bench.build("FROM busybox\n\(line)\n", mode: mode)
            }
            #expect(error?.summary == "no image can hold the file \(path)", "\(String(describing: error))")
            #expect(error?.place?.hasPrefix("Dockerfile:2:") == true && error?.hint != nil)
        }
        let result = try await bench.build(
            "FROM busybox\nRUN touch /.wh.bin && rm /.wh.bin\nCOPY --exclude=**/.wh.* d /d\n", mode: mode)
        #expect(try result.exists("d") && result.exists("bin/sh"))
    }

    /// An archive's marks take effect at once, for the steps that follow as for all who read the image.
    @Test(arguments: BuildMode.allCases) func marksOfArchivesAreObeyed(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        try Data(
            TarItem.archive([
                .directory("srv"), .file("srv/.wh.old.txt"), .file("srv/new"), .directory("etc"),
                .file("etc/.wh..wh..opq"), .file("etc/own", "own"), .file(".wh.home"), .directory("home"),
                .file("home/n"), .file(".wh.own2"), .file("own2"), .file(".wh..wh.plnk"),
            ])
        ).write(to: URL(fileURLWithPath: bench.directory.file("context/a.tar")))
        let result = try await bench.build(
            "FROM busybox\nADD a.tar /\nRUN ls -A /srv /etc /home > /seen; test -e /own2\n", mode: mode)
        let seen = try result.text("seen")
        #expect(!seen.contains("old.txt") && !seen.contains("app") && !seen.contains("passwd"), "\(seen)")
        #expect(seen.contains("own") && seen.contains("new") && seen.contains("n\n"))
        let tree = try result.tree()
        for gone in ["srv/old.txt", "etc/passwd", "home/app", "srv/.wh.old.txt"] {
            #expect(tree[gone] == nil, "\(gone)")
        }
        #expect(tree["etc/own"] != nil && tree["home/n"] != nil && tree["own2"] != nil)
    }
}
