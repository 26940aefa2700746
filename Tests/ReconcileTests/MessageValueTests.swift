import Agent
import AgentFakes
import OCI
import RegistryPoller
import Template
import TestSupport
import Testing

/// What templates of commit messages see, as Flux fills it.
@Suite(.tags(.unit)) struct MessageValueTests {
    private static let objects = """
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImageRepository
        metadata: {name: web, namespace: shop}
        spec: {image: acme/web}
        ---
        apiVersion: image.toolkit.fluxcd.io/v1
        kind: ImagePolicy
        metadata: {name: web, namespace: shop}
        spec: {imageRepositoryRef: {name: web}, digestReflectionPolicy: Always, policy: {semver: {range: 1.x}}}

        """

    private static let values = """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: versions, namespace: shop}
        data:
          tag: "" # {"$imagepolicy": "shop:web:tag"}
          none: ~ # {"$imagepolicy": "shop:web:tag"}
          name: acme/web # {"$imagepolicy": "shop:web:name"}
          digest: sha256:0000000000000000000000000000000000000000000000000000000000000000 # {"$imagepolicy": "shop:web:digest"}
          image: acme/web:1.0.0 # {"$imagepolicy": "shop:web"}

        """

    @Test(arguments: [
        (
            "{{ range .Changed.Changes }}[{{ .OldValue }}>{{ .NewValue }}>{{ .Setter }}]{{ end }}",
            "[>1.1.0>shop:web:tag][>1.1.0>shop:web:tag][sha256:\(zeros)>DIGEST>shop:web:digest][acme/web:1.0.0>acme/web:1.1.0@DIGEST>shop:web]"
        ),
        (
            "{{ range $file, $x := .Updated.Files }}{{ $file }}{{ range $object, $images := $x.Objects }} {{ $object.Kind }}/{{ $object.Name }}{{ range $images }} {{ . }}{{ end }}{{ end }};{{ end }}",
            "deploy/web.yaml ConfigMap/versions acme/web:1.1.0@DIGEST;"
        ),
        (
            "{{ range .Updated.Objects }}{{ range . }}{{ .Repository }}|{{ .Identifier }}{{ end }}{{ end }}",
            "acme/web|1.1.0"
        ),
        (
            "{{ range .AppChanges }}[{{ .Image }} {{ .OldTag }} {{ .NewTag }}]{{ end }}",
            "[acme/web  1.1.0][acme/web 1.0.0 1.1.0][acme/web sha256:\(zeros) 1.1.0]"
        ),
    ])
    func `digests, empty values and the objects of files`(template: String, message: String) async throws {
        let world = try await World()
        world.git.commit.message = try Template(template, name: "message")
        world.registry.push("acme/web", "1.1.0")
        world.host.commit(["flux.yaml": Self.objects, "deploy/web.yaml": Self.values])
        let report = await world.cycle()
        #expect(report.failures.isEmpty, "\(report.failures)")
        let digest = try #require(world.registry.record("acme/web", "1.1.0")?.digest)
        let subject = report.message?.split(separator: "\n").first.map(String.init)
        #expect(subject == message.replacing("DIGEST", with: digest.description))
    }

    private static let zeros = String(repeating: "0", count: 64)
}
