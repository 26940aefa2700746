import Foundation
import TestSupport
import Testing

/// SIGKILL of `slipway build` while a step has a secret: nothing of it stays behind.
@Suite(.tags(.endToEnd)) struct SecretKillTests {
    private static let secret = "visible-" + "secret-of-a-build"
    /// What Docker and Kubernetes leave to root.
    private static let container = [
        "setpriv", "--inh-caps", "-all", "--bounding-set",
        "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap",
    ]

    @Test(arguments: [["namespaces"], ["chroot"], ["chroot", "container"]])
    func `a secret does not outlive its build`(how: [String]) async throws {
        guard geteuid() == 0 else { return print("skipped: only root has both modes") }
        let scratch = try TemporaryDirectory("secret-kill")
        let base = String(try ImageFixtures.busybox(at: scratch.file("base")).dropFirst("oci:".count))
        let context = scratch.file("context")
        try FileManager.default.createDirectory(atPath: context, withIntermediateDirectories: true)
        let mark = "8\(Int.random(in: 1_000_000...9_999_999))"
        try Data(
            "FROM busybox\nRUN --mount=type=secret,id=token grep -q secret-of /run/secrets/token && exec sleep \(mark)\n"
                .utf8
        ).write(to: URL(fileURLWithPath: context + "/Dockerfile"))
        try Data(Self.secret.utf8).write(to: URL(fileURLWithPath: scratch.file("token")))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["--default-signal"] + (how.contains("container") ? Self.container : []) + [
                try Loop.binary, "build", "--context", context, "--state-dir", scratch.file("state"), "--isolation",
                how[0], "--destination", "oci:\(scratch.file("out")):x", "--build-context",
                "busybox=oci-layout://\(base)", "--secret", "id=token,src=\(scratch.file("token"))",
            ]
        process.environment = ["HOME": scratch.path, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { process.terminate() }
        try await waitUntil("the step has read its secret") {
            try !Shell.run(["pgrep", "-f", "^sleep \(mark)"], allowFailure: true).stdout.isEmpty
        }
        func found() throws -> String {
            try Shell.run(["grep", "-rlas", Self.secret, scratch.file("state")], allowFailure: true).stdout
        }
        // Root of a container can mount nothing: there the step's own file holds it, as long as the step runs.
        #expect(try found().isEmpty != how.contains("container"))
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try await waitUntil("the step is gone") {
            try Shell.run(["pgrep", "-f", "^sleep \(mark)"], allowFailure: true).stdout.isEmpty
        }
        try await waitUntil("the secret is gone") { try found().isEmpty }
    }
}
