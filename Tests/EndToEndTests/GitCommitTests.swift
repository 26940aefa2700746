import Foundation
import TestSupport
import Testing

/// How the agent's commits look, and where they go.
@Suite(.tags(.endToEnd)) struct GitCommitTests {
    static let updateTrailers = [
        "Slipway-Update: deploy/api.yaml shop:deployment/api app acme/api:1.0.0 acme/api:1.1.0",
        "Slipway-Update: deploy/web.yaml shop:deployment/web app acme/web:1.0.0 acme/web:1.1.0",
    ]

    @Test func `one commit in Flux v1's words, then one for each image`() throws {
        let loop = try GitLoop("per-cycle")
        try loop.standard()
        try loop.sync(["--git-ci-skip", "--git-user", "Weave Flux", "--git-email", "support@weave.works"])
        #expect(
            try loop.repository.git("log", "-1", "--format=%B%an <%ae>") == """
                Auto-release multiple (2) images

                 - acme/api:1.1.0
                 - acme/web:1.1.0

                [ci skip]

                \(Self.updateTrailers.joined(separator: "\n"))
                Weave Flux <support@weave.works>
                """)
        #expect(
            try loop.repository.git("log", "-1", "--format=%(trailers:key=Slipway-Update)").contains("acme/web:1.1.0"))
        try loop.publish("acme/web", ["1.2.0"])
        try loop.publish("acme/api", ["1.2.0"])
        let output = try loop.sync(["--git-commit-per", "image", "--output", "json"])
        #expect(try loop.log("main~2..main") == ["Auto-release acme/web:1.2.0", "Auto-release acme/api:1.2.0"])
        #expect(try loop.repository.git("diff", "--stat", "main~1", "main").contains("1 file changed"))
        let commits = try #require(try Loop.report(output)["commits"] as? [[String: String]])
        #expect(commits.map { $0["commit"] } == [try loop.repository.head("main~1^{}"), try loop.repository.head()])
        #expect(try loop.sync().stdout.contains("nothing to do"))
        try loop.repository.checkIntegrity()
    }

    @Test func `Flux v2's and Argo's templates, values, committer, note`() throws {
        let loop = try GitLoop("templates")
        try loop.standard()
        try loop.sync(
            configuration: #"""
                author: {name: Bot, email: bot@example.com}
                committer: {name: Committer, email: committer@example.com}
                commit:
                  notes: true
                  automation: flux-system/shop
                  values: {cluster: prod}
                  message: |
                    Automated image update on {{ .Values.cluster }}

                    Automation name: {{ .AutomationObject }}

                    Files:
                    {{ range $filename, $_ := .Changed.FileChanges -}}
                    - {{ $filename }}
                    {{ end -}}

                    Objects:
                    {{ range $resource, $changes := .Changed.Objects -}}
                    - {{ $resource.Kind }} {{ $resource.Namespace }}/{{ $resource.Name }}
                    {{- range $_, $change := $changes }}
                      {{ $change.OldValue }} -> {{ $change.NewValue }}
                    {{ end -}}
                    {{ end -}}
                    {{ range .AppChanges -}}
                    updates image {{ .Image }} tag '{{ .OldTag }}' to '{{ .NewTag }}'
                    {{ end -}}
                    Signed-off-by: Bot <bot@example.com>
                """#)
        #expect(
            try loop.repository.git("log", "-1", "--format=%B%an %cn") == """
                Automated image update on prod

                Automation name: flux-system/shop

                Files:
                - deploy/api.yaml
                - deploy/web.yaml
                Objects:
                - Deployment shop/api
                  acme/api:1.0.0 -> acme/api:1.1.0
                - Deployment shop/web
                  acme/web:1.0.0 -> acme/web:1.1.0
                updates image acme/api tag '1.0.0' to '1.1.0'
                updates image acme/web tag '1.0.0' to '1.1.0'
                Signed-off-by: Bot <bot@example.com>

                \(Self.updateTrailers.joined(separator: "\n"))
                Bot Committer
                """)
        let note = try #require(
            try JSONSerialization.jsonObject(
                with: Data(loop.repository.git("notes", "--ref=flux", "show", "main").utf8))
                as? [String: Any])
        #expect(Set(note.keys) == ["jobID", "spec", "result"])
        #expect((note["spec"] as? [String: Any])?["type"] as? String == "auto")
        let web = (note["result"] as? [String: Any])?["shop:deployment/web"] as? [String: Any]
        #expect(web?["Status"] as? String == "success")
        #expect(
            (web?["PerContainer"] as? [[String: String]])
                == [["Container": "app", "Current": "acme/web:1.0.0", "Target": "acme/web:1.1.0"]])
    }

    @Test(arguments: [
        ("{{ range .Updates }}", "message:1:1: '{{ range }}' is not closed"),
        ("{{ env \"HOME\" }}", "'env' is not known"),
        ("{{ .Changed.ImageResult }}", "there is no value '.Changed' here"),
        ("{{ if false }}x{{ end }}", "gives no text"),
    ]) func `a template that cannot be used is refused with its place`(_ template: String, _ words: String) throws {
        let loop = try GitLoop("bad-template")
        try loop.standard()
        let head = try loop.repository.head()
        let output = try loop.sync(["--git-commit-message", template], allowFailure: true)
        #expect(output.status != 0)
        #expect(
            output.stderr.contains(words.replacingOccurrences(of: "'.Changed'", with: "'.ImageResult'"))
                || output.stderr.contains(words), "\(output.stderr)")
        #expect(try loop.repository.head() == head)
    }

    @Test(arguments: [false, true]) func `signed commits, and a branch that must be signed`(_ isSSH: Bool) throws {
        let loop = try GitLoop("signed")
        try loop.standard()
        let (secret, trust) = try isSSH ? sshKey(loop) : openPGPKey(loop)
        let flags = ["--git-signing-key", secret, "--git-verify-signatures-mode", "head"] + trust
        // The first commit is a person's, without a signature: nothing happens.
        let head = try loop.repository.head()
        let refused = try loop.sync(flags + ["--output", "json"], allowFailure: true)
        #expect(refused.status == 1)
        #expect(refused.stderr.contains("is not accepted: it is not signed"))
        let failure = try #require((try Loop.report(refused)["failures"] as? [[String: Any]])?.first)
        #expect(failure["disposition"] as? String == "stalled")
        #expect(try loop.repository.head() == head)
        // Without the check the agent signs; from then on the branch passes.
        try loop.sync(["--git-signing-key", secret])
        #expect(try loop.repository.git("log", "-1", "--format=%B").contains("acme/web:1.1.0"))
        try loop.publish("acme/web", ["1.2.0"])
        try loop.sync(flags)
        #expect(try loop.log("main~1..main") == ["Auto-release acme/web:1.2.0"])
        #expect(try loop.repository.git("cat-file", "commit", "main").contains("gpgsig -----BEGIN"))
        // Flags that cannot go together are said before anything is done.
        let alone = try loop.sync(["--git-verify-signatures-mode", "head"] + trust, allowFailure: true)
        #expect(alone.status == 64)
        #expect(alone.stderr.contains("would refuse its own commits"))
        try loop.repository.checkIntegrity()
    }

    private func sshKey(_ loop: GitLoop) throws -> (secret: String, trust: [String]) {
        let key = loop.scratch.file("key")
        try Shell.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
        let signers = "slipway@example.com " + (try String(contentsOfFile: key + ".pub", encoding: .utf8))
        try Data(signers.utf8).write(to: URL(fileURLWithPath: loop.scratch.file("signers")))
        return (key, ["--git-allowed-signers", loop.scratch.file("signers")])
    }

    private func openPGPKey(_ loop: GitLoop) throws -> (secret: String, trust: [String]) {
        let home = try TemporaryDirectory("gpg")
        try Shell.run(["chmod", "700", home.path])
        let gpg = ["gpg", "--homedir", home.path, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
        try Shell.run(gpg + ["--quick-generate-key", "Bot <bot@example.com>", "ed25519", "sign", "0"])
        try Shell.run(gpg + ["--armor", "--output", loop.scratch.file("secret.asc"), "--export-secret-keys"])
        try Shell.run(gpg + ["--armor", "--output", loop.scratch.file("public.asc"), "--export"])
        try Shell.run(["gpgconf", "--homedir", home.path, "--kill", "all"])
        return (loop.scratch.file("secret.asc"), ["--git-keyring", loop.scratch.file("public.asc")])
    }
}

/// Commits that go to other branches than the one that is watched.
@Suite(.tags(.endToEnd)) struct GitBranchTests {
    private func branches(_ loop: GitLoop) throws -> [String] {
        try loop.repository.git("for-each-ref", "--format=%(refname:short)", "refs/heads/").split(separator: "\n")
            .map(String.init)
    }

    @Test func `one branch: made, kept, renewed, left to people, removed when it is merged`() throws {
        let loop = try GitLoop("other-branch")
        try loop.standard()
        let flags = ["--git-push-branch", "slipway/updates"]
        let start = try loop.repository.head()
        #expect(try loop.sync(flags).stdout.contains("(branch slipway/updates)"))
        #expect(try loop.repository.head() == start)
        let first = try loop.repository.head("slipway/updates")
        #expect(try loop.repository.git("rev-parse", "slipway/updates^") == start)
        // Nothing new: the branch stays, also when the watched one goes on, and after a restart on an empty disk.
        try loop.repository.commit(["README": "x"])
        #expect(try loop.sync(flags).stderr.contains("it has this change already"))
        #expect(try loop.sync(flags, state: "other").stdout.contains("nothing to do"))
        #expect(try loop.repository.head("slipway/updates") == first)
        // A new image: made anew on the new head, one commit.
        try loop.publish("acme/web", ["1.2.0"])
        try loop.sync(flags)
        #expect(try loop.repository.git("rev-parse", "slipway/updates^") == loop.repository.head())
        #expect(try loop.repository.content(of: "deploy/web.yaml", at: "slipway/updates").contains("web:1.2.0"))
        // A person works on the branch: it is not touched.
        let theirs = try loop.repository.commit(["deploy/extra.yaml": "a: b\n"], branch: "slipway/updates")
        try loop.publish("acme/web", ["1.3.0"])
        let left = try loop.sync(flags)
        #expect(left.stderr.contains("it has a commit of somebody else"))
        #expect(try loop.repository.head("slipway/updates") == theirs)
        // Merged by a person, with the rest: the agent starts over; then merged entirely: the branch goes.
        try loop.repository.git("update-ref", "refs/heads/main", theirs)
        try loop.sync(flags)
        #expect(try loop.repository.content(of: "deploy/web.yaml", at: "slipway/updates").contains("web:1.3.0"))
        try loop.repository.git("update-ref", "refs/heads/main", try loop.repository.head("slipway/updates"))
        #expect(try loop.sync(flags).stderr.contains("removed: its change is merged"))
        #expect(try branches(loop) == ["main"])
        try loop.repository.checkIntegrity()
    }

    @Test(arguments: [false, true]) func `a branch for each image`(_ isLocal: Bool) async throws {
        let loop = try GitLoop("branch-per-image")
        try loop.standard()
        let server = try await GitHTTPServer(directory: loop.scratch.path)
        defer { server.stop() }
        let url = isLocal ? nil : server.url + "/repo.git"
        let flags = ["--git-commit-per", "image", "--git-push-branch", "bump/{{ .Image.Alias }}-{{ .Image.NewTag }}"]
        try loop.sync(flags, url: url)
        #expect(try branches(loop) == ["bump/api-1.1.0", "bump/web-1.1.0", "main"])
        #expect(try loop.repository.git("diff", "--name-only", "main", "bump/web-1.1.0") == "deploy/web.yaml")
        try loop.publish("acme/web", ["1.2.0"])
        try loop.sync(flags, url: url)
        #expect(try branches(loop) == ["bump/api-1.1.0", "bump/web-1.2.0", "main"])
        // A squashed merge of the one: its branch goes, the other stays.
        try loop.repository.commit(["deploy/web.yaml": GitLoop.deployment("web", image: "acme/web:1.2.0")])
        try loop.sync(flags, url: url)
        #expect(try branches(loop) == ["bump/api-1.1.0", "main"])
        // Argo's own template.
        try loop.sync(
            [
                "--git-push-branch",
                "image-updater{{ range .Images }}-{{ .Name }}-{{ .NewTag }}{{ end }}-{{ trunc 6 .SHA256 }}",
            ], url: url)
        #expect(try branches(loop).contains { $0.hasPrefix("image-updater-acme/api-1.1.0-") })
        try loop.repository.checkIntegrity()
    }

    @Test func `a template that gives no branch is refused`() throws {
        let loop = try GitLoop("bad-branch")
        try loop.standard()
        for (template, words) in [
            ("main", "which is the branch that is watched"), ("{{ .Values.none }}a..b", "cannot be the name"),
        ] {
            let output = try loop.sync(["--git-push-branch", template], allowFailure: true)
            #expect(output.status == 1)
            #expect(output.stderr.contains(words), "\(output.stderr)")
        }
        #expect(try branches(loop) == ["main"])
    }
}
