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
            ManifestEdit(target: $0, newImage: ImageText.replacingTag(of: $0.image, by: "v2"))
        }
        let edited = ManifestUpdater.update(Array(text.utf8), file: "f.yaml", edits: edits)
        #expect(edited.refused == [0])
        #expect(edited.update.changes.map(\.container) == ["e"])
        #expect(edited.update.skipped.first?.reason.contains("default:pod/a container d") == true)
    }

    @Test func `requests of one command are refused one by one`() throws {
        let text = Self.pods(2) + "---\nimage: acme/web:v1 # {\"$imagepolicy\": \"a:b\"}\n"
        var request = UpdateRequest()
        request.resolved[.init(namespace: "a", name: "b")] = ImageText("acme/web:v9")
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
}
