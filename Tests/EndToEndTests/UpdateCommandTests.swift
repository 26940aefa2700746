import Foundation
import TestSupport
import Testing

/// `slipway update DIR` as a person calls it.
@Suite(.tags(.endToEnd)) struct UpdateCommandTests {
    private let scratch: TemporaryDirectory

    private static let web = """
        kind: Deployment
        metadata: {name: web, namespace: shop}
        spec:
          template:
            spec:
              containers:
              - name: app
                image: acme/web:1.0.0 # {"$imagepolicy": "shop:web"}

        """

    init() throws {
        scratch = try TemporaryDirectory("update")
        try Shell.run(["mkdir", "-p", scratch.file("d/apps"), scratch.file("d/chart"), scratch.file("d/.git")])
        try write("apps/web.yaml", Self.web)
        try write("chart/values.yaml", "image:\r\n  repository: acme/web\r\n  tag: 1.0.0\r\n")
        try write("kustomization.yaml", "resources: [apps]\nimages:\n- name: acme/api\n  newTag: v1\n")
        try write(".git/no.yaml", Self.web)
    }

    private func write(_ file: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: scratch.file("d/\(file)")))
    }

    private func read(_ file: String) throws -> String {
        try String(contentsOfFile: scratch.file("d/\(file)"), encoding: .utf8)
    }

    private func run(_ arguments: String...) throws -> Shell.Output {
        try Shell.run([try Loop.binary, "update", scratch.file("d")] + arguments, allowFailure: true)
    }

    private func inode(_ file: String) throws -> Int {
        try #require(
            FileManager.default.attributesOfItem(atPath: scratch.file("d/\(file)"))[.systemFileNumber] as? Int)
    }

    @Test func `diffs, dry runs and exit codes`() throws {
        let diff = """
            --- a/apps/web.yaml
            +++ b/apps/web.yaml
            @@ -5,4 +5,4 @@
                 spec:
                   containers:
                   - name: app
            -        image: acme/web:1.0.0 # {"$imagepolicy": "shop:web"}
            +        image: acme/web:2.0.0 # {"$imagepolicy": "shop:web"}

            """
        let dry = try run("--resolved", "shop:web=acme/web:2.0.0", "--dry-run", "--diff", "--exit-code")
        #expect(dry.stdout == diff && dry.status == 0)
        #expect(try read("apps/web.yaml") == Self.web)
        let done = try run("--resolved", "shop:web=acme/web:2.0.0", "--exit-code")
        #expect(
            done.stdout
                == "apps/web.yaml:8: shop:deployment/web app: acme/web:1.0.0 -> acme/web:2.0.0\n" && done.status == 0)
        #expect(try read("apps/web.yaml") == Self.web.replacingOccurrences(of: "1.0.0", with: "2.0.0"))
        #expect(try run("--resolved", "shop:web=acme/web:2.0.0", "--exit-code").status == 3)
        #expect(try read(".git/no.yaml") == Self.web)
        for wrong in [
            ["--resolved", "web=a:1"], ["--resolved", "a:b=c"], ["--workload", "shop:deployment/web"], [],
            ["--helm-value", "image..tag=x"], ["--kustomize-image", "a=b:c:d"],
        ] {
            #expect(
                try Shell.run([try Loop.binary, "update", scratch.file("d")] + wrong, allowFailure: true).status == 64,
                "\(wrong)")
        }
    }

    @Test func `everything at once, as JSON`() throws {
        let output = try run(
            "--workload", "shop:deployment/web", "--container", "app", "--image", "acme/web:1.10.0", "--helm-value",
            "image.tag=1.10", "--kustomize-image", "acme/api:v2", "--kustomize-image", "acme/db:v3", "--output", "json",
            "--workload", "shop:deployment/none", "--container", "app", "--image", "acme/none:1")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(output.stdout.utf8)) as? [String: Any])
        #expect(report["files"] as? [String] == ["apps/web.yaml", "chart/values.yaml", "kustomization.yaml"])
        let changes = try #require(report["changes"] as? [[String: Any]])
        #expect(
            changes.map { "\($0["file"] ?? ""):\($0["line"] ?? "") \($0["old"] ?? "") \($0["new"] ?? "")" } == [
                "apps/web.yaml:8 acme/web:1.0.0 acme/web:1.10.0", "chart/values.yaml:3 1.0.0 1.10",
                "kustomization.yaml:3  acme/db:v3", "kustomization.yaml:4 v1 v2",
            ], "\(changes)")
        let skipped = try #require(report["skipped"] as? [[String: Any]])
        #expect(skipped.map { $0["reason"] as? String } == ["not found in the directory"])
        #expect(try read("chart/values.yaml") == "image:\r\n  repository: acme/web\r\n  tag: \"1.10\"\r\n")
        #expect(
            try read("kustomization.yaml")
                == "resources: [apps]\nimages:\n- name: acme/api\n  newTag: v2\n- name: acme/db\n  newTag: v3\n")
    }

    /// Lines that go and lines that come at the same place are told once.
    @Test func `a diff is what makes the files`() throws {
        let digest = "sha256:" + String(repeating: "a", count: 64)
        try write("kustomization.yaml", "images:\n- name: acme/api\n  digest: \(digest)\n")
        let arguments = ["--kustomize-image", "acme/api:v7", "--kustomize-image", "acme/db:v1"]
        let update = [try Loop.binary, "update", scratch.file("d")] + arguments
        let diff = try Shell.run(update + ["--dry-run", "--diff"]).stdout
        try Data(diff.utf8).write(to: URL(fileURLWithPath: scratch.file("change.diff")))
        try Shell.run(["cp", "-r", scratch.file("d"), scratch.file("patched")])
        try Shell.run(["git", "apply", "-p1", scratch.file("change.diff")], in: scratch.file("patched"))
        try Shell.run(update)
        let expected = "images:\n- name: acme/api\n  newTag: v7\n- name: acme/db\n  newTag: v1\n"
        #expect(try read("kustomization.yaml") == expected)
        #expect(
            try String(contentsOfFile: scratch.file("patched/kustomization.yaml"), encoding: .utf8) == expected,
            "\(diff)"
        )
    }

    @Test func `files keep their modes, other names of a file keep what they have`() throws {
        let web = scratch.file("d/apps/web.yaml")
        try Shell.run(["chmod", "640", web])
        try Shell.run(["ln", web, scratch.file("copy.yaml")])
        let first = try inode("apps/web.yaml")
        #expect(try run("--resolved", "shop:web=acme/web:2.0.0").status == 0)
        #expect(try inode("apps/web.yaml") != first)
        #expect(try String(contentsOfFile: scratch.file("copy.yaml"), encoding: .utf8) == Self.web)
        // Nothing moves: written where it is.
        let second = try inode("apps/web.yaml")
        #expect(try run("--resolved", "shop:web=acme/web:3.0.0").status == 0)
        #expect(try inode("apps/web.yaml") == second)
        #expect(try run("--resolved", "shop:web=acme/web:10.0.0").status == 0)
        #expect(try inode("apps/web.yaml") != second)
        #expect(try read("apps/web.yaml") == Self.web.replacingOccurrences(of: "1.0.0", with: "10.0.0"))
        let mode = try FileManager.default.attributesOfItem(atPath: web)[.posixPermissions] as? Int
        #expect(mode == 0o640)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file("d/apps")) == ["web.yaml"])
    }
}
