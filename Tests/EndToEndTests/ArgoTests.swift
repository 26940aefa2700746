import Foundation
import TestSupport
import Testing

/// Argo CD Image Updater's annotations: each write target in the repository, as the updater would have written it.
@Suite(.tags(.endToEnd)) struct ArgoTests {
    private func application(
        _ name: String, _ annotations: [String], source: String, extra: String = ""
    ) -> String {
        """
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata:
          name: \(name)
          namespace: argocd
          annotations:
        \(annotations.map { "    argocd-image-updater.argoproj.io/\($0)" }.joined(separator: "\n"))
        spec:
          project: default   # ours
          source:
            repoURL: REPO
            path: \(source)
            targetRevision: main
        \(extra)
        """
    }

    private func loop() throws -> GitLoop {
        let loop = try GitLoop("argo")
        try loop.publish("acme/web", ["1.0.0", "1.4.0", "1.9.0-rc1", "2.0.0", "main-1", "main-2"])
        try loop.publish("acme/api", ["1.0.0", "1.1.0"])
        return loop
    }

    /// Commits, lets the agent run once, and gives the diff's changed lines.
    private func run(_ loop: GitLoop, _ files: [String: String]) throws -> (lines: [String], log: Shell.Output) {
        var all: [String: String?] = [:]
        for (name, text) in files {
            all[name] = text.replacingOccurrences(of: "REPO", with: loop.repository.path)
        }
        let head = try loop.repository.commit(all)
        let output = try loop.sync(allowFailure: true)
        try loop.repository.checkIntegrity()
        let lines = try loop.repository.git("diff", "-U0", head, "main")
            .replacingOccurrences(of: "\r\n", with: "<CR>\n").split(separator: "\n").map(String.init)
            .filter { ($0.hasPrefix("+") || $0.hasPrefix("-")) && !$0.hasPrefix("---") }
            .map { $0.hasPrefix("+++ b/") ? String($0.dropFirst(6)) : $0 }
        let again = try loop.repository.head()
        try loop.sync(allowFailure: true)
        #expect(try loop.repository.head() == again, "the second cycle changes something")
        return (lines, output)
    }

    @Test func `the application's manifest stands for the live object`() throws {
        let loop = try loop()
        let (lines, output) = try run(
            loop,
            [
                "apps/helm.yaml": application(
                    "helm",
                    [
                        "image-list: web=acme/web:^1, api=acme/api", "api.helm.image-name: api.repo",
                        "api.helm.image-tag: api.tag",
                    ],
                    source: "charts/web",
                    extra: "    helm:\n      parameters:\n      - {name: image.tag, value: '1.0.0'} # now\n"),
                "apps/kustomize.yaml": application(
                    "kustomize", ["image-list: web=acme/web:^1,api=acme/api:~1.0", "web.kustomize.image-name: web"],
                    source: "overlay",
                    extra: "    kustomize:\n      images:\n        - \"web=acme/web:1.0.0\"\n"),
                "apps/bare.yaml": application("bare", ["image-list: acme/api"], source: "charts/api"),
                "charts/api/Chart.yaml": "name: api\n",
            ])
        #expect(
            lines == [
                "apps/bare.yaml", "+    helm:", "+      parameters:", "+      - name: image.name",
                "+        value: acme/api", "+        forceString: true", "+      - name: image.tag",
                "+        value: 1.1.0", "+        forceString: true",
                "apps/helm.yaml",
                "-      - {name: image.tag, value: '1.0.0'} # now", "+      - {name: image.tag, value: '1.4.0'} # now",
                "+      - name: image.name", "+        value: acme/web", "+        forceString: true",
                "+      - name: api.repo", "+        value: acme/api", "+        forceString: true",
                "+      - name: api.tag", "+        value: 1.1.0", "+        forceString: true",
                "apps/kustomize.yaml",
                "-        - \"web=acme/web:1.0.0\"", "+        - \"web=acme/web:1.4.0\"", "+        - acme/api:1.0.0",
            ], "\(lines)\n\(output.stderr)")
        #expect(try loop.log("-1") == ["Auto-release multiple (3) images"])
    }

    @Test func `files of overrides, kustomizations and values`() throws {
        let loop = try loop()
        let git = ["write-back-method: git", "git-branch: main"]
        let (lines, output) = try run(
            loop,
            [
                "apps/overrides.yaml": application(
                    "over", git + ["image-list: web=acme/web:~1"], source: "./charts/web/"),
                "charts/web/Chart.yaml": "name: web\n",
                "charts/web/values.yaml": "image: {name: acme/web, tag: 1.0.0}\n",
                "apps/values.yaml": application(
                    "values",
                    git + [
                        "image-list: web=acme/web, api=acme/api", "write-back-target: helmvalues:/env/prod.yaml",
                        "web.helm.image-spec: web.image", "api.helm.image-name: api[0].name",
                        "api.helm.image-tag: api[0].tag",
                    ], source: "charts/web"),
                "env/prod.yaml":
                    "# prod\r\nweb:\r\n  image: acme/web:1.0.0 # spec\r\napi:\r\n- name: acme/api\r\n  tag: '1.0.0'\r\n",
                "apps/kustomization.yaml": "resources: [values.yaml]\n",
                "apps/edit.yaml": application(
                    "edit",
                    git + [
                        "image-list: web=acme/web, api=acme/api", "write-back-target: kustomization:../base",
                        "web.kustomize.image-name: site", "web.allow-tags: 'regexp:^main-'",
                        "web.update-strategy: alphabetical", "web.ignore-tags: 'main-2, x*'",
                    ], source: "overlays/prod"),
                "overlays/base/kustomization.yaml":
                    "images:\n  - name: site\n    newName: acme/web\n    newTag: main-0 # old\n",
                "apps/plain.yaml": application("plain", git + ["image-list: api=acme/api"], source: "overlays/base"),
                "overlays/base/.argocd-source-plain.yaml": "kustomize:\n    images:\n    - acme/api:1.0.0 # api\n",
            ])
        #expect(
            lines == [
                "charts/web/.argocd-source-over.yaml", "+helm:", "+  parameters:", "+  - name: image.name",
                "+    value: acme/web", "+    forcestring: true", "+  - name: image.tag", "+    value: 1.4.0",
                "+    forcestring: true",
                "env/prod.yaml", "-  image: acme/web:1.0.0 # spec<CR>", "+  image: acme/web:2.0.0 # spec<CR>",
                "-  tag: '1.0.0'<CR>", "+  tag: '1.1.0'<CR>",
                "overlays/base/.argocd-source-plain.yaml", "-    - acme/api:1.0.0 # api", "+    - acme/api:1.1.0 # api",
                "overlays/base/kustomization.yaml", "-    newTag: main-0 # old", "+    newTag: main-1 # old",
                "+  - name: acme/api", "+    newTag: 1.1.0",
            ], "\(lines)\n\(output.stderr)")
    }

    @Test func `digests, and what is refused`() throws {
        let loop = try loop()
        let (lines, output) = try run(
            loop,
            [
                "digest.yaml": application(
                    "digest",
                    ["image-list: web=acme/web:main-1", "web.update-strategy: digest", "web.helm.image-spec: image"],
                    source: "a", extra: "    helm: {parameters: []}\n"),
                "elsewhere.yaml": application(
                    "elsewhere", ["image-list: acme/web", "write-back-method: git"], source: "a"
                )
                .replacingOccurrences(of: "REPO", with: "https://git.example.com/other/thing.git"),
                "branch.yaml": application(
                    "branch", ["image-list: acme/web", "write-back-method: git", "git-branch: prod"], source: "a"),
                "strategy.yaml": application(
                    "strategy", ["image-list: acme/web", "update-strategy: newer"], source: "a"),
                "target.yaml": application(
                    "target", ["image-list: acme/web", "write-back-method: git", "write-back-target: values"],
                    source: "a"),
                "allow.yaml": application("allow", ["image-list: acme/web", "allow-tags: 'glob:*'"], source: "a"),
                "missing.yaml": application(
                    "missing",
                    [
                        "image-list: web=acme/web", "write-back-method: git", "write-back-target: helmvalues",
                        "web.helm.image-spec: not.there",
                    ], source: "a"),
                "a/values.yaml": "there: x\n",
            ])
        #expect(lines.count == 3 && lines[0] == "digest.yaml", "\(lines)\n\(output.stderr)")
        #expect(
            lines.last?.hasPrefix("+    helm: {parameters: [{name: image, value: acme/web:main-1@sha256:") == true,
            "\(lines)")
        for text in [
            "written back to another repository", "its branch is 'prod'", "unknown update strategy 'newer'",
            "unknown write-back target 'values'", "allow-tags is 'glob:*'", "there is no value at not.there",
        ] { #expect(output.stderr.contains(text), "\(text)\n\(output.stderr)") }
    }
}
