import Builder
import Foundation
import OCI
import Registry
import TestSupport
import Testing

/// Whose a cache of `RUN --mount=type=cache` is.
@Suite("Cache mounts belong to somebody", .tags(.integration), .thorough) struct CacheMountTests {
    /// A tool that one repository leaves in a cache, where another one would run it.
    private static func text(_ mine: String) -> String {
        """
        FROM busybox
        RUN --mount=type=cache,id=tools,target=/tools [ -e /tools/who ] || echo \(mine) > /tools/who
        RUN --mount=type=cache,id=tools,target=/tools cat /tools/who > /made-by
        RUN true > /without
        """
    }

    private static let same = """
        FROM busybox
        RUN --mount=type=cache,id=tools,target=/tools cat /tools/who > /made-by 2> /dev/null || true
        RUN true > /without
        """

    @Test(arguments: BuildMode.allCases)
    func `a repository's caches are its own`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        let evil = try await bench.build(Self.text("evil"), mode: mode, tag: "evil") { $0.cacheNamespace = "git evil" }
        #expect(try evil.text("made-by") == "evil\n")
        let good = try await bench.build(Self.text("good"), mode: mode, tag: "good") { $0.cacheNamespace = "git good" }
        #expect(try good.text("made-by") == "good\n")
        // Another pipeline of the same repository.
        let friend = try await bench.build(Self.text("friend"), mode: mode, tag: "f") { $0.cacheNamespace = "git good" }
        #expect(try friend.text("made-by") == "good\n")
    }

    @Test func `a layer that was made with a repository's cache is served to it alone`() async throws {
        let bench = try await Workbench()
        let shared = try RemoteCache(
            repository: RepositoryLocation("oci:" + bench.directory.file("shared")), now: Workbench.createdAt)
        func build(_ text: String, _ namespace: String, state: String, tag: String) async throws -> Workbench.Result {
            try await bench.build(text, state: state, tag: tag) {
                $0.cacheNamespace = namespace
                $0.remoteCache = shared
            }
        }
        _ = try await build(Self.text("evil"), "git evil", state: "one", tag: "warm")
        _ = try await build(Self.same, "git evil", state: "one", tag: "evil")
        for state in ["one", "two"] {
            let good = try await build(Self.same, "git good", state: state, tag: "good-\(state)")
            #expect(try good.text("made-by") == "", "\(state)")
            let source = try #require(good.image.steps.first?.source)
            #expect(source == (state == "one" ? .made : .remote), "the second finds what the first one made")
            // The same caches, asked by the one who filled them.
            let evil = try await build(Self.same, "git evil", state: state, tag: "evil-\(state)")
            #expect(evil.image.steps.first?.source != .made)
            #expect(try evil.text("made-by") == "evil\n")
        }
    }

    @Test func `the reason says that it is another one's cache`() async throws {
        let bench = try await Workbench()
        _ = try await bench.build(Self.same) { $0.cacheNamespace = "git one" }
        let other = try await bench.build(Self.same) {
            $0.cacheNamespace = "git two"
            $0.explainsCache = true
        }
        #expect(other.image.steps.first?.reason?.contains("whose cache is mounted at /tools") == true)
        #expect(other.image.steps.first?.reason?.contains("git") == false)
    }

    /// As in BuildKit: owner and mode are of the identity of a cache that begins empty.
    @Test(arguments: BuildMode.allCases)
    func `mounts of one id with different owners do not share`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try bench.write("seed/f", "seeded")
        let result = try await bench.build(
            """
            FROM busybox
            RUN --mount=type=cache,id=x,target=/c echo root > /c/f
            USER 1001
            RUN --mount=type=cache,id=x,target=/c,uid=1001,mode=0751 stat -c '%u %a' /c > /tmp/stat && ! cat /c/f && echo own > /c/f
            RUN --mount=type=cache,id=x,target=/d,mode=0751,uid=1001 cat /d/f > /tmp/own
            USER 0
            RUN --mount=type=cache,id=x,target=/c,uid=0,gid=0,mode=0755 cat /c/f > /default
            RUN --mount=type=cache,id=x,target=/c,gid=7 ls /c > /gid
            RUN --mount=type=cache,id=x,target=/c,from=seed cat /c/f > /seeded
            """, mode: mode
        ) { $0.namedContexts["seed"] = .directory(path: bench.directory.file("context/seed")) }
        #expect(try result.text("tmp/stat") == "1001 751\n")
        #expect(try result.text("tmp/own") == "own\n")
        #expect(try result.text("default") == "root\n")
        #expect(try result.text("gid") == "")
        #expect(try result.text("seeded") == "seeded")
    }

    /// What a cache begins with belongs to what the step is made from.
    @Test func `another seed is another step`() async throws {
        let bench = try await Workbench()
        let text = """
            FROM scratch AS seed
            COPY seed /seed
            FROM busybox
            RUN --mount=type=cache,id=ID,target=/c,from=seed,source=/seed cat /c/f > /a
            """
        try bench.write("seed/f", "one")
        #expect(try await bench.build(text, tag: "one").text("a") == "one")
        try bench.write("seed/f", "two")
        let second = try await bench.build(text, tag: "two")
        #expect(second.image.steps.last?.source == .made)
    }

    @Test func `caches from before there were namespaces are removed in time`() async throws {
        let bench = try await Workbench()
        _ = try await bench.build(Self.same)
        let caches = bench.directory.file("state/caches")
        let kept = try FileManager.default.contentsOfDirectory(atPath: caches)
        let old = String(repeating: "0123456789abcdef", count: 2)
        try FileManager.default.createDirectory(atPath: "\(caches)/\(old)/d", withIntermediateDirectories: true)
        for name in [".lock", ".making"] { try Data().write(to: URL(fileURLWithPath: "\(caches)/\(old)\(name)")) }
        _ = try await bench.builder().collect(StoreLimits(), now: Int64(Date().timeIntervalSince1970))
        #expect(try FileManager.default.contentsOfDirectory(atPath: caches) == kept)
        #expect(kept.count == 1)
    }
}
