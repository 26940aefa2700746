import Agent
import AgentFakes
import RegistryPoller
import TestSupport
import Testing

/// What Keel's words in values files, labels and annotations ask for.
@Suite(.tags(.unit)) struct KeelTests {
    private static func world(_ text: String, at path: String = "charts/web/values.yaml") async throws -> World {
        try await World.flux([path: text])
    }

    private static func values(_ keel: String, image: String = "  repository: acme/web\n  tag: 1.0.0") -> String {
        "replicas: 1\nimage:\n\(image)\nkeel:\n\(keel)"
    }

    private static let images = "  images:\n    - {repository: image.repository, tag: image.tag}\n"

    @Test(arguments: [
        ("patch", "1.0.5"), ("minor", "1.4.0"), ("all", "2.0.0"), ("'glob:1.0.*'", "1.0.5"), ("never", "1.0.0"),
    ])
    func `a values file's section follows its paths`(policy: String, tag: String) async throws {
        let text = Self.values("  policy: \(policy)\n" + Self.images)
        let world = try await Self.world(text)
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        #expect(world.host.text("charts/web/values.yaml") == text.replacing("tag: 1.0.0", with: "tag: \(tag)"))
        #expect(report.updates.allSatisfy { $0.workload == "default:chart/web" })
    }

    @Test func `an image without a tag path is the whole reference`() async throws {
        let text = "keel:\n  policy: minor\n  images: [{repository: web.image}]\nweb: {image: 'acme/web:1.0.0'}\n"
        let world = try await Self.world(text, at: "values-prod.yaml")
        _ = await world.cycle()
        #expect(world.host.text("values-prod.yaml") == text.replacing("1.0.0", with: "1.4.0"))
    }

    @Test(arguments: ["sha256:" + String(repeating: "1", count: 64), "\"\""])
    func `a digest path gets the digest of the tag`(old: String) async throws {
        let text = Self.values(
            "  policy: force\n  matchTag: true\n  images:\n"
                + "    - {repository: image.repository, tag: image.tag, digest: image.digest}\n",
            image: "  repository: acme/web\n  tag: 1.4.0\n  digest: \(old)")
        let world = try await Self.world(text)
        _ = await world.cycle()
        let digest = try #require(world.registry.record("acme/web", "1.4.0")?.digest)
        let written = world.host.text("charts/web/values.yaml")
        #expect(written?.contains("digest: \(digest)") == true || written?.contains("digest: \"\(digest)\"") == true)
        #expect(written?.contains("tag: 1.4.0\n") == true)
    }

    @Test(arguments: [
        ("  trigger: poll\n" + images, "no policy"),
        ("  policy: all\n  approvals: 1\n" + images, "waits for approval"),
        ("  policy: all\n  matchTag: \"true\"\n" + images, "'matchTag' has to be true or false"),
        ("  policy: all\n  match-tag: true\n" + images, "write 'matchTag'"),
        ("  policy: all\n", "names no images"),
        ("  policy: all\n  images: [{tag: image.tag}]\n", "has no repository"),
        (
            "  policy: all\n  images: [{repository: image.name, tag: image.tag}]\n",
            "'image.name', which is not in this file"
        ),
        (
            "  policy: all\n  images: [{repository: image.repository, tag: image.version}]\n",
            "'image.version', which is not in this file"
        ),
        (
            "  policy: all\n  images: [{repository: image.repository, tag: image.tag, digest: image.digest}]\n",
            "wants a digest at 'image.digest'"
        ),
        ("  policy: mayor\n" + images, "mayor"),
    ]) func `what is not followed is named`(keel: String, words: String) async throws {
        let text = Self.values(keel)
        let world = try await Self.world(text)
        let report = await world.cycle()
        #expect(world.host.text("charts/web/values.yaml") == text)
        let said = report.decisions.map(\.reason) + report.failures.map(\.message)
        #expect(said.contains { $0.contains(words) })
    }

    private static func workload(_ metadata: String, template: String = "", kind: String = "Deployment") -> String {
        """
        apiVersion: apps/v1
        kind: \(kind)
        metadata: {name: web, \(metadata)}
        spec:
          template:
            metadata: {\(template)}
            spec:
              initContainers: [{name: init, image: 'acme/web:1.0.0'}]
              containers: [{name: web, image: 'acme/web:1.0.0'}]

        """
    }

    @Test(arguments: [
        // The policy and the match are asked for in one place, the rest in Keel's own order.
        ("annotations: {keel.sh/policy: minor}, labels: {keel.sh/policy: all}", "1.4.0"),
        ("annotations: {keel.observer/policy: minor}", "1.4.0"),
        ("annotations: {keel.sh/policy: never}, labels: {keel.sh/policy: all}", "1.0.0"),
        ("labels: {keel.sh/policy: minor}, annotations: {keel.sh/approvals: '2'}", "1.0.0"),
        ("annotations: {keel.sh/policy: minor, keel.sh/approvals: '0'}, labels: {keel.sh/approvals: '1'}", "1.0.0"),
        ("annotations: {keel.sh/policy: minor}, labels: {keel.sh/MonitorContainers: db}", "1.0.0"),
        (
            "annotations: {keel.sh/policy: minor, keel.sh/monitorcontainers: web}, labels: {keel.sh/monitorContainers: db}",
            "1.4.0"
        ),
    ]) func `options are looked up as Keel does`(metadata: String, tag: String) async throws {
        let world = try await World.flux(["web.yaml": Self.workload(metadata)])
        _ = await world.cycle()
        #expect(world.host.text("web.yaml")?.contains("name: web, image: 'acme/web:\(tag)'") == true)
        #expect(world.host.text("web.yaml")?.contains("name: init, image: 'acme/web:1.0.0'") == true)
    }

    @Test(arguments: ["annotations", "labels"])
    func `a policy of the pod template does nothing, and that is said`(place: String) async throws {
        let world = try await World.flux([
            "web.yaml": Self.workload("labels: {app: web}", template: "\(place): {keel.sh/policy: all}")
        ])
        let report = await world.cycle()
        #expect(report.commit == nil)
        #expect(World.reasons(report, "web.yaml").contains("keel.sh/policy stands in the \(place) of the pod template"))
    }
}
