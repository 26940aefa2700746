import Foundation
import TestSupport
import Testing

/// What the agent follows besides Flux v1's annotations: Flux v2's objects and markers, Keel's annotations, annotated
/// kustomizations, and Slipway's own words.
@Suite(.tags(.endToEnd)) struct FollowTests {
    private static let policies = """
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImageRepository
        metadata: {name: web, namespace: flux-system}
        spec: {image: acme/web, interval: 5m, exclusionList: ['^.*\\.sig$', '^1\\.9']}
        ---
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImagePolicy
        metadata: {name: web, namespace: flux-system}
        spec:
          imageRepositoryRef: {name: web}
          policy: {semver: {range: '>=1.0.0 <2'}}
        ---
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImagePolicy
        metadata: {name: main, namespace: flux-system}
        spec:
          imageRepositoryRef: {name: web}
          filterTags: {pattern: '^main-[0-9a-f]+-(?P<ts>[0-9]+)$', extract: $ts}
          policy: {numerical: {order: asc}}
          digestReflectionPolicy: REFLECT
        ---
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImagePolicy
        metadata: {name: off, namespace: flux-system}
        spec: {suspend: true, imageRepositoryRef: {name: web}, policy: {alphabetical: {order: asc}}}
        ---
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImagePolicy
        metadata: {name: other, namespace: apps}
        spec: {imageRepositoryRef: {name: web, namespace: flux-system}, policy: {alphabetical: {order: asc}}}

        """

    private func digest(_ loop: GitLoop, _ name: String, _ tag: String) throws -> String {
        let index = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(fileURLWithPath: "\(loop.images)/\(name)/index.json")))
        let manifests = try #require((index as? [String: Any])?["manifests"] as? [[String: Any]])
        let found = manifests.first {
            ($0["annotations"] as? [String: String])?["org.opencontainers.image.ref.name"] == tag
        }
        return try #require(found?["digest"] as? String)
    }

    @Test func `Flux v2's policies answer its markers`() throws {
        let loop = try GitLoop("flux2")
        try loop.publish(
            "acme/web", ["1.0.0", "1.10", "1.4.0", "1.9.0", "2.0.0", "main-aa-5", "main-bb-12", "dev-cc-99"])
        let web = """
            kind: Deployment
            metadata: {name: web, namespace: apps}
            spec:
              template:
                spec:
                  containers:
                  - name: app
                    image: acme/web:1.0.0 # {"$imagepolicy": "flux-system:web"}
                    env:
                    - {name: NAME, value: acme/web}
                    - name: TAG
                      value: main-aa-5 # {"$imagepolicy": "flux-system:main:tag"}
                    - name: DIGEST
                      value: '' # {"$imagepolicy": "flux-system:main:digest"}
                    - name: WHOLE
                      value: "x:1" # {"$imagepolicy": "flux-system:main"}
                    - name: NO
                      value: x # {"$imagepolicy": "flux-system:none:tag"}
                    - name: OFF
                      value: x # {"$imagepolicy": "flux-system:off:tag"}
                    - name: OTHER
                      value: x # {"$imagepolicy": "apps:other:tag"}

            """
        try loop.repository.commit([
            "clusters/images.yaml": Self.policies.replacingOccurrences(of: "REFLECT", with: "Always"),
            "apps/web.yaml": web, "apps/chart.yaml": "tag: 1.0.0 # {\"$imagepolicy\": \"flux-system:web:tag\"}\r\n",
        ])
        let output = try loop.sync(["--output", "json"], allowFailure: true)
        let new = try digest(loop, "acme/web", "main-bb-12")
        let expected = web.replacingOccurrences(of: "image: acme/web:1.0.0", with: "image: acme/web:1.4.0")
            .replacingOccurrences(of: "value: main-aa-5", with: "value: main-bb-12")
            .replacingOccurrences(of: "value: ''", with: "value: '\(new)'")
            .replacingOccurrences(of: "\"x:1\"", with: "\"acme/web:main-bb-12@\(new)\"")
        #expect(try loop.repository.content(of: "apps/web.yaml") == expected)
        #expect(
            try loop.repository.content(of: "apps/chart.yaml")
                == "tag: 1.4.0 # {\"$imagepolicy\": \"flux-system:web:tag\"}\r\n")
        #expect(try loop.log("-1") == ["Auto-release multiple (2) images"])
        let report = try Loop.report(output)
        let reasons = try #require(report["decisions"] as? [[String: String]]).compactMap { $0["reason"] }
        #expect(reasons.contains { $0.contains("flux-system:none, which is not in the repository") })
        #expect(reasons.contains { $0.contains("flux-system:off is suspended") })
        let failures = try #require(report["failures"] as? [[String: String]]).compactMap { $0["message"] }
        #expect(failures.contains { $0.contains("apps:other may not use the image repository") })
        // A tag that moves is followed, because the digest is always reflected.
        try loop.publish("acme/moved", ["main-bb-12"])
        try Shell.run([
            "umoci", "config", "--image", "\(loop.images)/acme/web:main-bb-12", "--config.label", "moved=yes",
        ])
        try loop.sync(allowFailure: true)
        let moved = try digest(loop, "acme/web", "main-bb-12")
        #expect(moved != new)
        #expect(
            try loop.repository.content(of: "apps/web.yaml")
                == expected.replacingOccurrences(of: new, with: moved))
        // But not when it is reflected only where there is none.
        try loop.repository.commit([
            "clusters/images.yaml": Self.policies.replacingOccurrences(of: "REFLECT", with: "IfNotPresent")
        ])
        let head = try loop.repository.head()
        try Shell.run([
            "umoci", "config", "--image", "\(loop.images)/acme/web:main-bb-12", "--config.label", "moved=again",
        ])
        try loop.sync(allowFailure: true)
        #expect(try loop.repository.head() == head)
        try loop.repository.checkIntegrity()
    }

    @Test(
        arguments: [
            // annotations and labels, running, chosen
            ("annotations: {keel.sh/policy: minor}", "1.2.0", "1.3.0"),
            ("annotations: {keel.sh/policy: patch}", "1.2.0", "1.2.4"),
            ("labels: {keel.sh/policy: major}", "1.2.0", "2.0.0"),
            ("labels: {keel.sh/policy: never}, annotations: {keel.sh/policy: all}", "1.2.0", "2.1.0-rc1"),
            ("annotations: {keel.sh/policy: never}", "1.2.0", nil),
            ("annotations: {keel.sh/policy: 'glob:1.2.*'}", "1.2.0", "1.2.4"),
            ("annotations: {keel.sh/policy: 'regexp:^1[.]3'}", "1.2.0", "1.3.0"),
            ("annotations: {keel.sh/policy: minor, keel.sh/monitorContainers: '^side'}", "1.2.0", nil),
            ("annotations: {keel.sh/policy: minor, keel.sh/approvals: '1'}", "1.2.0", nil),
            (
                "annotations: {keel.sh/policy: minor, keel.sh/approvals: '1', slipway.dev/approved.app: '1.3.0'}",
                "1.2.0",
                "1.3.0"
            ),
            ("annotations: {keel.sh/policy: minor, fluxcd.io/locked: 'true'}", "1.2.0", nil),
            ("annotations: {keel.sh/policy: minor, fluxcd.io/automated: 'false'}", "1.2.0", nil),
        ] as [(String, String, String?)])
    func `Keel's policies`(_ metadata: String, _ running: String, _ chosen: String?) throws {
        let loop = try GitLoop("keel")
        try loop.publish("acme/app", ["1.2.0", "1.2.4", "1.3.0", "2.0.0", "2.1.0-rc1"])
        let before = """
            kind: StatefulSet
            metadata: {name: app, \(metadata)}
            spec:
              template:
                spec:
                  initContainers: [{name: init, image: "acme/app:\(running)"}]
                  containers: [{name: app, image: 'acme/app:\(running)'}]

            """
        try loop.repository.commit(["app.yaml": before])
        let output = try loop.sync()
        let after = before.replacingOccurrences(of: "'acme/app:\(running)'", with: "'acme/app:\(chosen ?? running)'")
        #expect(try loop.repository.content(of: "app.yaml") == after, "\(output.stderr)")
    }

    @Test func `digests, platforms, approvals, images that need each other`() throws {
        let loop = try GitLoop("options")
        try loop.publish("acme/web", ["1.0.0", "1.1.0", "1.2.0"])
        try loop.publish("acme/api", ["1.0.0", "1.1.0"])
        func deployment(_ name: String, _ image: String, _ extra: String) -> String {
            GitLoop.deployment(name, image: image).replacingOccurrences(
                of: "    fluxcd.io/automated", with: "    \(extra)\n    fluxcd.io/automated")
        }
        let old = "sha256:" + String(repeating: "a", count: 64)
        let files = [
            "pin.yaml": deployment("pin", "acme/web:1.0.0", "slipway.dev/pin: 'true'"),
            "pinned.yaml": deployment("pinned", "acme/web:1.2.0@\(old)", "a: b"),
            "requires.yaml": deployment("requires", "acme/web:1.0.0", "slipway.dev/requires.app: acme/api"),
            "platform.yaml": deployment("platform", "acme/web:1.0.0", "slipway.dev/platforms: linux/s390x"),
            "approval.yaml": deployment("approval", "acme/web:1.0.0", "slipway.dev/approval: required"),
            "approved.yaml": deployment(
                "approved", "acme/web:1.0.0",
                "slipway.dev/approval: required\n    slipway.dev/approved.app: \"1.2.0\""),
            "helm.yaml": """
            apiVersion: helm.fluxcd.io/v1
            kind: HelmRelease
            metadata:
              name: chart
              annotations:
                fluxcd.io/automated: "true"
                fluxcd.io/tag.chart-image: semver:*
                fluxcd.io/tag.side: semver:~1.0
                repository.fluxcd.io/deep: some.where.repo
                tag.fluxcd.io/deep: some.where.version
                filter.fluxcd.io/deep: semver:1.1.x
            spec:
              values:
                image: {repository: acme/web, tag: "1.0.0"} # chart
                side: {image: acme/api:0.9}
                some: {where: {repo: acme/api, version: 1.0.0}}

            """,
            "kustomization.yaml": """
            metadata: {name: shop, annotations: {slipway.dev/automated: "true", slipway.dev/tag.web: 'semver:~1.1', slipway.dev/tag.acme/api: 'semver:*'}}
            images:
            - name: web
              newName: acme/web
              newTag: 1.0.0 # here
            - {name: acme/api, newTag: "1.0.0", digest: "\(old)"}

            """,
        ]
        try loop.repository.commit(files.mapValues { Optional($0) })
        let output = try loop.sync()
        let web = try digest(loop, "acme/web", "1.2.0")
        func expect(_ file: String, _ from: String, _ to: String) throws {
            #expect(
                try loop.repository.content(of: file) == files[file]?.replacingOccurrences(of: from, with: to),
                "\(output.stderr)")
        }
        try expect("pin.yaml", "acme/web:1.0.0 ", "acme/web:1.2.0@\(web) ")
        try expect("pinned.yaml", old, web)
        try expect("requires.yaml", "web:1.0.0", "web:1.1.0")
        try expect("platform.yaml", "", "")
        try expect("approval.yaml", "", "")
        try expect("approved.yaml", "web:1.0.0", "web:1.2.0")
        #expect(
            try loop.repository.content(of: "helm.yaml")
                == files["helm.yaml"]?.replacingOccurrences(of: "tag: \"1.0.0\"", with: "tag: \"1.2.0\"")
                .replacingOccurrences(of: "api:0.9", with: "api:1.0.0")
                .replacingOccurrences(of: "version: 1.0.0", with: "version: 1.1.0"), "\(output.stderr)")
        let api = try digest(loop, "acme/api", "1.1.0")
        #expect(
            try loop.repository.content(of: "kustomization.yaml") == """
                metadata: {name: shop, annotations: {slipway.dev/automated: "true", slipway.dev/tag.web: 'semver:~1.1', slipway.dev/tag.acme/api: 'semver:*'}}
                images:
                - name: web
                  newName: acme/web
                  newTag: 1.1.0 # here
                - {name: acme/api, newTag: "1.1.0", digest: "\(api)"}

                """)
        #expect(output.stderr.contains("waits for approval"))
        #expect(try loop.sync().stdout.contains("nothing to do"))
        try loop.repository.checkIntegrity()
    }
}
