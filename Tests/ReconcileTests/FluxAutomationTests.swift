import Agent
import AgentFakes
import Git
import OCI
import RegistryPoller
import Template
import TestSupport
import Testing

/// What `ImageUpdateAutomation` objects say of which values are updated, by whom, in which words and on which branch.
@Suite(.tags(.unit)) struct FluxAutomationTests {
    private static let objects = Flux.source() + Flux.repository() + Flux.policy()

    private static func world(_ automation: String, _ more: [String: String] = [:]) async throws -> World {
        var files = ["clusters/images.yaml": objects + automation, "apps/web.yaml": Flux.workload("web")]
        files.merge(more) { _, new in new }
        return try await World.flux(files)
    }

    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let automation: String
        /// What is said of the value that stays; `nil`: it is updated.
        var reason: String?

        init(_ testDescription: String, _ automation: String, _ reason: String? = nil) {
            self.testDescription = testDescription
            self.automation = automation
            self.reason = reason
        }
    }

    @Test(arguments: [
        Case("everything", Flux.automation()),
        Case("a folder", Flux.automation(spec: "  update: {path: ./apps, strategy: Setters}")),
        Case("a file", Flux.automation(spec: "  update: {path: apps/web.yaml}")),
        Case("no way out of the tree", Flux.automation(spec: "  update: {path: ../../apps/}")),
        Case(
            "another folder", Flux.automation(spec: "  update: {path: ./clusters}"), "updates 'clusters' only"),
        Case(
            "a folder with the same start", Flux.automation(spec: "  update: {path: ./clu}"), "'clu', which is not in"),
        Case("suspended", Flux.automation(spec: "  suspend: true"), "is suspended"),
        Case(
            "another strategy", Flux.automation(spec: "  update: {strategy: Rewrite}"), "update strategy is 'Rewrite'"),
        Case("no author", Flux.automation(email: ""), "author.email is missing"),
        Case("the branch said again", Flux.automation(git: "    checkout: {ref: {branch: main}}\n")),
        Case("a full reference", Flux.automation(git: "    checkout: {ref: {name: refs/heads/main, branch: x}}\n")),
        Case(
            "another branch", Flux.automation(git: "    checkout: {ref: {branch: develop}}\n"),
            "works on the branch 'develop', and 'main' is watched"),
        Case(
            "a reference without a branch", Flux.automation(git: "    checkout: {ref: {}}\n"),
            "works on the branch 'master'"),
        Case(
            "a tag", Flux.automation(git: "    checkout: {ref: {tag: v1, branch: main}}\n    push: {branch: main}\n"),
            "checks out tag 'v1'"),
        Case("the policy's labels", Flux.automation(spec: "  policySelector: {matchLabels: {a: b}}"), "policySelector"),
        Case("no labels wanted", Flux.automation(spec: "  policySelector: {}")),
        Case(
            "an invalid selector",
            Flux.automation(spec: "  policySelector: {matchExpressions: [{key: a, operator: Near, values: [b]}]}"),
            "its policySelector is invalid"),
        Case(
            "another namespace",
            Flux.automation(
                spec: "  sourceRef: {kind: GitRepository, name: fleet, namespace: flux-system}", namespace: "team"),
            "applies the policies of its own namespace"),
    ]) func `a marker is updated by an automation that covers it, else left with the reason`(_ example: Case)
        async throws
    {
        let automation =
            example.automation.contains("team")
            ? example.automation.replacing("  sourceRef:\n    kind: GitRepository\n    name: fleet\n", with: "")
            : example.automation
        let world = try await Self.world(automation)
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        if let reason = example.reason {
            #expect(world.marked("apps/web.yaml") == "acme/web:1.0.0")
            #expect(World.reasons(report, "apps/web.yaml").contains(reason))
            #expect(report.commit == nil)
        } else {
            #expect(world.marked("apps/web.yaml") == "acme/web:1.4.0")
        }
    }

    @Test(arguments: [
        (
            Flux.source("https://git.example.com/acme/other"),
            "updates another repository, https://git.example.com/acme/other"
        ),
        (Flux.source(branch: "develop"), "works on the branch 'develop'"),
        (Flux.source(branch: nil), "works on the branch 'master'"),
        (Flux.source(name: "else"), "which is not in the repository, so that nobody knows what it updates"),
    ]) func `its source decides whether it is about this branch`(source: String, reason: String) async throws {
        let world = try await World.flux([
            "images.yaml": source + Flux.repository() + Flux.policy() + Flux.automation(),
            "web.yaml": Flux.workload("web"),
        ])
        let report = await world.cycle()
        #expect(world.marked("web.yaml") == "acme/web:1.0.0")
        #expect(World.reasons(report, "web.yaml").contains(reason))
        #expect(World.reasons(report, "images.yaml").contains("does nothing here: it "))
    }

    @Test func `without any automation every marker counts, and it is said`() async throws {
        let world = try await Self.world("")
        let report = await world.cycle()
        #expect(world.marked("apps/web.yaml") == "acme/web:1.4.0")
        #expect(report.reason("image policies")?.contains("every marker counts") == true)
    }

    @Test func `each automation commits by itself, in its own words`() async throws {
        let message = """
                  messageTemplate: |-
                    {{ .AutomationObject }} on {{ .Values.cluster }}
                    {{ range $file, $_ := .Changed.FileChanges }}{{ $file }}{{ end }}
                    {{ range .Changed.Changes }}{{ .OldValue }} {{ .NewValue }} {{ .Setter }}{{ end }}
                  messageTemplateValues: {cluster: east}

            """
        let world = try await World.flux([
            "images.yaml": Self.objects + Flux.automation("b", spec: "  update: {path: ./b}", commit: message)
                + Flux.automation("a", spec: "  update: {path: ./a}"),
            "a/web.yaml": Flux.workload("web"), "b/deep/web.yaml": Flux.workload("web"),
            "c/web.yaml": Flux.workload("web"),
        ])
        let report = await world.cycle()
        #expect(report.commits.count == 2)
        let bodies = report.commits.map { $0.message.split(separator: "\n\nSlipway-Update").first.map(String.init) }
        #expect(
            bodies == [
                "Update from image update automation",
                "flux-system/b on east\ndeep/web.yaml\nacme/web:1.0.0 acme/web:1.4.0 flux-system:web",
            ])
        let log = try await world.log().prefix(2)
        #expect(log.map(\.author.name) == ["b-bot", "a-bot"])
        #expect(log.map(\.author.email) == ["bot@example.com", "bot@example.com"])
        #expect(world.marked("c/web.yaml") == "acme/web:1.0.0")
        // The agent knows its own commits by their committer, and builds nothing for them.
        #expect(log.allSatisfy { $0.committer.name == "Slipway" })
        let again = await world.cycle()
        #expect(again.commit == nil)
    }

    @Test func `a template that cannot be used stops its own automation only`() async throws {
        let world = try await World.flux([
            "images.yaml": Self.objects
                + Flux.automation("a", spec: "  update: {path: ./a}", commit: "      messageTemplate: '{{ .Nothing'\n")
                + Flux.automation("b", spec: "  update: {path: ./b}"),
            "a/web.yaml": Flux.workload("web"), "b/web.yaml": Flux.workload("web"),
        ])
        let report = await world.cycle()
        #expect(world.marked("a/web.yaml") == "acme/web:1.0.0")
        #expect(world.marked("b/web.yaml") == "acme/web:1.4.0")
        #expect(report.failures.contains { $0.message.contains("ImageUpdateAutomation flux-system/a") })
    }

    @Test func `the agent's own author and message count first, and that is said`() async throws {
        let world = try await Self.world(Flux.automation(commit: "      messageTemplate: theirs\n"))
        world.git.authorName = "Ours"
        world.git.authorEmail = "ours@example.com"
        world.git.commit.message = try Template("our words", name: "message")
        let report = await world.cycle()
        #expect(world.host.head()?.author.name == "Ours")
        #expect(report.message?.hasPrefix("our words") == true)
        let said = World.reasons(report, "ImageUpdateAutomation")
        #expect(said.contains("git.commit.author is not obeyed"))
        #expect(said.contains("git.commit.messageTemplate is not obeyed"))
    }

    @Test func `commits go to the push branch, and the watched one stays`() async throws {
        let world = try await Self.world(Flux.automation(git: "    push: {branch: flux/updates}\n"))
        _ = await world.cycle()
        #expect(world.marked("apps/web.yaml") == "acme/web:1.0.0")
        #expect(world.marked("apps/web.yaml", on: "flux/updates") == "acme/web:1.4.0")
        #expect(world.host.head("flux/updates")?.author.name == "images-bot")
        // Once it is merged the branch stays; what is newer takes its place.
        world.host.merge("flux/updates")
        _ = await world.cycle()
        #expect(world.host.head("flux/updates") != nil)
        world.registry.push("acme/web", "1.5.0")
        _ = await world.cycle()
        #expect(world.marked("apps/web.yaml") == "acme/web:1.4.0")
        #expect(world.marked("apps/web.yaml", on: "flux/updates") == "acme/web:1.5.0")
    }

    @Test func `automations with one push branch share its commit`() async throws {
        let push = "    push: {branch: updates}\n"
        let world = try await World.flux([
            "images.yaml": Self.objects + Flux.automation("a", spec: "  update: {path: ./a}", git: push)
                + Flux.automation("b", spec: "  update: {path: ./b}", git: push),
            "a/web.yaml": Flux.workload("web"), "b/web.yaml": Flux.workload("web"),
        ])
        _ = await world.cycle()
        let tip = world.host.head("updates")
        #expect(world.marked("a/web.yaml", on: "updates") == "acme/web:1.4.0")
        #expect(world.marked("b/web.yaml", on: "updates") == "acme/web:1.4.0")
        _ = await world.cycle()
        #expect(world.host.head("updates")?.id == tip?.id)
    }

    @Test func `the agent's own push branch counts first, and that is said`() async throws {
        let world = try await Self.world(Flux.automation(git: "    push: {branch: theirs}\n"))
        world.git.push.branch = try Template("ours", name: "branch")
        let report = await world.cycle()
        #expect(world.host.head("theirs") == nil)
        #expect(world.marked("apps/web.yaml", on: "ours") == "acme/web:1.4.0")
        #expect(World.reasons(report, "ImageUpdateAutomation").contains("git.push is not obeyed"))
        // What the agent does not say stays the automation's.
        #expect(world.host.head("ours")?.author.name == "images-bot")
        #expect(world.host.messages("ours").first?.hasPrefix("Update from image update automation") == true)
    }

    @Test func `a refspec is a second push`() async throws {
        let world = try await Self.world(
            Flux.automation(git: "    push: {refspec: 'refs/heads/main:refs/heads/review/images'}\n"))
        _ = await world.cycle()
        #expect(world.marked("apps/web.yaml") == "acme/web:1.4.0")
        #expect(world.host.head("review/images")?.id == world.host.head("main")?.id)
    }

    @Test(arguments: [
        ("    push: {refspec: 'refs/heads/main:refs/for/main'}\n", "", "'refs/heads/main:refs/for/main' is not obeyed"),
        ("    push: {refspec: 'refs/heads/x:refs/heads/y'}\n", "", "'x' is not the branch that is committed to"),
        ("    push: {options: {merge_request.create: ''}}\n", "", "git.push.options are not obeyed"),
        ("", "      signingKey: {secretRef: {name: key}}\n", "git.commit.signingKey is not obeyed"),
    ]) func `what is not obeyed is named`(git: String, commit: String, words: String) async throws {
        let world = try await Self.world(Flux.automation(git: git, commit: commit))
        let report = await world.cycle()
        #expect(world.marked("apps/web.yaml") == "acme/web:1.4.0")
        #expect(World.reasons(report, "clusters/images.yaml").contains(words))
    }

    @Test func `the agent's policies answer markers whose policy is not in the repository`() async throws {
        let world = try await World.flux([
            "web.yaml": Flux.workload("web", marker: "flux-system:elsewhere"),
            "values.yaml": """
            image:
              repository: acme/web # {"$imagepolicy": "flux-system:elsewhere:name"}
              tag: 1.0.0 # {"$imagepolicy": "flux-system:elsewhere:tag"}
            other: 1.0.0 # {"$imagepolicy": "flux-system:third:tag"}

            """,
        ])
        let location = try RepositoryLocation("acme/web")
        world.repository.policies = [.init(image: location, policy: "semver:1.x")]
        let report = await world.cycle()
        #expect(world.marked("web.yaml") == "acme/web:1.4.0")
        #expect(world.host.text("values.yaml")?.contains("tag: 1.4.0") == true)
        #expect(world.host.text("values.yaml")?.contains("other: 1.0.0") == true)
        #expect(World.reasons(report, "values.yaml:4").contains("flux-system:third, which is not in the repository"))
    }

    @Test(arguments: ["", "Never", "IfNotPresent", "Always"])
    func `a digest with a place of its own is never emptied`(reflection: String) async throws {
        let old = "sha256:" + String(repeating: "1", count: 64)
        let world = try await World.flux([
            "images.yaml": Flux.repository() + Flux.policy(reflection: reflection),
            "values.yaml": """
            tag: 1.0.0 # {"$imagepolicy": "flux-system:web:tag"}
            digest: \(old) # {"$imagepolicy": "flux-system:web:digest"}

            """,
        ])
        _ = await world.cycle()
        let digest = try #require(world.registry.record("acme/web", "1.4.0")?.digest)
        #expect(world.host.text("values.yaml")?.contains("digest: \(digest) #") == true)
        #expect(world.host.text("values.yaml")?.contains("tag: 1.4.0 #") == true)
    }

    @Test(arguments: [
        "kind: Rollout\nspec:\n  template:\n    spec:\n      containers:\n        - name: a\n          image: VALUE\n",
        "kind: Task\nspec:\n  steps:\n    - name: run\n      image: VALUE\n",
        "kind: CronWorkflow\nspec:\n  workflowSpec:\n    templates:\n      - container:\n          image: VALUE\n",
        "kind: Cluster\nspec:\n  imageName: VALUE\n",
        "data:\n  list:\n    - VALUE\n",
    ]) func `markers know no kinds`(object: String) async throws {
        let text = object.replacing("VALUE", with: #"acme/web:1.0.0 # {"$imagepolicy": "flux-system:web"}"#)
        let world = try await Self.world(Flux.automation(), ["work/object.yaml": text])
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        #expect(world.host.text("work/object.yaml") == text.replacing("1.0.0", with: "1.4.0"))
    }
}
