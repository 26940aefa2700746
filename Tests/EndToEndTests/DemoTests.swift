import Foundation
import TestSupport
import Testing

/// `make demo`'s script, on the binary under test; as root and as an ordinary user.
@Suite(.tags(.endToEnd)) struct DemoTests {
    private static let script =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../scripts/demo.sh"

    @Test(arguments: [false, true])
    func `the demo shows two bumps and leaves nothing behind`(asUser: Bool) throws {
        let scratch = try TemporaryDirectory("demo")
        try Shell.run(["chmod", "777", scratch.path])
        // An ordinary user may not be able to look into the place where the checkout is.
        let tree = scratch.file("tree")
        try Shell.run(["mkdir", "-p", tree + "/scripts", tree + "/config"])
        try Shell.run(["cp", Self.script, tree + "/scripts/demo.sh"])
        try Shell.run([
            "cp", "-r", (Self.script as NSString).deletingLastPathComponent + "/../config/demo", tree + "/config/",
        ])
        try Shell.run(["cp", try Loop.binary, tree + "/slipway"])
        try Shell.run(["mkdir", "-m", "777", scratch.file("tmp")])
        let isRoot = geteuid() == 0
        if asUser && !isRoot { return }
        let prefix = asUser ? ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"] : []
        let output = try Shell.run(
            prefix + ["bash", tree + "/scripts/demo.sh"],
            environment: ["SLIPWAY_BINARY": tree + "/slipway", "TMPDIR": scratch.file("tmp")])
        let all = output.stdout + output.stderr
        #expect(all.contains("-          image: acme/greeter:v0"))
        #expect(all.contains("+          image: acme/greeter:v1"))
        #expect(all.contains("+          image: acme/greeter:v2"))
        #expect(all.contains("nothing to do"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file("tmp")).isEmpty)
    }
}
