import ManifestUpdater
import TestSupport
import Testing
import YAML

/// `slipway update` on one file: what a request writes, byte for byte, and what it says of the rest.
@Suite(.tags(.unit))
struct UpdateTests {
    private func update(_ text: String, file: String = "f.yaml", _ edit: (inout UpdateRequest) -> Void) -> FileUpdate {
        var request = UpdateRequest()
        edit(&request)
        return ManifestUpdater.update(Array(text.utf8), file: file, request: request)
    }

    private func text(_ update: FileUpdate) -> String? { update.bytes.map { String(decoding: $0, as: UTF8.self) } }

    private static let digest = "sha256:" + String(repeating: "ab", count: 32)

    @Test func markersAreAnswered() throws {
        let old = """
            kind: Deployment
            metadata: {name: web, namespace: shop}
            spec:
              template:
                spec:
                  containers:
                  - name: app
                    image: acme/web:v1 # {"$imagepolicy": "shop:web"}
                  - name: side
                    image: "acme/side:v1"  # {"$imagepolicy": "shop:side"}
            ---
            name: 'acme/web'   # {"$imagepolicy": "shop:web:name"}
            tag: 1.0   # {"$imagepolicy": "shop:web:tag"}
            digest: ""	# {"$imagepolicy": "shop:web:digest"}

            """
        let result = update(old) {
            $0.resolved[.init(namespace: "shop", name: "web")] = WrittenReference("ghcr.io/a/web:1.10@\(Self.digest)")
        }
        #expect(
            text(result)
                == old.replacing("acme/web:v1", with: "ghcr.io/a/web:1.10@\(Self.digest)")
                .replacing("'acme/web'", with: "'ghcr.io/a/web'").replacing("tag: 1.0", with: "tag: \"1.10\"")
                .replacing("digest: \"\"", with: "digest: \"\(Self.digest)\""))
        let first = try #require(result.changes.first)
        #expect(first.object == "shop:deployment/web" && first.container == "app")
        #expect(first.line == 8 && first.old == "acme/web:v1" && first.setter == "policy shop:web")
        #expect(result.changes.map(\.new).suffix(3) == ["ghcr.io/a/web", "1.10", Self.digest])
        #expect(result.skipped.map(\.reason) == ["the image policy shop:side of its marker is not resolved"])
        #expect(result.skipped.first?.container == "side" && result.skipped.first?.line == 10)
    }

    @Test(arguments: ["\n", "\r\n"])
    func nothingElseMoves(_ lineBreak: String) {
        let old =
            "\u{FEFF}%YAML 1.1\n---\n# é\na: { b: \"v1\", # {\"$imagepolicy\": \"a:b:tag\"}\n     c: &x [1, 2] }\nd: *x\n...\n"
            .replacing("\n", with: lineBreak).dropLast(lineBreak.count)
        let result = update(String(old)) { $0.resolved[.init(namespace: "a", name: "b")] = WrittenReference("x:v2") }
        #expect(text(result) == String(old).replacing("\"v1\"", with: "\"v2\""))
        #expect(result.skipped == [])
    }

    /// To libyaml the block text ends with the separator, and a key follows.
    @Test(arguments: ["\u{85}", "\u{2028}", "\u{2029}"])
    func blockTextsWithRareLineBreaksAreRefused(_ lineBreak: String) {
        let result = update("b: > # {\"$imagepolicy\": \"a:b\"}\n  x:v1\(lineBreak)c: d\n") {
            $0.resolved[.init(namespace: "a", name: "b")] = WrittenReference("x:v2")
        }
        #expect(result.bytes == nil)
        #expect(result.skipped.first?.reason.contains("line break that editors do not show") == true)
    }

    @Test func anAnswerThatIsThereAlreadyChangesNothing() {
        let result = update("a: x:v2 # {\"$imagepolicy\": \"a:b\"}\n") {
            $0.resolved[.init(namespace: "a", name: "b")] = WrittenReference("x:v2")
        }
        #expect(result.bytes == nil && result.changes == [] && result.skipped == [] && result.met == ["a:b"])
    }

    @Test(arguments: [
        "a: b # see {\"$imagepolicy\": \"a:b\"}", "a: b # {\"$imagepolicy\": \"a:b:Tag\"}",
        "a: # {\"$imagepolicy\": \"a:b\"}\n  b: c",
        "a: {b: c} # {\"$imagepolicy\": \"a:b\"}", "# {\"$imagepolicy\": \"a:b\"}\na: b",
        "a: # {\"$imagepolicy\": \"a:b\"}", "a: |\n  b # {\"$imagepolicy\": \"a:b\"}",
        "a: &x b\nc: *x # {\"$imagepolicy\": \"a:b\"}",
        "a: b # {\"$imagepolicy\": \"a:b\"} {\"$imagepolicy\": \"a:b\"}",
    ])
    func markersThatDoNothingAreTold(_ old: String) {
        let result = update(old) { $0.resolved[.init(namespace: "a", name: "b")] = WrittenReference("x:v2") }
        #expect(result.bytes == nil)
        #expect(!result.skipped.isEmpty, "\(result)")
        #expect(result.skipped.allSatisfy { $0.reason.hasPrefix("the marker does nothing") })
    }

    @Test func fluxLooksAtItsOwnFilesOnly() {
        for (file, isLookedAt) in [("a.yaml", true), ("a.yml", true), ("x/Kustomization", true), ("a.json", false)] {
            let result = update("a: x:v1 # {\"$imagepolicy\": \"a:b\"}\n", file: file) {
                $0.resolved[.init(namespace: "a", name: "b")] = WrittenReference("x:v2")
            }
            #expect((result.bytes != nil) == isLookedAt, "\(file)")
        }
    }

    // MARK: Workloads

    private static let workload = """
        kind: KIND
        metadata: {name: web, annotations: {ANNOTATIONS}}
        spec: {containers: [{name: app, image: 'acme/web:v1'}, {name: side, image: acme/side}], initContainers: [{name: init, image: a}]}

        """

    private static let pod = WorkloadID(namespace: "default", kind: "pod", name: "web")

    private func set(
        _ text: String, _ container: String?, _ image: String, of id: WorkloadID = Self.pod, force: Bool = false
    ) -> FileUpdate {
        update(text) {
            $0.workloads = [.init(workload: id, container: container, image: WrittenReference(image))]
            $0.force = force
        }
    }

    @Test func oneContainerIsSet() {
        let old = Self.workload.replacing("KIND", with: "Pod").replacing("ANNOTATIONS", with: "")
        #expect(text(set(old, "app", "acme/web:v2")) == old.replacing("acme/web:v1", with: "acme/web:v2"))
        #expect(text(set(old, "side", "q.io/s:v2")) == old.replacing("acme/side", with: "q.io/s:v2"))
        #expect(
            text(set(old, "init", "b:1@\(Self.digest)"))
                == old.replacing("image: a}", with: "image: b:1@\(Self.digest)}"))
        #expect(
            set(old, "nope", "b").skipped.first?.reason == "container(s) not found: nope; there are app, init, side")
        #expect(set(old, nil, "b").skipped.first?.reason.contains("several containers") == true)
        let other = set(old, "app", "b", of: WorkloadID(namespace: "prod", kind: "pod", name: "web"))
        #expect(other.bytes == nil && other.met == [])
    }

    @Test(arguments: [("locked", "locked"), ("ignore", "ignored")])
    func locksAreKept(_ policy: String, _ reason: String) {
        let old = Self.workload.replacing("KIND", with: "Pod").replacing(
            "ANNOTATIONS", with: "fluxcd.io/\(policy): 'true'")
        let result = set(old, "app", "acme/web:v2")
        #expect(result.bytes == nil)
        #expect(result.skipped.first?.reason.hasPrefix(reason) == true)
        #expect(set(old, "app", "acme/web:v2", force: true).bytes != nil)
    }

    @Test(arguments: ["{{ .Values.image }}", "${IMAGE}", "$(REGISTRY)/web", "<your image>", ""])
    func placeholdersAreKept(_ placeholder: String) {
        for annotations in ["", "fluxcd.io/automated: 'true'"] {
            let old = Self.workload.replacing("KIND", with: "Pod").replacing("ANNOTATIONS", with: annotations)
                .replacing("acme/web:v1", with: placeholder)
            let result = set(old, "app", "acme/web:v2")
            #expect(result.bytes == nil)
            #expect(result.skipped.first?.reason.contains("--force writes it all the same") == true)
            #expect(text(set(old, "app", "b:v2", force: true)) == old.replacing("'\(placeholder)'", with: "'b:v2'"))
        }
    }

    @Test func helmReleasesAreSetInTheirParts() {
        let id = WorkloadID(namespace: "default", kind: "helmrelease", name: "web")
        let old = """
            kind: HelmRelease
            metadata: {name: web}
            spec:
              values:
                image: {registry: quay.io, repository: acme/web, tag: "1.0"} # c
                side:
                  image: acme/side
                  tag: v1
                one: {image: "acme/one:v1"}

            """
        #expect(
            text(set(old, "chart-image", "quay.io/acme/web:1.1", of: id)) == old.replacing("\"1.0\"", with: "\"1.1\""))
        #expect(
            text(set(old, "chart-image", "ghcr.io/b/web:1.1", of: id))
                == old.replacing(
                    "registry: quay.io, repository: acme/web, tag: \"1.0\"",
                    with: "registry: ghcr.io, repository: b/web, tag: \"1.1\""))
        #expect(
            text(set(old, "side", "q/side:v2", of: id))
                == old.replacing("acme/side", with: "q/side").replacing("tag: v1", with: "tag: v2"))
        #expect(text(set(old, "one", "acme/one:v2", of: id)) == old.replacing("one:v1", with: "one:v2"))
    }

    @Test func anAliasIsNotEditedThrough() {
        let old =
            "x: &i acme/web:v1\n---\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: &i acme/web:v1}, {name: b, image: *i}]}\n"
        let result = set(old, "app", "acme/web:v2")
        #expect(result.bytes == nil)
        #expect(result.skipped.first?.reason.contains("shared, by an anchor, with default:pod/web container b") == true)
    }

    // MARK: Kustomize

    @Test(
        arguments: [
            (
                "acme/web", nil, "v2", nil, "images:\n- name: acme/web # c\n  newTag: v1\n",
                "images:\n- name: acme/web # c\n  newTag: v2\n"
            ),
            (
                "acme/web", "q.io/web", "v2", nil, "images:\n  - name: acme/web\n    newName: old\n    newTag: '1'\n",
                "images:\n  - name: acme/web\n    newName: q.io/web\n    newTag: 'v2'\n"
            ),
            (
                "acme/web", "q.io/web", "1.10", nil, "images:\r\n- newTag: v1\r\n  name: acme/web",
                "images:\r\n- newTag: \"1.10\"\r\n  name: acme/web\r\n  newName: q.io/web"
            ),
            (
                "acme/web", nil, nil, "D", "images:\n- name: acme/web\n  newTag: v1 # c\n- name: b\n",
                "images:\n- name: acme/web\n  digest: D\n- name: b\n"
            ),
            (
                "acme/web", nil, "v2", nil, "images: [{name: acme/web, digest: 'sha256:aa'}]\n",
                "images: [{name: acme/web, newTag: v2}]\n"
            ),
            (
                "acme/web", nil, "v2", "D", "images:\n- digest: 'sha256:aa'\n  name: acme/web\n",
                "images:\n- digest: 'D'\n  name: acme/web\n  newTag: v2\n"
            ),
        ] as [(String, String?, String?, String?, String, String)])
    func kustomizations(
        _ name: String, _ newName: String?, _ tag: String?, _ digest: String?, _ old: String, _ new: String
    ) {
        let result = update(old, file: "x/kustomization.yaml") {
            $0.kustomizeImages = [
                .init(name: name, newName: newName, newTag: tag, digest: digest.map { _ in Self.digest })
            ]
        }
        #expect(text(result) == new.replacing("D", with: Self.digest), "\(result.skipped)")
    }

    @Test(arguments: [
        ("resources: [a]\n", "resources: [a]\nimages:\n- name: acme/web\n  newTag: v2\n"),
        (
            "images:\n  - name: b\n    newTag: v1",
            "images:\n  - name: b\n    newTag: v1\n  - name: acme/web\n    newTag: v2"
        ),
        ("images:\nnamespace: x\n", "images:\n  - name: acme/web\n    newTag: v2\nnamespace: x\n"),
        ("images: []\n", "images: [{name: acme/web, newTag: v2}]\n"),
    ])
    func newEntries(_ old: String, _ new: String) {
        let result = update(old, file: "kustomization.yaml") {
            $0.kustomizeImages = [.init(name: "acme/web", newName: "acme/web", newTag: "v2", digest: nil)]
            $0.kustomizeAdditions = [0: "kustomization.yaml"]
        }
        #expect(text(result) == new, "\(result.skipped)")
    }

    // MARK: Helm

    @Test(arguments: [
        ("image.tag", "image:\n  tag: v1 # c\n", "image:\n  tag: v2 # c\n"),
        ("image.tag", "image.tag: v1\nimage: {tag: v0}\n", "image.tag: v2\nimage: {tag: v0}\n"),
        ("a[1].image", "a: [{image: x}, {image: 'y'}]\n", "a: [{image: x}, {image: 'v2'}]\n"),
        ("a\\.b.c", "a.b:\n  c: 1\n", "a.b:\n  c: v2\n"),
    ])
    func helmValues(_ path: String, _ old: String, _ new: String) throws {
        let path = try #require(ValuePath(path))
        let result = update(old, file: "charts/values.yaml") { $0.helmValues = [.init(path: path, text: "v2")] }
        #expect(text(result) == new, "\(result.skipped)")
        #expect(update(old, file: "other.yaml") { $0.helmValues = [.init(path: path, text: "v2")] }.bytes == nil)
    }

    @Test(arguments: ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a[0]b", "a\\"])
    func pathsThatAreNone(_ text: String) { #expect(ValuePath(text) == nil) }

    @Test func sharedHelmValuesAreRefused() throws {
        let path = try #require(ValuePath("a.tag"))
        let old = "a: &a {tag: v1}\nb: *a\n"
        let result = update(old, file: "values.yaml") { $0.helmValues = [.init(path: path, text: "v2")] }
        #expect(result.bytes == nil)
        #expect(result.skipped.first?.reason.contains("shared, by the anchor 'a', with line 2") == true)
        let both = update(old, file: "values.yaml") {
            $0.helmValues = [.init(path: path, text: "v2"), .init(path: ValuePath("b.tag") ?? path, text: "v2")]
        }
        #expect(text(both) == "a: &a {tag: v2}\nb: *a\n")
    }

    /// What every user of an anchor is meant to say is written at the anchor; where it is defined by convention, nobody reads it.
    @Test(arguments: [
        ("x-tag: &t v1\nweb: {tag: *t}\n", ["web.tag"], true),
        ("x-tag: &t v1\nweb: {tag: *t}\napi: {tag: *t}\n", ["web.tag"], false),
        ("x-tag: &t v1\nweb: {tag: *t}\napi: {tag: *t}\n", ["web.tag", "api.tag"], true),
        (".base: &b {tag: v1}\nweb: {<<: *b}\n", ["web.tag"], true),
        ("_b: &b {tag: v1}\nweb: *b\napi: *b\n", ["web.tag", "api.tag"], true),
        ("base: &b {tag: v1}\nweb: {<<: *b}\n", ["web.tag"], false),
        ("base: &b {tag: v1}\nweb: {<<: *b}\n", ["web.tag", "base.tag"], true),
        ("x-a: &a {tag: v1}\nx-b: &b {image: *a}\nweb: *b\napi: *a\n", ["web.image.tag"], false),
    ])
    func anchorsOfHelmValues(_ old: String, _ paths: [String], _ isWritten: Bool) throws {
        let values = try paths.map { UpdateRequest.HelmValue(path: try #require(ValuePath($0)), text: "v2") }
        let result = update(old, file: "values.yaml") { $0.helmValues = values }
        #expect(text(result) == (isWritten ? old.replacing("v1", with: "v2") : nil))
        #expect(result.skipped.isEmpty == isWritten, "\(result.skipped)")
    }

    /// `NAME=NEW:*` and `NAME=NEW@*`, as `kustomize edit set image` has them.
    @Test(
        arguments: [
            ("{name: a, newTag: v1}", .tag, "{name: a, newTag: v1, newName: b}"),
            ("{name: a, newName: x, newTag: v1, digest: 'sha256:00'}", .tag, "{name: a, newName: b, newTag: v1}"),
            ("{name: a, newTag: v1, digest: 'sha256:00'}", .digest, "{name: a, digest: 'sha256:00', newName: b}"),
            ("{name: a, newTag: v1}", .digest, nil), ("{name: a, digest: 'sha256:00'}", .tag, nil),
            ("{name: a, newTag: ~}", .tag, nil),
        ] as [(String, UpdateRequest.KustomizeImage.Kept, String?)])
    func partsOfKustomizeEntriesAreKept(_ old: String, _ kept: UpdateRequest.KustomizeImage.Kept, _ new: String?) {
        var wanted = UpdateRequest.KustomizeImage(name: "a", newName: "b", newTag: nil, digest: nil)
        wanted.kept = kept
        let result = update("images: [\(old)]\n", file: "kustomization.yaml") { $0.kustomizeImages = [wanted] }
        #expect(text(result) == new.map { "images: [\($0)]\n" })
        #expect(result.skipped.isEmpty == (new != nil))
        if new == nil { #expect(result.skipped.first?.reason.contains("to keep") == true) }
    }

    @Test func contradictionsAreRefusedAlone() throws {
        let path = try #require(ValuePath("a"))
        let other = try #require(ValuePath("b"))
        let result = update("a: v1\nb: v1\n", file: "values.yaml") {
            $0.helmValues = [
                .init(path: path, text: "v2"), .init(path: path, text: "v3"), .init(path: other, text: "v4"),
            ]
        }
        #expect(text(result) == "a: v1\nb: v4\n")
        #expect(result.skipped.count == 1 || result.skipped.count == 2)
        #expect(result.skipped.first?.reason.contains("want different values") == true)
    }
}
