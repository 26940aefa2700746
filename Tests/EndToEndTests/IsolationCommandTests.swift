import Foundation
import TestSupport
import Testing

/// `slipway build` in the kinds of pods that there are: the same image comes out of each.
@Suite("Isolation as pods allow it", .tags(.endToEnd)) struct IsolationCommandTests {
    private static let dockerfile = """
        FROM busybox
        ARG SOURCE_DATE_EPOCH
        RUN echo x > /x && chown 33:44 /x && chmod 4711 /x && mkdir -m 2775 /d && ln /x /d/y && ln -s ../x /d/l && rm /srv/old.txt
        COPY --chown=7:8 f /copied/
        USER app
        WORKDIR /home/app/w
        RUN id -u > id && cat /copied/f > g
        USER root
        RUN chgrp extra id && rm -r /d && mkdir /d && echo y >> /etc/hosts && test ! -e /usr/lib/pod-only
        """

    /// Everything in one directory, which may be a root of its own.
    private func prepare() throws -> (scratch: TemporaryDirectory, root: String) {
        let scratch = try TemporaryDirectory("pods")
        let root = scratch.file("root")
        try Shell.run([
            "mkdir", "-p", root + "/work/context", root + "/usr/lib", root + "/etc", root + "/tmp", root + "/proc",
        ])
        try ImageFixtures.busybox(at: root + "/work/base")
        try Data(Self.dockerfile.utf8).write(to: URL(fileURLWithPath: root + "/work/context/Dockerfile"))
        try Data("f\n".utf8).write(to: URL(fileURLWithPath: root + "/work/context/f"))
        try Data().write(to: URL(fileURLWithPath: root + "/usr/lib/pod-only"))
        try Shell.run(["cp", "/etc/hosts", "/etc/resolv.conf", root + "/etc/"])
        try Shell.run(["chmod", "-R", "a+rwX", scratch.path])
        return (scratch, root)
    }

    private func arguments(_ binary: String, below root: String, _ name: String) -> [String] {
        [
            binary, "build", "--context", root + "/work/context", "--build-context",
            "busybox=oci-layout://\(root)/work/base", "--build-arg", "SOURCE_DATE_EPOCH=1600000000", "--state-dir",
            "\(root)/work/state-\(name)", "--destination", "oci:\(root)/work/out-\(name):latest", "--digest-file",
            "\(root)/work/digest-\(name)",
        ]
    }

    @Test func everyPodMakesTheSameImage() throws {
        guard geteuid() == 0 else { return print("skipped: only root can be all kinds of pods") }
        let (scratch, root) = try prepare()
        defer { withExtendedLifetime(scratch) {} }
        let binary = try Loop.binary
        var digests: [String: String] = [:]
        func run(_ name: String, _ prefix: [String], _ more: [String]) throws {
            let output = try Shell.run(
                prefix + arguments(binary, below: root, name) + more, environment: ["HOME": root + "/tmp"])
            digests[name] = output.stdout
        }
        try run("namespaces", [], ["--isolation", "namespaces"])
        // What Docker and Kubernetes leave to root: capsh(1) and the bounding set.
        let docker =
            "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot,mknod,audit_write,setfcap"
        let set = docker.split(separator: ",").map { "+\($0)" }.joined(separator: ",")
        try run(
            "chroot", ["setpriv", "--bounding-set", "-all,\(set)", "--inh-caps", "-all"], ["--isolation", "chroot"])
        // Nobody's id, which has no subordinate ones.
        try run("user", ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"], [])
        if let user = try SubordinateUser() {
            try run("subordinate", user.prefix, [])
            let places = try Shell.run(["sh", "-c", "ls -d \(root)/work/state-subordinate/layers@*/*"])
            #expect(!places.stdout.isEmpty)
            let owned = try Shell.run(["find", "\(root)/work/state-subordinate", "-uid", "\(user.start + 32)"])
            #expect(!owned.stdout.isEmpty, "the file of user 33 belongs to nobody of this user's ids")
            try run("off", ["env", "SLIPWAY_SUBORDINATE_IDS=off"] + user.prefix, [])
            try run("unprivileged", user.prefix + ["setpriv", "--no-new-privs"], [])
        }
        #expect(Set(digests.values).count == 1, "\(digests)")
        let inspected = try Shell.run(["skopeo", "inspect", "oci:\(root)/work/out-user:latest"]).stdout
        #expect(inspected.contains(digests["user"]?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "?"))
    }

    @Test func aThrowAwayRootIsBuiltIn() throws {
        guard geteuid() == 0 else { return print("skipped: only root can make a root") }
        let (scratch, root) = try prepare()
        defer { withExtendedLifetime(scratch) {} }
        let binary = try Loop.binary
        let outside = try Shell.run(
            arguments(binary, below: root, "reference"), environment: ["HOME": root + "/tmp"]
        ).stdout
        try Shell.run([
            "sh", "-c",
            "cp \(binary) \(root)/slipway; for f in $(ldd \(binary) | grep -o '/[^ ]*' | sort -u); do mkdir -p \(root)$(dirname $f); cp -nL $f \(root)$f; done",
        ])
        let command = arguments("/slipway", below: "", "place") + ["--isolation", "in-place"]
        let pod = [
            "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
            "mount -t proc proc \(root)/proc && exec chroot \(root) " + command.joined(separator: " "),
        ]
        let refused = try Shell.run(pod, environment: ["HOME": "/tmp"], allowFailure: true)
        #expect(refused.status == 1 && refused.stderr.contains("/.slipway-throw-away"), "\(refused.stderr)")
        #expect(FileManager.default.fileExists(atPath: root + "/usr/lib/pod-only"))
        try Data().write(to: URL(fileURLWithPath: root + "/.slipway-throw-away"))
        let inside = try Shell.run(pod, environment: ["HOME": "/tmp"]).stdout
        #expect(inside == outside)
        #expect(!FileManager.default.fileExists(atPath: root + "/usr/lib/pod-only"))
        #expect(try String(contentsOfFile: root + "/work/digest-place", encoding: .utf8).hasPrefix("sha256:"))
    }
}
