import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// Where a build's secrets are while a step has them: in memory, and not below the state directory.
@Suite("Secrets of steps", .tags(.integration), .thorough) struct SecretTests {
    private static let secret = "visible-" + "secret-of-a-build"

    /// The files below a directory that hold the secret.
    private func found(below directory: String) throws -> String {
        try Shell.run(["grep", "-rlas", Self.secret, directory], allowFailure: true).stdout
    }

    @Test(arguments: BuildMode.allCases) func `a secret is on no disk while a step has it`(mode: BuildMode) async throws
    {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        let mark = "7\(Int.random(in: 1_000_000...9_999_999))"
        let secret = Self.secret
        let running = Task {
            try await bench.build(
                """
                FROM busybox
                RUN --mount=type=secret,id=token,uid=33,gid=44,mode=0440 \
                    grep -q secret-of /run/secrets/token \
                    && stat -c '%a %u:%g' /run/secrets/token | grep '^440 33:44$' && exec sleep \(mark)
                """, mode: mode
            ) { $0.secrets = ["token": Array(secret.utf8)] }
        }
        try await waitUntil("the step has read its secret") {
            try !Shell.run(["pgrep", "-f", "^sleep \(mark)"], allowFailure: true).stdout.isEmpty
        }
        #expect(try found(below: bench.directory.path).isEmpty)
        running.cancel()
        _ = await running.result
        #expect(try found(below: bench.directory.path).isEmpty)
    }

    @Test(arguments: BuildMode.allCases) func `secrets of all kinds come as they are`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        // With one id of the machine, users are an appearance.
        let closed = mode == .ordinaryUser ? "" : "!"
        let large = [UInt8](repeating: UInt8(ascii: "x"), count: 3 << 20)
        let result = try await bench.build(
            """
            FROM busybox
            RUN --mount=type=secret,id=empty,target=/etc/empty --mount=type=secret,id=large,target=/srv/new/large,mode=0444 \
                --mount=type=secret,id=bytes,target=/bin/bytes test -f /etc/empty && test ! -s /etc/empty \
                && wc -c < /srv/new/large > /size && cat /bin/bytes | od -An -tx1 > /bytes && stat -c %a /etc/empty > /mode
            USER 1000
            RUN --mount=type=secret,id=bytes \(closed) cat /run/secrets/bytes > /dev/null
            RUN --mount=type=secret,id=bytes,uid=1000 cat /run/secrets/bytes | wc -c > /tmp/size
            """, mode: mode
        ) { $0.secrets = ["empty": [], "large": large, "bytes": [0, 255, 10, 0]] }
        #expect(try result.text("size") == "\(large.count)\n")
        #expect(try result.text("bytes").split(whereSeparator: \.isWhitespace) == ["00", "ff", "0a", "00"])
        #expect(try result.text("mode") == "400\n" && result.text("tmp/size") == "4\n")
        #expect(try !result.exists("etc/empty") && !result.exists("srv/new") && !result.exists("bin/bytes"))
    }
}
