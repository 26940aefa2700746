import Foundation
import TestSupport
import Testing

/// `slipway workloads`, `images`, `automate` … `release`: what fluxctl does, in a repository.
@Suite(.tags(.endToEnd)) struct WorkloadCommandTests {
    private static let web = """
        # the shop
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: web
          namespace: shop
          annotations:
            flux.weave.works/automated: 'false'   # not yet
        spec:
          template:
            spec:
              initContainers:
              - {name: wait, image: busybox}
              containers:
              - name: app
                image: "acme/web:1.0.0" # the site
              - name: proxy
                image: acme/proxy:1.0.0

        """
    private static let api = """
        kind: StatefulSet
        metadata: {name: api, namespace: shop, annotations: {filter.fluxcd.io/app: 'semver:*'}}
        spec: {template: {spec: {containers: [{name: app, image: 'acme/web:1.0.0'}]}}}

        """
    private static let locked = """
        kind: Deployment
        metadata:
          name: locked
          annotations: {fluxcd.io/locked: "true", fluxcd.io/tag.app: 'semver:~1.0'}
        spec: {template: {spec: {containers: [{name: app, image: acme/web:1.0.0}]}}}

        """

    private let loop: GitLoop

    init() throws {
        loop = try GitLoop("workloads")
        try loop.publish("acme/web", ["1.0.0", "1.0.5", "1.1.0"])
        try loop.publish("acme/proxy", ["1.0.0"])
        try loop.repository.commit([
            "deploy/web.yaml": Self.web, "deploy/api.yaml": Self.api, "locked.yaml": Self.locked,
            "broken.yaml": "kind: Deployment\nimage: {{ .name }}-{{ .tag }}\n", "README.md": "kind: none",
        ])
    }

    @discardableResult
    private func run(_ arguments: [String], url: String? = nil, fails: Bool = false) throws -> Shell.Output {
        let words = arguments.prefix { !$0.hasPrefix("-") }
        return try Shell.run(
            [try Loop.binary] + words + [
                "--repo", url ?? loop.repository.path, "--branch", "main", "--registry-map",
                "docker.io=oci:\(loop.images)", "--state-dir", loop.scratch.file("state"),
            ] + arguments.dropFirst(words.count), environment: ["HOME": loop.scratch.file("home")], allowFailure: fails)
    }

    private func message() throws -> String { try loop.repository.git("log", "-1", "--format=%B") }

    private func words(_ message: String) -> String {
        message.components(separatedBy: "\n\nSlipway-Update:")[0]
    }

    private func diff() throws -> [String] {
        try loop.repository.git("diff", "-U0", "main^", "main").split(separator: "\n").map(String.init)
            .filter { ($0.hasPrefix("+") || $0.hasPrefix("-")) && !$0.hasPrefix("+++") && !$0.hasPrefix("---") }
    }

    @Test func `lists are fluxctl's`() throws {
        let output = try run(["workloads"])
        #expect(
            output.stdout == """
                WORKLOAD                   CONTAINER  IMAGE             RELEASE  POLICY
                default:deployment/locked  app        acme/web:1.0.0             locked
                shop:deployment/web        wait       busybox                    \("")
                                           app        acme/web:1.0.0             \("")
                                           proxy      acme/proxy:1.0.0           \("")
                shop:statefulset/api       app        acme/web:1.0.0             \("")

                """)
        #expect(output.stderr.contains("skipped broken.yaml"))
        #expect(try run(["workloads", "-n", "default", "--no-headers"]).stdout.split(separator: "\n").count == 1)
        let images = try run(["images", "-w", "shop:deployment/web", "--limit", "1"]).stdout.split(separator: "\n")
        #expect(images[0].hasPrefix("WORKLOAD             CONTAINER  IMAGE"))
        #expect(images[0].hasSuffix("CREATED"))
        let table = images.map { $0.split(separator: " ").joined(separator: " ") }
        #expect(table.contains { $0.hasPrefix("app acme/web") })
        #expect(table.contains("shop:deployment/web wait busybox image data not available"))
        #expect(table.contains("'-> (untagged) ?"))
        #expect(table.contains { $0.hasPrefix("'-> 1.0.0") && $0.hasSuffix("UTC") })
        let json = try JSONSerialization.jsonObject(
            with: Data(try run(["images", "-n", "default", "--output", "json"]).stdout.utf8))
        let rows = try #require(json as? [[String: Any]])
        let container = try #require((rows.first?["containers"] as? [[String: Any]])?.first)
        #expect(container["latestFiltered"] as? String == "1.0.5")
        #expect(
            (container["available"] as? [[String: Any]])?.map { $0["tag"] as? String } == ["1.1.0", "1.0.5", "1.0.0"])
    }

    @Test func `annotations keep their prefix, messages are Flux's`() throws {
        let output = try run(["automate", "-w", "shop:deployment/web"])
        #expect(output.stdout == "WORKLOAD             STATUS   UPDATES\nshop:deployment/web  success  \n")
        #expect(output.stderr.contains("Commit pushed:\t\(try loop.repository.head().prefix(7))"))
        #expect(words(try message()) == "Automated: shop:deployment/web")
        #expect(
            try diff() == [
                "-    flux.weave.works/automated: 'false'   # not yet",
                "+    flux.weave.works/automated: 'true'   # not yet",
            ])
        let head = try loop.repository.head()
        #expect(try run(["automate", "-w", "shop:deployment/web"]).stderr.contains("Nothing to do"))
        #expect(try loop.repository.head() == head)

        try run([
            "policy", "-w", "deployment/web", "-n", "shop", "--lock", "--user", "Ann <ann@x>", "-m", "v1 is good",
            "--tag", "app=semver:~1.0", "--tag-all", "1.*",
        ])
        #expect(
            words(try message())
                == "v1 is good\n\n- Locked: shop:deployment/web\n- Updated policies: shop:deployment/web")
        #expect(
            try diff() == [
                "+    fluxcd.io/locked: \"true\"", "+    fluxcd.io/locked_msg: \"v1 is good\"",
                "+    fluxcd.io/locked_user: \"Ann <ann@x>\"", "+    fluxcd.io/tag.app: semver:~1.0",
                "+    fluxcd.io/tag.proxy: \"glob:1.*\"", "+    fluxcd.io/tag.wait: \"glob:1.*\"",
            ])
        try run(["unlock", "-w", "shop:deployment/web"])
        #expect(
            words(try message())
                == "Updated workload policies\n\n- Unlocked: shop:deployment/web\n- Updated policies: shop:deployment/web"
        )
        try run(["policy", "-w", "shop:deployment/web", "--tag-all", "*", "--deautomate"])
        #expect(
            words(try message())
                == "Updated workload policies\n\n- Deautomated: shop:deployment/web\n- Updated policies: shop:deployment/web"
        )
        try run(["policy", "-w", "shop:statefulset/api", "--automate", "--output", "json"])
        #expect(
            try diff() == [
                "-metadata: {name: api, namespace: shop, annotations: {filter.fluxcd.io/app: 'semver:*'}}",
                "+metadata: {name: api, namespace: shop, annotations: {filter.fluxcd.io/app: 'semver:*', fluxcd.io/automated: \"true\"}}",
            ])
        let missing = try run(["lock", "-w", "shop:deployment/none"], fails: true)
        #expect(missing.status == 1)
        #expect(missing.stdout.contains("shop:deployment/none  failed   not found in repository"))
        #expect(try run(["policy", "-w", "a:b/c"], fails: true).status == 64)
        #expect(try run(["policy", "-w", "a:b/c", "--tag", "app=semver:x y"], fails: true).status == 64)
        #expect(try run(["policy", "-w", "a:b/c", "--lock", "--unlock"], fails: true).status == 64)
        try loop.repository.checkIntegrity()
    }

    @Test func `releases choose and refuse as fluxctl does`() throws {
        let head = try loop.repository.head()
        let plan = try run(["release", "--all", "--update-image", "acme/web:1.1.0", "--dry-run", "-vv"])
        #expect(
            plan.stdout == """
                WORKLOAD                   STATUS   UPDATES
                default:deployment/locked  skipped  locked
                shop:deployment/web        success  app: acme/web:1.0.0 -> 1.1.0
                shop:statefulset/api       success  app: acme/web:1.0.0 -> 1.1.0

                """)
        #expect(try loop.repository.head() == head)
        try run(["release", "--all", "--exclude", "shop:statefulset/api", "-i", "acme/web:1.1.0"])
        #expect(words(try message()) == "Release acme/web:1.1.0 to all")
        #expect(
            try diff() == [
                "-        image: \"acme/web:1.0.0\" # the site", "+        image: \"acme/web:1.1.0\" # the site",
            ])
        let quiet = try run(["release", "--workload", "default:deployment/locked", "-i", "acme/web:1.1.0"])
        #expect(quiet.stdout == "WORKLOAD   STATUS   UPDATES\n")
        try run(["release", "--workload=default:deployment/locked", "-i", "acme/web:1.1.0", "--force", "-m", "must"])
        #expect(words(try message()) == "Release acme/web:1.1.0 to default:deployment/locked\n\nmust")
        try run(["release", "--workload", "shop:statefulset/api", "--update-all-images"])
        #expect(words(try message()) == "Release all latest to shop:statefulset/api")
        #expect(
            try loop.repository.content(of: "deploy/api.yaml")
                == Self.api.replacingOccurrences(of: "1.0.0", with: "1.1.0"))
        // Its filter allows 1.0 only.
        try run(["unlock", "-w", "deployment/locked"])
        let filtered = try run(
            ["release", "--workload", "deployment/locked,deployment/none", "-i", "acme/web:1.1.0", "-v"])
        #expect(filtered.stdout.contains("default:deployment/locked  skipped  cannot find one or more images"))
        #expect(filtered.stdout.contains("default:deployment/none    skipped  not found in repository"))
        let none = try run(["release", "--workload", "deployment/none", "-i", "acme/web:1.1.0"], fails: true)
        #expect(none.status == 1 && none.stderr.contains("default:deployment/none: not found in repository"))
        try run(["release", "--workload", "shop:statefulset/api", "-i", "acme/web:1.0.5", "--user", "ann\nb"])
        #expect(try message().hasSuffix("\nSlipway-User: ann b\n"))
        let absent = try run(["release", "--all", "-i", "acme/web:9"], fails: true)
        #expect(absent.status == 1 && absent.stderr.contains("image \"acme/web:9\" does not exist"))
        for wrong in [
            ["--all"], ["-i", "a:1"], ["--all", "-i", "a"], ["--all", "-i", "a:1", "--watch"],
            ["--all", "-i", "a:1", "--update-all-images"], ["--all", "--update-all-images", "--force"],
        ] { #expect(try run(["release"] + wrong, fails: true).status == 64, "\(wrong)") }
        try loop.repository.checkIntegrity()
    }

    @Test func `over HTTP, while somebody else pushes`() async throws {
        let server = try await GitHTTPServer(directory: loop.scratch.path)
        defer { server.stop() }
        let url = server.url + "/" + (loop.repository.path as NSString).lastPathComponent
        try run(["release", "--workload", "shop:deployment/web", "-i", "acme/web:1.0.5"], url: url)
        try loop.repository.commit(["README.md": "changed"])
        try run(["automate", "-w", "shop:deployment/web,shop:statefulset/api"], url: url)
        #expect(words(try message()) == "Automated: shop:deployment/web, shop:statefulset/api")
        #expect(try loop.repository.git("diff", "--stat", "main^", "main").contains("2 files changed"))
        try loop.repository.checkIntegrity()
    }
}
