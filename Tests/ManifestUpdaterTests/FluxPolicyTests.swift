import ManifestUpdater
import TestSupport
import Testing

@Suite(.tags(.unit))
struct FluxPolicyTests {
    private func target(_ annotations: String) throws -> ImageTarget {
        let text = """
            # fluxcd.io
            kind: Deployment
            metadata:
              name: web
              annotations: {\(annotations)}
            spec: {template: {spec: {containers: [{name: app, image: acme/web:v1}]}}}
            """
        return try #require(ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).targets.first)
    }

    @Test(arguments: [
        ("", false), ("fluxcd.io/automated: 'true'", true), ("fluxcd.io/automated: true", true),
        ("fluxcd.io/automated: 'True'", false), ("fluxcd.io/automated: 'false'", false),
        ("fluxcd.io/automated: ''", false),
        ("flux.weave.works/automated: 'true'", true), ("slipway.dev/automated: 'true'", true),
        ("flux.weave.works/automated: 'true', fluxcd.io/automated: 'false'", false),
        ("fluxcd.io/automated: 'true', fluxcd.io/locked: 'true'", false),
        ("fluxcd.io/automated: 'true', fluxcd.io/locked: 'yes'", true),
        ("fluxcd.io/automated: 'true', flux.weave.works/locked: 'true'", false),
        ("fluxcd.io/automated: 'true', fluxcd.io/ignore: 'true'", false),
        ("fluxcd.io/automated: 'true', fluxcd.io/ignore: sync_only", true),
        ("other.io/automated: 'true'", false),
    ])
    func activity(_ annotations: String, _ isActive: Bool) throws {
        #expect((try target(annotations).held == nil) == isActive)
    }

    @Test(
        arguments: [
            ("fluxcd.io/automated: 'true'", nil), ("fluxcd.io/tag.app: 'semver:~1'", "semver:~1"),
            ("flux.weave.works/tag.app: 'glob:v*'", "glob:v*"), ("filter.fluxcd.io/app: 'regexp:^v'", "regexp:^v"),
            ("fluxcd.io/tag.other: 'semver:~1'", nil), ("flux.weave.works/tag.app: a, fluxcd.io/tag.app: b", "b"),
            ("filter.fluxcd.io/app: a, fluxcd.io/tag.app: b", "b"),
        ] as [(String, String?)])
    func filters(_ annotations: String, _ policy: String?) throws {
        #expect(try target(annotations).policy == policy)
    }

    @Test(
        arguments: [
            ("nginx", "nginx", nil, nil), ("nginx:1", "nginx", "1", nil),
            ("localhost:5000/a", "localhost:5000/a", nil, nil),
            ("localhost:5000/a:1", "localhost:5000/a", "1", nil), ("a@sha256:ff", "a", nil, "sha256:ff"),
            ("h:1/a/b:2@sha256:ff", "h:1/a/b", "2", "sha256:ff"), ("", "", nil, nil), ("a:", "a", "", nil),
        ] as [(String, String, String?, String?)])
    func imageTexts(_ text: String, _ name: String, _ tag: String?, _ digest: String?) {
        let image = WrittenReference(text)
        #expect(image == WrittenReference(name: name, tag: tag, digest: digest))
        #expect(image.description == text)
    }

    @Test func tagsAreTransplanted() {
        #expect(WrittenReference("nginx").with(tag: "2") == "nginx:2")
        #expect(WrittenReference("h:5000/nginx").with(tag: "2") == "h:5000/nginx:2")
        #expect(
            WrittenReference("index.docker.io/library/nginx:1").with(tag: "2") == "index.docker.io/library/nginx:2")
        #expect(WrittenReference("a:1@sha256:ff").with(tag: "2") == "a:2")
        #expect(WrittenReference("a:1@sha256:ff").with(tag: "2", digest: "sha256:ee") == "a:2@sha256:ee")
    }

    /// A person's edit elsewhere in the file moves a place and does not make it another one.
    @Test func placesAreFoundAgain() throws {
        let pod = """
            kind: Pod
            metadata: {name: p, annotations: {fluxcd.io/automated: "true"}}
            spec: {containers: [{name: c, image: a:v1}]}

            """
        func targets(_ text: String) -> [ImageTarget] {
            ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).targets
        }
        let twice = targets(pod + "---\n" + pod)
        try #require(twice.count == 2)
        #expect(!twice[0].isSamePlace(as: twice[1]))
        let moved = targets("# a comment\n---\nkind: Service\n---\n" + pod.replacing("v1", with: "v3") + "---\n" + pod)
        try #require(moved.count == 2)
        #expect(moved[0].isSamePlace(as: twice[0]) && moved[1].isSamePlace(as: twice[1]))
        #expect(!targets(pod.replacing("name: p", with: "name: q"))[0].isSamePlace(as: twice[0]))
    }

    @Test func messagesReadAsFluxWroteThem() {
        #expect(CommitMessage.automated(images: ["nginx:v4"]) == "Auto-release nginx:v4")
        #expect(CommitMessage.automated(images: ["b:1", "b:1"]) == "Auto-release b:1")
        #expect(
            CommitMessage.automated(images: ["b:1", "a:2", "quay.io/c:3"])
                == "Auto-release multiple (3) images\n\n - a:2\n - b:1\n - quay.io/c:3\n")
    }
}
