import Foundation
import TestSupport
import Testing

/// Slipway's own image, made from the binary under test.
@Suite("Slipway's own image", .tags(.endToEnd), .thorough) struct ImageTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    @Test func `the image holds what RUN steps, SSH and signatures need`() throws {
        guard geteuid() == 0 else { return print("skipped: only root can write file capabilities") }
        let scratch = try TemporaryDirectory("image")
        let layout = scratch.file("layout")
        let binary = try Loop.binary
        let said = try Shell.run(
            [Self.root + "/scripts/image.sh", "1.2.3", layout], environment: ["SLIPWAY_BINARY": binary])
        #expect(said.stdout.hasSuffix("oci:\(layout):1.2.3\n"))
        try Shell.run(["umoci", "raw", "unpack", "--image", "\(layout):1.2.3", scratch.file("root")])
        let tree = scratch.file("root")

        let capabilities = try Shell.run(["getcap", tree + "/usr/bin/newuidmap", tree + "/usr/bin/newgidmap"]).stdout
        #expect(capabilities.contains("newuidmap cap_setuid=ep"))
        #expect(capabilities.contains("newgidmap cap_setgid=ep"))
        for (name, target) in [
            ("/usr/bin/kubectl-slipway", "slipway"), ("/kaniko/executor", "/usr/bin/slipway"),
            ("/kaniko/warmer", "/usr/bin/slipway"),
        ] {
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: tree + name) == target)
        }
        // What a container has of its runtime.
        try Shell.run(["mkdir", tree + "/proc", tree + "/dev"])
        try Data().write(to: URL(fileURLWithPath: tree + "/dev/null"))
        // All of them start in there, with the libraries that are in there.
        func inside(_ command: String...) throws -> Shell.Output {
            try Shell.run(
                [
                    "unshare", "--mount", "sh", "-c",
                    #"mount --bind /proc "$0/proc" && mount --bind /dev/null "$0/dev/null" && exec chroot --userspec=1000:1000 "$0" "$@""#,
                    tree,
                ] + command, allowFailure: true)
        }
        #expect(try inside("/usr/bin/slipway", "--version").status == 0)
        #expect(try inside("/usr/bin/kubectl-slipway", "--version").status == 0)
        #expect(try inside("/usr/bin/ssh", "-V").stderr.contains("OpenSSH"))
        #expect(try inside("/usr/bin/ssh-keygen", "-t", "ed25519", "-N", "", "-f", "/tmp/key").status == 0)
        #expect(try inside("/usr/bin/gpg", "--homedir", "/tmp", "--version").stdout.contains("gpg (GnuPG)"))
        #expect(try inside("/usr/bin/gpg-agent", "--version").status == 0)
        #expect(try inside("/usr/bin/newuidmap").stderr.contains("usage: newuidmap"))
        #expect(try String(contentsOfFile: tree + "/etc/subuid", encoding: .utf8) == "slipway:100000:65536\n")
        let owner = try FileManager.default.attributesOfItem(atPath: tree + "/var/lib/slipway")
        #expect(owner[.ownerAccountID] as? Int == 1000)

        let configuration = try Shell.run(["skopeo", "inspect", "--config", "oci:\(layout):1.2.3"]).stdout
        #expect(configuration.contains(#""User": "1000:1000""#) || configuration.contains(#""User":"1000:1000""#))
        #expect(configuration.contains("org.opencontainers.image.version"))
    }
}
