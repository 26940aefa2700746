import Builder
import Foundation
import OCI
import TestSupport
import Testing

/// Names that stand for folders, images and stages: in FROM, in `--from`, and in place of stages.
@Suite(.tags(.integration), .thorough) struct NamedContextTests {
    private func folder(_ bench: Workbench, _ name: String, _ files: [String: String]) throws -> String {
        let path = bench.directory.file(name)
        for (file, text) in files {
            let full = "\(path)/\(file)"
            try FileManager.default.createDirectory(
                atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: full))
        }
        return path
    }

    @Test func aFolderIsABase() async throws {
        let bench = try await Workbench()
        let root = try folder(
            bench, "root", ["bin/tool": "tool", "etc/left-out": "x", ".dockerignore": "etc\n.dockerignore\n"])
        try Shell.run(["chmod", "0755", root + "/bin/tool"])
        let result = try await bench.build(
            "FROM files AS one\nLABEL a=b\nFROM one\nCOPY --from=files bin/tool /copied\n"
        ) {
            $0.namedContexts["files"] = try NamedContext(root)
        }
        #expect(try result.tree() == ["bin": "d 0755 0:0", "bin/tool": "f 0755 0:0", "copied": "f 0755 0:0"])
        let config = result.image.config
        #expect(config.config.env == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
        #expect(config.config.workingDir == "/")
        #expect(config.history.map { $0.emptyLayer ?? false } == [false, true, false])
        #expect(config.rootfs.diffIDs.count == 2)
        // No COPY has to name it.
        let alone = try await bench.build("FROM files\n") { $0.namedContexts["files"] = try NamedContext(root) }
        #expect(try alone.tree() == ["bin": "d 0755 0:0", "bin/tool": "f 0755 0:0"])
    }

    @Test func aFolderTakesTheStageOfAStage() async throws {
        let bench = try await Workbench()
        let root = try folder(bench, "root", ["out/f": "from the folder"])
        let text = """
            FROM oci:/does/not/exist AS build
            RUN exit 1
            FROM build AS more
            FROM scratch
            COPY --from=build /out/f /f
            COPY --from=0 /out/f /g
            COPY --from=more /out/f /h
            """
        let result = try await bench.build(text) { $0.namedContexts["build"] = .directory(path: root) }
        #expect(try ["f", "g", "h"].map { try result.text($0) } == Array(repeating: "from the folder", count: 3))
    }

    @Test(arguments: [
        "alpine", "alpine:latest", "docker.io/library/alpine", "index.docker.io/library/alpine:latest",
        "library/alpine",
    ])
    func imagesAreFoundByTheirNormalNames(name: String) async throws {
        let bench = try await Workbench(onBuild: ["RUN echo triggered > /t"])
        let image = bench.base.dropFirst("oci:".count).split(separator: ":")
        let result = try await bench.build("FROM \(name)\nCOPY --from=docker.io/library/alpine /etc/group /g\n") {
            $0.namedContexts["docker.io/library/alpine:latest"] = try NamedContext(
                "oci-layout://\(image[0]):\(image[1])")
        }
        #expect(try result.text("t") == "triggered\n")
        #expect(try result.text("g").hasPrefix("root:"))
        #expect(result.image.base?.name.hasSuffix("alpine:latest") == true)
    }

    @Test func aDigestNamesTheImage() async throws {
        let bench = try await Workbench(ownsBase: true)
        let plain = try await bench.build("FROM busybox\nLABEL a=b\n")
        let digest = plain.image.manifestDigest
        let result = try await bench.build("FROM pinned\n", tag: "two") {
            $0.namedContexts["pinned"] = try NamedContext("oci-layout://\(bench.directory.file("out"))@\(digest)")
        }
        #expect(result.image.config.config.labels == ["a": "b"])
        await #expect(throws: BuildError.self) {
            try await bench.build("FROM pinned\n") {
                $0.namedContexts["pinned"] = try NamedContext(
                    "oci-layout://\(bench.directory.file("out"))@sha256:\(String(repeating: "0", count: 64))")
            }
        }
    }

    @Test func aStageTakesTheStageOfAnImage() async throws {
        let bench = try await Workbench()
        try bench.write("f", "from the stage")
        let text = """
            FROM scratch AS own
            COPY f /f
            ONBUILD LABEL triggered=yes
            FROM unused/image:1 AS app
            COPY --from=docker.io/unused/image:1 /f /g
            """
        let result = try await bench.build(text) { $0.namedContexts["unused/image:1"] = try NamedContext("target:Own") }
        #expect(try result.tree() == ["f": "f 0644 0:0", "g": "f 0644 0:0"])
        #expect(result.image.config.config.labels == ["triggered": "yes"])
        for (target, cause) in [("onw", "own"), ("app", "later")] {
            let error = await #expect(throws: BuildError.self) {
                try await bench.build(text) {
                    $0.namedContexts["unused/image:1"] = try NamedContext("target:\(target)")
                }
            }
            let text = "\(error?.summary ?? "") \(error?.hint ?? "")"
            #expect(text.contains(cause), "\(String(describing: error))")
        }
    }

    @Test func keysFollowNamedContexts() async throws {
        let bench = try await Workbench()
        let root = try folder(bench, "root", ["a": "1", "b": "1", "ignored": "1", ".dockerignore": "ignored"])
        let builder = try bench.builder()
        func key(_ text: String) async throws -> ContentKey {
            var request = try bench.request(text)
            request.namedContexts["files"] = .directory(path: root)
            return try await builder.contentKey(request)
        }
        let copy = "FROM scratch\nCOPY --from=files a /a\n"
        let base = "FROM files\n"
        let before = (try await key(copy), try await key(base))
        _ = try folder(bench, "root", ["ignored": "2"])
        #expect(try await key(copy) == before.0)
        #expect(try await key(base) == before.1)
        _ = try folder(bench, "root", ["b": "2"])
        #expect(try await key(copy) == before.0)
        #expect(try await key(base) != before.1)
        _ = try folder(bench, "root", ["a": "2"])
        #expect(try await key(copy) != before.0)
    }

    @Test(arguments: [
        ("", "no value"), ("ftp://example.com/x", "not supported"),
        ("docker-image://a/UPPER", "cannot read"), ("https://user:hunter2@example.com/x", "user or a password"),
        ("https://example.com/x.git?bad=1", "unknown query"),
    ])
    func refusesWhatIsNone(text: String, cause: String) {
        let error = #expect(throws: BuildError.self) { try NamedContext(text) }
        #expect(error?.summary.contains(cause) == true, "\(String(describing: error))")
        #expect("\(String(describing: error))".contains("hunter2") == false)
    }

    @Test func sourcesFromElsewhereNeedAFetcher() async throws {
        let bench = try await Workbench()
        for line in ["ADD https://example.com/x /x", "ADD https://example.com/x.git /x"] {
            let error = await #expect(throws: BuildError.self) { try await bench.build("FROM scratch\n\(line)\n") }
            #expect(error?.code == .unsupported)
            #expect(error?.place?.hasPrefix("Dockerfile:2") == true)
        }
    }
}
