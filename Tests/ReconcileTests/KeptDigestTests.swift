import Agent
import AgentFakes
import ManifestUpdater
import OCI
import TestSupport
import Testing

/// A reference that has a digest keeps having one, in every dialect; only Flux v2's `Never` drops it, where a policy says it, or an
/// automation has a policy that says nothing. A digest that has a place of its own is never emptied.
@Suite(.tags(.unit)) struct KeptDigestTests {
    static let old = "sha256:" + String(repeating: "1", count: 64)
    static let new = ArgoCase.digest("acme/web:1.4.0")

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let path: String
        /// With `OLD` for the tag and the digest in use, `NEW` for those that come.
        let text: String
        var more: [String: String] = [:]
        /// What stands there afterwards, where it is no digest.
        var plain: (old: String, new: String)?
        var policies: [String: String] = [:]
    }

    private static func deployment(_ annotations: String) -> String {
        """
        kind: Deployment
        apiVersion: apps/v1
        metadata: {name: web, annotations: {\(annotations)}}
        spec: {template: {spec: {containers: [{name: app, image: 'acme/web:1.0.0@DIGEST'}]}}}

        """
    }

    private static func marked(_ automation: Bool, _ reflection: String) -> [String: String] {
        [
            "clusters/images.yaml": Flux.source() + Flux.repository() + Flux.policy(reflection: reflection)
                + (automation ? Flux.automation() : "")
        ]
    }

    private static let parts = """
        tag: 1.0.0 # {"$imagepolicy": "flux-system:web:tag"}
        digest: DIGEST # {"$imagepolicy": "flux-system:web:digest"}

        """

    private static func argo(_ target: String, _ more: [String] = []) -> [String: String] {
        [
            "cd/site.yaml": ArgoCase.application(
                "site", path: "live",
                annotations: ["image-list: app=acme/web:1.x", "write-back-method: git", "write-back-target: \(target)"]
                    + more)
        ]
    }

    static let cases: [Case] = {
        var cases = [
            Case(
                testDescription: "our own annotations", path: "web.yaml",
                text: deployment("slipway.dev/automated: 'true', slipway.dev/tag.app: semver:1.x")),
            Case(
                testDescription: "Flux v1's annotations", path: "web.yaml",
                text: deployment("fluxcd.io/automated: 'true', fluxcd.io/tag.app: semver:1.x")),
            Case(testDescription: "Keel's", path: "web.yaml", text: deployment("keel.sh/policy: minor")),
            Case(
                testDescription: "an annotated kustomization", path: "kustomization.yaml",
                text: """
                    metadata: {annotations: {slipway.dev/automated: "true", slipway.dev/tag.web: "semver:1.x"}}
                    images: [{name: web, newName: acme/web, newTag: 1.0.0, digest: 'DIGEST'}]

                    """),
            Case(
                testDescription: "a HelmRelease's tag", path: "web.yaml",
                text: """
                    kind: HelmRelease
                    apiVersion: helm.fluxcd.io/v1
                    metadata: {name: web, annotations: {fluxcd.io/automated: "true", fluxcd.io/tag.chart-image: "semver:1.x"}}
                    spec: {values: {image: {repository: acme/web, tag: '1.0.0@DIGEST'}}}

                    """),
            Case(
                testDescription: "Argo CD's kustomization", path: "live/kustomization.yaml",
                text: "images: [{name: acme/web, newTag: 1.0.0, digest: 'DIGEST'}]\n", more: argo("kustomization")),
            Case(
                testDescription: "Argo CD's values", path: "live/values.yaml",
                text: "image: {name: acme/web, tag: '1.0.0@DIGEST'}\n",
                more: argo(
                    "helmvalues:values.yaml", ["app.helm.image-name: image.name", "app.helm.image-tag: image.tag"]
                )
                .merging(["live/Chart.yaml": "name: live\n"]) { $1 }),
            Case(
                testDescription: "a marker that the agent's own policies answer", path: "web.yaml",
                text: "image: acme/web:1.0.0@DIGEST # {\"$imagepolicy\": \"flux-system:gone\"}\n",
                policies: ["acme/web": "semver:1.x"]),
            Case(
                testDescription: "the parts that the agent's own policies answer", path: "web.yaml",
                text: """
                    name: acme/web # {"$imagepolicy": "flux-system:gone:name"}
                    tag: 1.0.0 # {"$imagepolicy": "flux-system:gone:tag"}
                    digest: DIGEST # {"$imagepolicy": "flux-system:gone:digest"}

                    """, policies: ["acme/web": "semver:1.x"]),
        ]
        for automation in [false, true] {
            let by = automation ? "an automation" : "no automation"
            for reflection in ["", "Never", "IfNotPresent", "Always"] {
                cases.append(
                    Case(
                        testDescription: "a :digest marker, \(by), '\(reflection)'", path: "values.yaml", text: parts,
                        more: marked(automation, reflection)))
                var plain = Case(
                    testDescription: "a plain marker, \(by), '\(reflection)'", path: "web.yaml",
                    text: "image: acme/web:1.0.0@DIGEST # {\"$imagepolicy\": \"flux-system:web\"}\n",
                    more: marked(automation, reflection))
                if automation && reflection.isEmpty || reflection == "Never" {
                    plain.plain = ("acme/web:1.0.0@\(old)", "acme/web:1.4.0")
                }
                cases.append(plain)
            }
        }
        return cases
    }()

    @Test(arguments: cases, [CycleMode.plan, .complete])
    func `a new tag brings its own digest`(_ example: Case, _ mode: CycleMode) async throws {
        let text = example.text.replacing("DIGEST", with: Self.old)
        let world = try await World.flux([example.path: text].merging(example.more) { $1 })
        for (image, policy) in example.policies {
            world.repository.policies.append(
                AgentConfiguration.PolicyOverride(image: try RepositoryLocation(image), policy: policy))
        }
        let report = await world.cycle(mode)
        let words = ArgoCase.words(of: report)
        let want =
            example.plain.map { text.replacing($0.old, with: $0.new) }
            ?? example.text.replacing("1.0.0", with: "1.4.0").replacing("DIGEST", with: Self.new)
        #expect(world.host.text(example.path) == (mode == .plan ? text : want), "\(words)")
        // A plan says the very values.
        #expect(
            report.updates.allSatisfy { !$0.new.isEmpty && !$0.new.hasSuffix("@") } && !report.updates.isEmpty,
            "\(words)")
    }

    // MARK: update

    private func updated(_ text: String, file: String = "web.yaml", _ request: UpdateRequest) -> (String, [String]) {
        let update = ManifestUpdater.update(Array(text.utf8), file: file, request: request)
        return (update.bytes.map { String(decoding: $0, as: UTF8.self) } ?? text, update.skipped.map(\.reason))
    }

    @Test(arguments: [
        ("digest: \(old)", "digest", "acme/web:2.0.0", "has no digest"),
        ("tag: 1.0.0", "tag", "acme/web@\(old)", "has no tag"),
    ])
    func `update leaves a marked part that the given image does not have`(
        value: String, part: String, image: String, reason: String
    ) {
        let text =
            "\(value) # {\"$imagepolicy\": \"a:web:\(part)\"}\nname: acme/api # {\"$imagepolicy\": \"a:web:name\"}\n"
        var request = UpdateRequest()
        request.resolved[.init(namespace: "a", name: "web")] = WrittenReference(image)
        let (after, reasons) = updated(text, request)
        #expect(after == text.replacing("acme/api", with: "acme/web"))
        #expect(reasons.count == 1 && reasons[0].contains(reason), "\(reasons)")
    }

    @Test(arguments: [(false, false), (false, true), (true, false)])
    func `update holds a pinned workload for which no digest is given`(isForced: Bool, hasDigest: Bool) {
        let text = Self.deployment("").replacing("DIGEST", with: Self.old)
        let image = "acme/web:1.4.0" + (hasDigest ? "@\(Self.new)" : "")
        var request = UpdateRequest()
        request.force = isForced
        request.workloads = [
            .init(
                workload: WorkloadID(namespace: "default", kind: "deployment", name: "web"), container: nil,
                image: WrittenReference(image))
        ]
        let (after, reasons) = updated(text, request)
        let isWritten = isForced || hasDigest
        #expect(after == (isWritten ? text.replacing("acme/web:1.0.0@\(Self.old)", with: image) : text))
        #expect(
            isWritten
                ? reasons.isEmpty : reasons.contains { $0.contains("pinned to a digest") && $0.contains("--force") })
    }
}
