import ManifestUpdater
import TestSupport
import Testing

/// Two that want different values in one place: only that value waits, and each of the refused is named.
@Suite(.tags(.unit)) struct ContradictionTests {
    private static func pods(_ count: Int) -> String {
        (0..<count).map { number in
            """
            kind: Pod
            metadata: {name: p\(number), annotations: {fluxcd.io/automated: "true"}}
            spec: {containers: [{name: c, image: "acme/web:v1"}]}

            """
        }.joined(separator: "---\n")
    }

    @Test func `every other edit of the file is carried out`() throws {
        let text = Self.pods(4)
        let targets = ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).targets
        var edits = targets.map { ManifestEdit(target: $0, newImage: "acme/web:v2") }
        edits.insert(ManifestEdit(target: targets[1], newImage: "acme/web:v3"), at: 3)
        let edited = ManifestUpdater.update(Array(text.utf8), file: "f.yaml", edits: edits)
        #expect(edited.refused == [1, 3])
        #expect(edited.update.changes.map(\.object) == ["default:pod/p0", "default:pod/p2", "default:pod/p3"])
        #expect(edited.update.skipped.map(\.object) == ["default:pod/p1", "default:pod/p1"])
        #expect(
            edited.update.skipped.allSatisfy { $0.reason.contains("'acme/web:v2' and 'acme/web:v3'") && $0.line == 7 },
            "\(edited.update.skipped)")
        let lines = String(decoding: try #require(edited.update.bytes), as: UTF8.self).split(separator: "\n")
        #expect(lines.filter { $0.contains("acme/web:v2") }.count == 3 && lines[6].contains("acme/web:v1"))
    }

    @Test func `what shares a value and is not asked for holds up that value only`() throws {
        let text = """
            x: &i acme/web:v1
            ---
            kind: Pod
            metadata: {name: a, annotations: {fluxcd.io/automated: "true"}}
            spec: {containers: [{name: c, image: &j "acme/web:v1"}, {name: d, image: *j}, {name: e, image: "acme/db:v1"}]}

            """
        let targets = ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).targets
        let edits = targets.filter { $0.container != "d" }.map {
            ManifestEdit(target: $0, newImage: $0.image.with(tag: "v2"))
        }
        let edited = ManifestUpdater.update(Array(text.utf8), file: "f.yaml", edits: edits)
        #expect(edited.refused == [0])
        #expect(edited.update.changes.map(\.container) == ["e"])
        #expect(edited.update.skipped.first?.reason.contains("default:pod/a container d") == true)
    }

    @Test func `requests of one command are refused one by one`() throws {
        let text = Self.pods(2) + "---\nimage: acme/web:v1 # {\"$imagepolicy\": \"a:b\"}\n"
        var request = UpdateRequest()
        request.resolved[.init(namespace: "a", name: "b")] = WrittenReference("acme/web:v9")
        request.workloads = [("p0", "v2"), ("p1", "v2"), ("p1", "v3")].map { name, tag in
            .init(
                workload: WorkloadID(namespace: "default", kind: "pod", name: name), container: "c",
                image: "acme/web:\(tag)")
        }
        let update = ManifestUpdater.update(Array(text.utf8), file: "f.yaml", request: request)
        #expect(update.changes.map(\.new) == ["acme/web:v2", "acme/web:v9"])
        #expect(update.skipped.map(\.object) == ["default:pod/p1", "default:pod/p1"], "\(update.skipped)")
    }

    @Test func `three that want three values are all named`() throws {
        let text = Self.pods(1)
        let target = try #require(ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).targets.first)
        let edits = ["v2", "v3", "v2"].map { ManifestEdit(target: target, newImage: "acme/web:\($0)") }
        let edited = ManifestUpdater.update(Array(text.utf8), file: "f.yaml", edits: edits)
        #expect(edited.refused == [0, 1, 2] && edited.update.bytes == nil && edited.update.skipped.count == 3)
    }

    // MARK: Argo CD's places beside others

    private static let kustomization = """
        metadata: {name: all, annotations: {slipway.dev/automated: "true"}}
        images:
        - name: web
          newName: acme/web
          newTag: v1 # web
        - name: api
          newName: acme/api
          newTag: v1 # {"$imagepolicy": "a:api:tag"}
        - name: db
          newName: acme/db
          newTag: v1

        """

    /// Edits of the annotated and marked entries, and of an Application's, by the entries' names.
    private static func edits(scanned: [String: String], argo: [(String, String)]) -> [ManifestEdit] {
        let bytes = Array(kustomization.utf8)
        let targets = ManifestScan.scan(file: "kustomization.yaml", bytes: bytes).targets
        let found = scanned.sorted { $0.key < $1.key }.compactMap { name, tag -> ManifestEdit? in
            let same = targets.filter { $0.container == name }
            return (same.first(where: \.isMarker) ?? same.first)
                .map { ManifestEdit(target: $0, newImage: "acme/\(name):\(tag)") }
        }
        return found
            + argo.map { name, tag in
                let place = ArgoPlace(
                    file: "kustomization.yaml", holder: .kustomization, form: .kustomize(original: name),
                    application: WorkloadID(namespace: "argocd", kind: "Application", name: "site"), image: name)
                return ManifestEdit(
                    place: .argo(place, old: ManifestUpdater.image(at: place, in: bytes)),
                    newImage: "acme/\(name):\(tag)")
            }
    }

    @Test func `an annotation or a marker and an Application contradict each other in their value only`() throws {
        let edits = Self.edits(
            scanned: ["web": "v2", "api": "v2"], argo: [("web", "v3"), ("api", "v3"), ("db", "v2")])
        let edited = ManifestUpdater.update(Array(Self.kustomization.utf8), file: "kustomization.yaml", edits: edits)
        #expect(edited.refused == [0, 1, 2, 3] && edited.contradictions.keys.sorted() == [0, 1, 2, 3])
        #expect(edited.update.changes.map(\.container) == ["db"])
        let reasons = edited.update.skipped.map { "\($0.object) \($0.container): \($0.reason)" }
        #expect(reasons.count == 4)
        for (asker, tag) in [("default:kustomization/all container web", "v2"), ("policy a:api", "v2")] {
            let image = asker.hasSuffix("web") ? "web" : "api"
            let words =
                "\(asker) and argocd:application/site image \(image) want different values: '\(tag)' and 'v3'"
            #expect(reasons.count { $0.contains(words) } == 2, "\(words) is not in \(reasons)")
        }
    }

    @Test func `two that want the same are both carried out`() throws {
        let edits = Self.edits(scanned: ["web": "v2"], argo: [("web", "v2"), ("web", "v2")])
        let edited = ManifestUpdater.update(Array(Self.kustomization.utf8), file: "kustomization.yaml", edits: edits)
        #expect(edited.refused.isEmpty && edited.found == [5, 5, 5], "\(edited)")
        let text = String(decoding: try #require(edited.update.bytes), as: UTF8.self)
        #expect(text == Self.kustomization.replacing("v1 # web", with: "v2 # web"))
    }

    @Test func `several Applications that want different things of one entry are all named`() throws {
        let edits = Self.edits(scanned: [:], argo: [("web", "v2"), ("db", "v2"), ("web", "v3")])
        let edited = ManifestUpdater.update(Array(Self.kustomization.utf8), file: "kustomization.yaml", edits: edits)
        #expect(edited.refused == [0, 2] && edited.update.changes.map(\.container) == ["db"], "\(edited)")
        #expect(edited.update.skipped.contains { $0.container == "web" && $0.object == "argocd:application/site" })
    }

    @Test func `a value that one wants and another takes away stays`() throws {
        let text =
            "images:\n- name: web\n  newTag: v1\n  digest: sha256:ab # {\"$imagepolicy\": \"a:web:digest\"}\n"
            + "- name: db\n  newTag: v1\n"
        var request = UpdateRequest()
        request.resolved[.init(namespace: "a", name: "web")] = WrittenReference("acme/web:v2@sha256:cd")
        request.kustomizeImages = [
            .init(name: "web", newName: nil, newTag: "v2", digest: nil),
            .init(name: "db", newName: nil, newTag: "v2", digest: nil),
        ]
        let update = ManifestUpdater.update(Array(text.utf8), file: "kustomization.yaml", request: request)
        #expect(update.changes.map(\.container) == ["db"], "\(update)")
        #expect(
            update.skipped.contains { $0.reason.contains("policy a:web:digest wants 'sha256:cd', and kustomize web") })
    }
}
