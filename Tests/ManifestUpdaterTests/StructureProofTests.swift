import ManifestUpdater
import TestSupport
import Testing
import YAML

/// Pairs and items that come and go, in surroundings written in every way that YAML allows: what is written is what was
/// meant, or it is refused with a reason. The proof of the result never has to step in.
@Suite(.tags(.unit))
struct StructureProofTests {
    static let application = WorkloadID(namespace: "argocd", kind: "Application", name: "web")

    /// Everything that adds, fills, appends or removes.
    static func updates(_ bytes: [UInt8]) -> [FileUpdate] {
        var results: [FileUpdate] = []
        let forms: [ArgoPlace.Form] = [
            .helm(name: "image.name", tag: "n"), .helmSpec("image"), .kustomize(original: "web"),
        ]
        let holders: [ArgoPlace.Holder] = [
            .overrides, .application(application, source: .single), .application(application, source: .item(0)),
            .kustomization,
        ]
        for holder in holders {
            for form in forms {
                if holder == .kustomization, case .helm = form { continue }
                let place = ArgoPlace(file: "f", holder: holder, form: form, application: application, image: "web")
                results.append(
                    ManifestUpdater.update(bytes, file: "f", places: [(place, WrittenReference("web:1.10"))]))
            }
        }
        let workloads = Set(ManifestScan.containers(file: "f.yaml", bytes: bytes).0.map(\.workload.description))
        if !workloads.isEmpty {
            for policies in [
                PolicyUpdate(add: ["automated": "true", "tag.app": "semver:~1"]),
                PolicyUpdate(remove: ["automated", "locked"]), PolicyUpdate(tagAll: "glob:v*"),
            ] {
                results.append(ManifestUpdater.update(bytes, file: "f.yaml", policies: policies, of: workloads))
            }
        }
        for (tag, digest) in [("1.10", nil), (nil, "sha256:ab")] {
            var request = UpdateRequest()
            request.kustomizeImages = [.init(name: "web", newName: "a/b", newTag: tag, digest: digest)]
            request.kustomizeAdditions = [0: "kustomization.yaml"]
            results.append(ManifestUpdater.update(bytes, file: "kustomization.yaml", request: request))
        }
        return results
    }

    static func isProofFailure(_ skip: ManifestSkip) -> Bool {
        skip.reason.contains("would alter") || skip.reason.contains("would not be YAML")
    }

    /// What stands under `source:`, or at the top of a file of overrides.
    static let shapes = [
        "?\n  path\n:\n  a: b\n", "? path\n: a: b\n", "?\n  path\n: x\n", "? a\n? b\n", "? a\n", "? &x a\n", "a: &x\n",
        "a: &x\n\n", "a: !t\n", "a:\n# c\n", "a:\n\n\n# c\n", "a: |\n  x\n", "a: |+\n  x\n\n\n", "a: |\n  x", "a: |-\n",
        "a: |", "a: >+\n\n", "{}", "{}\n", "{a: }\n", "{a}\n", "{a: &x }\n", "{a: !t }\n", "{&x a}\n", "{? a}\n",
        "{? }\n",
        "{a: b,}\n", "{a: b , }\n", "{a: b # c\n}\n", "{\n}\n", "{ # c\n}\n", "{\"a\":b}\n", "{\"a\"}\n", "{'a': }\n",
        "{a: *x}\n", "a: b\n...\n", "a: b\n---\nc: d\n", "a: b # c\n# d\n", "a: b", "a: b\r", "a: b\rc: d\r",
        "a: b\n\t\n",
        "a:\n- b\n", "a:\n  - b\n", "a:\n- |\n x\n", "a:\n-\n", "a:\n- \n\n", "a: 'x\n  y'\n", "a: x\n  y\n",
        "a: \"x\\\n  y\"\n",
        "'a': b\n", "\"a\": b\n", "&k a: b\n", "!k a: b\n", "&m\na: b\n", "!m\na: b\n", "a: b\u{85}c: d\n",
        "a: b\u{2028}",
        "a: [x,\ny]\n", "a: {x: y\n}\n", "a: {x: y}   \n", "<<: {helm: ~}\n", "<<: {helm: {parameters: ~}}\n",
        "helm:\n", "helm: # c\n", "helm: ~\n", "helm: {}\n", "helm: &h\n", "helm: !h\n", "helm: []\n", "helm: x\n",
        "helm:\n  parameters:\n", "helm:\n  parameters: []\n", "helm:\n  parameters: [ ]\n", "helm:\n  a: b\n",
        "helm: {a: b}\n",
        "helm: {parameters: }\n", "helm: {parameters}\n", "{helm: }\n", "{helm}\n", "{helm: ~}\n", "{\nhelm: }\n",
        "{\nhelm:\n}\n", "{\"helm\":}\n", "{helm:,a: b}\n", "? helm\n",
        "? helm\n:\n",
        "? helm\n: ~\n", "?\n  helm\n:\n", "*k :\n", "helm: ~\nhelm:\n  a: b\n", "helm:\n  a: b\nhelm:\n",
        "\"helm\":\n",
        "helm:\n  parameters:\n  - name: x\n", "helm:\n  parameters:\n  - x: |\n      y\n",
        "helm:\n  parameters:\n  -\n",
        "helm:\n  parameters:\n  - - x\n", "helm:\n  parameters:\n    - &a x\n",
        "helm:\n  parameters:\n  - # c\n    x: y\n",
        "helm:\n  parameters: &p\n  - x\n", "helm:\n  parameters: [x: y]\n", "helm:\n  parameters: [x,]\n",
        "helm:\n  parameters: [x # c\n  ]\n", "helm:\n  parameters: [? x]\n", "helm:\n  parameters: [&x , ]\n",
        "helm:\n  parameters: [x: ]\n", "helm:\n  parameters: [x: y,]\n", "helm:\n  parameters: [[]]\n",
        "kustomize:\n  images:\n  - x\n", "kustomize:\n  images: [x]\n", "kustomize: {images: [\"x\"]}\n",
        "images:\n", "images: []\n", "images:\n- name: x\n", "images:\n- name: web\n",
        "images:\n- name: web\n  newTag: 1\n",
        "images:\n- {name: web}\n", "images: [name: web]\n", "images: [{name: web, newTag: }]\n",
        "images:\n- ? name\n  : web\n",
        "images:\n- newTag: x\n  name: web\n", "images:\n- newTag: x\n  newName: y\n  name: web\n",
        "images:\n-\n  name: web\n",
        "images:\n- name: web\n  digest: x\n", "images:\n- - name: web\n", "images:\n- name: web # c\n# d\n  # e\n",
        "images:\n- digest: x # c\n  name: web\n", "images:\n- name: web\n  newName: |\n    x\n",
        "images:\n- ?\n    name\n  : web\n",
        "images:\n- name: web\n  newTag: |\n    x\n  newName: y\n", "images: [{\"name\":\"web\",\"newTag\":\"1\"}]\n",
    ]

    /// What stands under `annotations:`.
    static let annotations = [
        "fluxcd.io/automated: 'false'\n", "a: b\n", "{}\n", "{a: b}\n", "? fluxcd.io/automated\n: x\n", "~\n", "\n",
        "# c\n",
        "? fluxcd.io/automated\n: x\n? a\n: b\n", "?\n  fluxcd.io/automated\n: x\na: b\n",
        "? a\n: b\nfluxcd.io/locked: 'true'\n",
        "? |-\n  fluxcd.io/automated\n: x\na: b\n", "fluxcd.io/locked: |\n  x\na: b\n",
        "a: |\n  x\nfluxcd.io/locked: |\n  x\n",
        "fluxcd.io/automated:\n", "fluxcd.io/automated: # c\na: b\n", "fluxcd.io/automated: &x t\na: *x\n",
        "fluxcd.io/automated: !!bool true\n", "fluxcd.io/automated: {a: b}\n", "fluxcd.io/automated:\n- a\n",
        "{fluxcd.io/automated: x, fluxcd.io/locked: y}\n", "{a: b, fluxcd.io/locked: y,}\n",
        "{fluxcd.io/locked: y, a: b}\n",
        "{fluxcd.io/locked: y, ? a : b}\n", "{? fluxcd.io/locked : y, a: b}\n", "{a: b, ? fluxcd.io/locked}\n",
        "{? fluxcd.io/locked}\n",
        "{fluxcd.io/automated, a}\n", "{\"fluxcd.io/automated\":\"x\",\"a\":\"b\"}\n",
        "{fluxcd.io/locked: y # c\n  , a: b}\n",
        "fluxcd.io/automated: x\nfluxcd.io/automated: y\n", "flux.weave.works/automated: x\nfluxcd.io/automated: y\n",
        "fluxcd.io/automated: 'x\n  y'\n", "fluxcd.io/automated: x\n  y\n", "<<: {fluxcd.io/locked: 'true'}\n",
        "\"fluxcd.io/automated\" : x\n", "fluxcd.io/locked: x # c\n# d\n", "# c\nfluxcd.io/locked: x\n# d\na: b\n",
        "fluxcd.io/locked: |+\n  x\n\n\na: b\n", "fluxcd.io/locked: x\n\n\n", "&x fluxcd.io/locked: x\n",
        "&x\nfluxcd.io/locked: x\n",
        "!t\nfluxcd.io/locked: x\n", "[]\n", "x\n", "*a\n",
    ]

    static func indented(_ shape: String, by indent: String) -> String {
        shape.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : indent + $0 }
            .joined(separator: "\n")
    }

    static func texts(_ shape: String) -> [String] {
        let head = "kind: Application\nmetadata: {name: web, namespace: argocd}\n"
        return [
            shape, head + "spec:\n  source:\n" + indented(shape, by: "    "),
            head + "spec:\n  sources:\n  - " + indented(shape, by: "    ").dropFirst(4) + "\n  - x: y\n",
            "x: &k helm\ny: &x [1]\n" + head + "spec: {source: " + shape + " }\n",
        ]
    }

    static func pods(_ shape: String) -> [String] {
        let tail = "spec:\n  containers:\n  - name: app\n    image: a:v1\n"
        let all = "kind: Pod\nmetadata:\n  name: p\n  annotations:\n" + indented(shape, by: "    ")
        return [
            all, tail + all, all + tail, tail + all + "  x: y\n",
            tail + "kind: Pod\nmetadata: {name: p, annotations: " + shape + " }\n",
            tail + "kind: Pod\nmetadata:\n  annotations:\n" + indented(shape, by: "      ") + "  name: p\n",
        ]
    }

    private func check(_ text: [UInt8]) -> Bool {
        var isProved = true
        for update in Self.updates(text) {
            let reasons = update.skipped.filter(Self.isProofFailure).map(\.reason)
            #expect(reasons == [], "\(String(decoding: text, as: UTF8.self).debugDescription)")
            #expect((update.bytes == nil) == update.changes.isEmpty)
            if !reasons.isEmpty { isProved = false }
        }
        return isProved
    }

    /// A tag, the digest that it replaces, a name: all of an image's values are written, or none.
    @Test func anImageIsNeverWrittenInHalf() {
        var request = UpdateRequest()
        request.kustomizeImages = [.init(name: "web", newName: "a/b", newTag: nil, digest: "sha256:ab")]
        for text in [
            "images:\n- newTag: v1 # c\n  name: web\n", "images:\n- ? newTag\n  : v1\n  name: web\n  newName: x\n",
            "images:\n- name: web\n  newName: x\n    y\n  newTag: v1\n",
        ] {
            let update = ManifestUpdater.update(Array(text.utf8), file: "kustomization.yaml", request: request)
            #expect(update.bytes == nil && update.changes == [] && !update.skipped.isEmpty, "\(update)")
        }
        let places = ["web", "api"].map { name in
            ArgoPlace(
                file: "f", holder: .values, form: .helm(name: "\(name).name", tag: "\(name).tag"),
                application: Self.application, image: name)
        }
        let values = "web:\n  name: a\n  tag: v1\n    x\napi:\n  name: a\n  tag: v1\n"
        let update = ManifestUpdater.update(
            Array(values.utf8), file: "f", places: places.map { ($0, WrittenReference("b:v2")) })
        #expect(
            update.bytes.map { String(decoding: $0, as: UTF8.self) }
                == "web:\n  name: a\n  tag: v1\n    x\napi:\n  name: b\n  tag: v2\n")
        #expect(update.skipped.count == 2)
        let pod = "kind: Pod\nmetadata:\n  name: p\n  annotations:\n    ? fluxcd.io/automated\n    : - x\n"
        let policies = ManifestUpdater.update(
            Array((pod + "spec: {}\n").utf8), file: "f", policies: PolicyUpdate(add: ["automated": "true"]),
            of: ["default:pod/p"])
        #expect(policies.bytes == nil && !policies.skipped.isEmpty)
    }

    /// Two images that would share a parameter, two tags for one entry: neither is written. The same twice is once.
    @Test(arguments: [
        "", "helm: {}\n", "helm:\n  parameters:\n  - name: x\n    value: y\n", "images:\n- name: web\n  newTag: v0\n",
    ])
    func contradictionsAreLeft(_ text: String) {
        func update(_ form: ArgoPlace.Form, _ holder: ArgoPlace.Holder, _ images: [String]) -> FileUpdate {
            let place = ArgoPlace(
                file: "kustomization.yaml", holder: holder, form: form, application: Self.application, image: "web")
            return ManifestUpdater.update(
                Array(text.utf8), file: "kustomization.yaml", places: images.map { (place, WrittenReference($0)) })
        }
        let digest = "web@sha256:" + String(repeating: "ab", count: 32)
        for (form, holder) in [
            (.helm(name: "image.name", tag: "image.tag"), .overrides), (.kustomize(original: "web"), .overrides),
            (.kustomize(original: "web"), .kustomization),
        ] as [(ArgoPlace.Form, ArgoPlace.Holder)] where holder == .overrides || !text.isEmpty {
            for images in [["web:v1", "web:v2"], ["web:v1", digest]] {
                let result = update(form, holder, images)
                #expect(result.bytes == nil && !result.skipped.isEmpty, "\(result)")
                #expect(!result.skipped.contains(where: Self.isProofFailure))
            }
            let twice = update(form, holder, ["web:v2", "web:v2"])
            #expect(twice.bytes == update(form, holder, ["web:v2"]).bytes && twice.bytes != nil && twice.skipped == [])
        }
    }

    @Test func whatIsWrittenIsWhatWasMeant() {
        let texts = Self.shapes.flatMap(Self.texts) + Self.annotations.flatMap(Self.pods)
        for (index, text) in texts.enumerated() {
            _ = check(Variant.allCases[index % 5].apply(to: Array(text.utf8)))
        }
    }

    /// The same with a few signs changed, moved or said again.
    @Test func whatIsWrittenIsWhatWasMeantInMutatedTexts() {
        var generator = SplitMix(state: Self.seed)
        let texts = Self.shapes.flatMap(Self.texts) + Self.annotations.flatMap(Self.pods)
        let signs = Array(" \n\n:-#'\"&*!|>[]{},?\t\\a~".utf8)
        var failures = 0
        for text in texts {
            for _ in 0..<Self.rounds {
                var bytes = Array(text.utf8)
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    let index = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0..<4, using: &generator) {
                    case 0: bytes[index] = signs.randomElement(using: &generator) ?? 0x20
                    case 1: if bytes.count > 1 { bytes.remove(at: index) }
                    case 2:
                        let end = min(bytes.count, index + Int.random(in: 1...20, using: &generator))
                        bytes.insert(
                            contentsOf: bytes[index..<end], at: Int.random(in: 0..<bytes.count, using: &generator))
                    default: bytes.insert(signs.randomElement(using: &generator) ?? 0x20, at: index)
                    }
                }
                if !check(bytes) { failures += 1 }
                if failures > 20 { return }
            }
        }
    }

    static let seed: UInt64 = 7
    static let rounds = 2
}
