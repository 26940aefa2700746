import Foundation
import TestSupport
import Testing

/// The tools that people run our images with accept, unpack and run them.
@Suite(.tags(.endToEnd)) struct InteroperabilityTests {
    @Test func `skopeo, buildah, umoci and crun`() async throws {
        let loop = try Loop("interop")
        let registry = try await RegistryServer(directory: loop.scratch.file("registry"))
        defer { registry.stop() }
        try loop.sync(.registry(host: registry.host))
        let image = "\(registry.host)/exampleorg/site:v4"

        let copy = loop.scratch.file("copy")
        try Shell.run([
            "skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "docker://\(image)", "oci:\(copy):v4",
        ])
        try Shell.run([
            "skopeo", "copy", "--insecure-policy", "oci:\(copy):v4", "docker-archive:\(loop.scratch.file("a.tar")):x:y",
        ])

        let storage = [
            "--root", loop.scratch.file("storage"), "--runroot", loop.scratch.file("run"), "--storage-driver", "vfs",
        ]
        let policy = loop.scratch.file("policy.json")
        try Data("{\"default\":[{\"type\":\"insecureAcceptAnything\"}]}".utf8).write(to: URL(fileURLWithPath: policy))
        try Shell.run(["buildah"] + storage + ["pull", "--signature-policy", policy, "--tls-verify=false", image])
        let container = try Shell.run(
            ["buildah"] + storage + ["from", "--signature-policy", policy, "--tls-verify=false", image]
        ).stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        let seen = try Shell.run(
            ["buildah"] + storage + [
                "run", "--isolation", "chroot", container, "--", "cat", "/srv/index.html",
            ]
        ).stdout
        #expect(seen == "This is version 3\n")

        let bundle = loop.scratch.file("bundle")
        try Shell.run(["umoci", "unpack", "--image", "\(copy):v4", bundle])
        let path = bundle + "/config.json"
        var config =
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any]
            ?? [:]
        var process = config["process"] as? [String: Any] ?? [:]
        process["args"] = ["cat", "/srv/index.html"]
        process["terminal"] = false
        config["process"] = process
        // The machine may have no cgroup hierarchy that a container may write to.
        var linux = config["linux"] as? [String: Any] ?? [:]
        linux["resources"] = nil
        config["linux"] = linux
        try JSONSerialization.data(withJSONObject: config).write(to: URL(fileURLWithPath: path))
        // crun wants one cgroup hierarchy; where the machine has the hybrid kind, it gets a mount namespace with that one.
        let unified = """
            if [ -d /sys/fs/cgroup/unified ]; then umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; fi
            exec crun "$@"
            """
        let run = try Shell.run(
            [
                "unshare", "-m", "sh", "-c", unified, "sh", "--root", loop.scratch.file("crun"), "--cgroup-manager",
                "disabled",
            ]
                + ["run", "--bundle", bundle, "site-\(getpid())"])
        #expect(run.stdout == "This is version 3\n")
    }
}
