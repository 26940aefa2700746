import Agent
import AgentFakes
import ManifestUpdater
import OCI
import Registry
import RegistryPoller
import Synchronization
import TestSupport
import Testing

/// Kinds that run pods and are none of Kubernetes' own, and custom resources with images elsewhere.
@Suite(.tags(.unit)) struct OtherKindTests {
    private static func object(
        _ kind: String, _ annotations: String, apiVersion: String = "example.com/v1", spec: String? = nil
    ) -> String {
        """
        apiVersion: \(apiVersion)
        kind: \(kind)
        metadata:
          name: web
          annotations: {\(annotations)}
        spec:
        \(spec ?? "  template:\n    spec:\n      containers:\n        - name: app\n          image: acme/web:1.0.0")

        """
    }

    private static let ours = "slipway.dev/automated: 'true', slipway.dev/tag.app: semver:1.x"

    private func updated(_ text: String, _ more: [String: String] = [:]) async throws -> (text: String?, said: String) {
        let world = try await World.flux(["web.yaml": text].merging(more) { _, new in new })
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        return (
            world.host.text("web.yaml"), report.decisions.map { "\($0.subject): \($0.reason)" }.joined(separator: "\n")
        )
    }

    @Test(arguments: ["Rollout", "CloneSet", "Service", "DeploymentConfig", "Configuration", "Anything"])
    func `Slipway's annotations count for whatever has a pod template`(kind: String) async throws {
        let text = Self.object(kind, Self.ours)
        #expect(try await updated(text).text == text.replacing("1.0.0", with: "1.4.0"))
    }

    @Test func `Knative's container needs no name`() async throws {
        let text = Self.object(
            "Service", "slipway.dev/automated: 'true', slipway.dev/tag.web: semver:1.x",
            apiVersion: "serving.knative.dev/v1",
            spec: "  template:\n    spec:\n      containers:\n        - image: acme/web:1.0.0")
        #expect(try await updated(text).text == text.replacing("1.0.0", with: "1.4.0"))
    }

    @Test(arguments: [
        ("fluxcd.io/automated: 'true'", "Flux v1 knows no Rollout"), ("keel.sh/policy: all", "Keel knows no Rollout"),
    ]) func `those of tools that do not know the kind are named`(annotation: String, words: String) async throws {
        let text = Self.object("Rollout", annotation)
        let (after, said) = try await updated(text)
        #expect(after == text)
        #expect(said.contains(words) && said.contains("slipway.dev/automated"))
    }

    @Test(arguments: [
        ("Task", "  steps:\n    - {name: app, image: 'acme/web:1.0.0'}"),
        ("Rollout", "  workloadRef: {kind: Deployment, name: x}"),
    ]) func `an annotated kind in which no image is found is named`(kind: String, spec: String) async throws {
        let text = Self.object(kind, Self.ours, spec: spec)
        let (after, said) = try await updated(text)
        #expect(after == text)
        #expect(said.contains("a \(kind) has no image at spec.template.spec.containers"))
    }

    @Test(arguments: [
        (
            "DeploymentConfig", ours,
            "  triggers:\n    - type: ImageChange\n      imageChangeParams: {automatic: true, containerNames: [app]}\n",
            "an image trigger of OpenShift writes it (web.yaml:8:"
        ),
        (
            "Deployment",
            ours
                + #", image.openshift.io/triggers: '[{"from": {"kind": "ImageStreamTag", "name": "web:1"}, "fieldPath": "spec.template.spec.containers[?(@.name==\"app\")].image"}]'"#,
            "", "image.openshift.io/triggers lets OpenShift write it"
        ),
    ]) func `what the cluster writes is left to it`(kind: String, annotations: String, triggers: String, words: String)
        async throws
    {
        let spec =
            triggers + "  template:\n    spec:\n      containers:\n        - name: app\n          image: acme/web:1.0.0"
        let text = Self.object(kind, annotations, spec: spec)
        let (after, said) = try await updated(text)
        #expect(after == text)
        #expect(said.contains(words))
        // A trigger that rests leaves the field to git.
        let resting = text.replacing("automatic: true", with: "automatic: false")
            .replacing(#"image"}]'"#, with: #"image", "paused": "true"}]'"#)
        #expect(try await updated(resting).text == resting.replacing("1.0.0", with: "1.4.0"))
    }

    // MARK: images in .slipway.yaml

    private static let task = object(
        "Task", "slipway.dev/automated: 'true', slipway.dev/tag.app: semver:1.x, slipway.dev/tag.lint: semver:1.0.x",
        apiVersion: "tekton.dev/v1",
        spec: """
              steps:
                - {name: app, image: 'acme/web:1.0.0'}
                - {name: lint, image: 'acme/web:1.0.0'}
            """)

    @Test(arguments: [
        "[{kind: Task, paths: ['spec.steps[].image']}]",
        "[{kind: Task, apiVersion: tekton.dev, paths: ['spec.steps[0].image', 'spec.steps[1].image']}]",
        "[{kind: Task, apiVersion: tekton.dev/v1, paths: ['spec.sidecars[].image', 'spec.steps[].image']}]",
    ]) func `paths of custom resources are followed`(images: String) async throws {
        let (after, _) = try await updated(Self.task, [".slipway.yaml": "images: \(images)\n"])
        #expect(after?.contains("name: app, image: 'acme/web:1.4.0'") == true)
        #expect(after?.contains("name: lint, image: 'acme/web:1.0.5'") == true)
    }

    @Test(arguments: [
        ("[{kind: Task, apiVersion: tekton, paths: ['spec.steps[].image']}]", "a Task has no image at"),
        ("[{kind: Task, paths: ['spec.step[].image']}]", "there is nothing at spec.step[].image"),
        ("[{kind: Task, paths: ['spec.steps[x].image']}]", "'spec.steps[x].image' is not a path"),
    ]) func `paths that lead nowhere are named`(images: String, words: String) async throws {
        let world = try await World.flux(["web.yaml": Self.task, ".slipway.yaml": "images: \(images)\n"])
        let report = await world.cycle()
        #expect(world.host.text("web.yaml") == Self.task)
        #expect((report.decisions.map(\.reason) + report.failures.map(\.message)).contains { $0.contains(words) })
    }

    @Test func `new paths count for files that did not change`() async throws {
        let world = try await World.flux(["web.yaml": Self.task])
        let reconciler = world.reconciler()
        _ = await reconciler.cycle(.complete) { _ in }
        #expect(world.host.text("web.yaml") == Self.task)
        world.host.commit([".slipway.yaml": "images: [{kind: Task, paths: ['spec.steps[].image']}]\n"])
        _ = await reconciler.cycle(.complete) { _ in }
        #expect(world.host.text("web.yaml")?.contains("acme/web:1.4.0") == true)
    }

    @Test func `a file with images alone says nothing of builds`() async throws {
        let world = try await World.flux([".slipway.yaml": "images: []\n"])
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        #expect(report.reason("builds")?.contains("describes none") == true)
    }

    // MARK: Commands

    private static let commandFiles = [
        "web.yaml": object(
            "Task", "owner: shop", apiVersion: "tekton.dev/v1",
            spec: "  steps:\n    - {name: app, image: 'acme/web:1.0.0'}\n    - {name: lint, image: 'acme/lint:1.0.0'}"),
        ".slipway.yaml": "images: [{kind: Task, apiVersion: tekton.dev, paths: ['spec.steps[].image']}]\n",
    ]

    private func workloads(_ files: [String: String]) async throws -> (world: World, workloads: RepositoryWorkloads) {
        let world = try await World.flux(files)
        let poller = RegistryPoller { (location: RepositoryLocation) throws(RegistryError) in
            throw RegistryError(.unavailable, "no registry is asked here", place: location.familiar)
        }
        return (world, RepositoryWorkloads(editor: world.editor(), poller: poller))
    }

    @Test func `lists have the images of custom resources, annotated or not`() async throws {
        let (_, workloads) = try await workloads(Self.commandFiles)
        let found = try await workloads.list { Issue.record("\($0)") }
        #expect(found.map(\.id) == ["default:task/web"])
        #expect(found.first?.containers.map(\.name) == ["app", "lint"])
        #expect(found.first?.containers.map(\.image) == ["acme/web:1.0.0", "acme/lint:1.0.0"])
    }

    @Test func `a file of the repository that cannot be read is named by lists`() async throws {
        let (_, workloads) = try await workloads(
            Self.commandFiles.merging([".slipway.yaml": "images: [{kind: Task, paths: ['spec.steps[x].image']}]\n"]) {
                $1
            })
        let notes = Mutex<[String]>([])
        #expect(try await workloads.list { note in notes.withLock { $0.append(note) } }.isEmpty)
        #expect(notes.withLock { $0 }.contains { $0.contains("'spec.steps[x].image' is not a path") })
    }

    @Test func `policies of custom resources are set, and the cycle obeys them`() async throws {
        let (world, workloads) = try await workloads(Self.commandFiles)
        let order = PolicyOrder(
            PolicyUpdate(add: ["automated": "true", "tag.app": "semver:1.x", "tag.lint": "glob:none"]),
            workloads: ["default:task/web"])
        let answer = try await workloads.edit(EditRequest(repository: "", policies: order)) { Issue.record("\($0)") }
        #expect(answer.workloads.map(\.status) == ["success"])
        let text = try #require(world.host.text("web.yaml"))
        #expect(text.contains("slipway.dev/automated: \"true\"") && text.contains("slipway.dev/tag.lint: glob:none"))
        _ = await world.cycle()
        #expect(world.host.text("web.yaml")?.contains("{name: app, image: 'acme/web:1.4.0'}") == true)
        let all = PolicyOrder(PolicyUpdate(tagAll: "semver:1.0.x"), workloads: ["default:task/web"])
        _ = try await workloads.edit(EditRequest(repository: "", policies: all)) { Issue.record("\($0)") }
        let after = try #require(world.host.text("web.yaml"))
        #expect(after.contains("tag.app: semver:1.0.x") && after.contains("tag.lint: semver:1.0.x"))
    }

    @Test func `a kind with a pod template gets the word that counts there`() async throws {
        let (world, workloads) = try await workloads(["web.yaml": Self.object("Rollout", "fluxcd.io/automated: 'true'")]
        )
        let order = PolicyOrder(
            PolicyUpdate(add: ["automated": "true", "tag.app": "semver:1.x"]), workloads: ["default:rollout/web"])
        let answer = try await workloads.edit(EditRequest(repository: "", policies: order)) { Issue.record("\($0)") }
        #expect(answer.workloads.map(\.status) == ["success"])
        _ = await world.cycle()
        #expect(world.host.text("web.yaml")?.contains("image: acme/web:1.4.0") == true)
    }

    @Test func `a release gives custom resources their image`() async throws {
        let world = try await World.flux(Self.commandFiles)
        let release = Release(
            selection: .exactly(WrittenReference("acme/web:1.4.0"), digest: nil), named: ["default:task/web"],
            excluded: [],
            force: false)
        let outcome = try await world.edit(verb: "release") { release.update($1, file: $0, rules: $2) }
        #expect(outcome.changes.map(\.new) == ["acme/web:1.4.0"])
        #expect(world.host.text("web.yaml")?.contains("{name: app, image: 'acme/web:1.4.0'}") == true)
        #expect(world.host.text("web.yaml")?.contains("acme/lint:1.0.0") == true)
    }
}
