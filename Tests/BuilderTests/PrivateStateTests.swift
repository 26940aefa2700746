import Builder
import FileSystem
import Foundation
import Glibc
import OCI
import TestSupport
import Testing

/// What lies in the state directory has its owners and modes of the image, setuid programs of root too: no other user of the machine
/// may come to it.
@Suite("Nobody else gets into the state directory", .tags(.integration), .thorough) struct PrivateStateTests {
    private static let dockerfile = """
        FROM busybox
        COPY --chmod=4755 tool /tool
        RUN --mount=type=cache,target=/c,mode=0777 cp /bin/busybox /mighty && chmod 4755 /mighty && cp -p /mighty /c/mighty
        USER 1001:1001
        RUN --mount=type=cache,target=/c,mode=0777 test -u /c/mighty && cat /tool && id -u > /tmp/who
        USER 0
        RUN --mount=type=secret,id=s --mount=type=bind,source=tool,target=/t cat /t /run/secrets/s && rm /tool
        """

    /// The paths below a directory to which a user without rights comes by its modes.
    private static func reachable(below path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).flatMap { name -> [String] in
            let child = path + "/" + name
            var status = stat()
            guard lstat(child, &status) == 0 else { return [String]() }
            // Names that say nothing, under which nothing can be opened.
            guard status.st_mode & 0o077 != 0, status.st_mode & S_IFMT != S_IFLNK else { return [] }
            return [child] + (status.st_mode & S_IFMT == S_IFDIR ? try reachable(below: child) : [])
        }
    }

    @Test(arguments: BuildMode.allCases)
    func `neither by the modes nor by trying`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try bench.write("tool", "#!/bin/sh\n")
        // As it was made before, below a directory that all may enter.
        try #require(chmod(bench.directory.path, 0o755) == 0)
        let state = bench.state(mode)
        try #require(mkdir(state, 0o755) == 0 && mkdir(state + "/layers", 0o755) == 0)
        let result = try await bench.build(Self.dockerfile, mode: mode) { $0.secrets = ["s": Array("x".utf8)] }
        #expect(try result.text("tmp/who") == "1001\n")
        #expect(try result.tree()["mighty"] == "f 04755 0:0")

        var status = stat()
        #expect(lstat(state, &status) == 0 && status.st_mode & 0o777 == 0o700)
        #expect(try Self.reachable(below: state) == [])

        // Nor where the directory itself has to stay open, as another user's does.
        try #require(chmod(state, 0o755) == 0)
        guard geteuid() == 0 else { return print("skipped: only root can try as another user") }
        let found = try Shell.run(["find", state, "-name", "mighty"]).stdout.split(separator: "\n").map(String.init)
        #expect(found.count >= 2, "the test looks for something that is there")
        let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        for path in found {
            for attempt in [["cat", path], [path, "true"], ["test", "-e", path]] {
                #expect(try Shell.run(nobody + attempt, allowFailure: true).status != 0, "\(attempt)")
            }
        }
        let seen = try Shell.run(nobody + ["find", state, "-mindepth", "2"], allowFailure: true)
        #expect(seen.stdout.isEmpty)
    }

    @Test func `a directory that others use is refused with a reason`() async throws {
        let bench = try await Workbench()
        let shared = bench.directory.file("shared")
        try #require(mkdir(shared, 0o755) == 0 && chmod(shared, 0o1777) == 0)
        let error = #expect(throws: BuildError.self) { try bench.builder(state: "shared") }
        #expect(error?.code == .storage && error?.place == shared && error?.hint?.contains(shared + "/slipway") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: shared).isEmpty)
    }
}
