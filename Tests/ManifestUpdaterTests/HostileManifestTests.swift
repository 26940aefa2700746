import Diagnostics
import ManifestUpdater
import TestSupport
import Testing

@Suite(.tags(.unit), .thorough)
struct HostileManifestTests {
    private func scan(_ text: String) -> ScanResult {
        ManifestScan.scan(file: "f.yaml", bytes: Array(("# fluxcd.io\n" + text).utf8))
    }

    @Test func unrelatedFilesAreNotParsed() {
        let result = ManifestScan.scan(file: "f.yaml", bytes: Array("a: [\n".utf8))
        #expect(result == ScanResult())
    }

    @Test(arguments: [
        ("a: [\n", "not YAML"), ("{{- if .Values.x }}\na: b\n", "not YAML"), ("a:\n\tb: c\n", "not YAML"),
        ("a: *b\n", "no anchor"), (String(repeating: "[", count: 10_000), "nested deeper"), ("a: \u{7}\n", "not UTF-8"),
        ("&a [*a]\n", "inside the node"),
    ])
    func badFilesAreSkippedWithTheirReason(_ text: String, _ reason: String) {
        let result = scan(text)
        #expect(result.targets == [])
        #expect(result.skipped.count == 1)
        #expect(result.skipped.first?.reason.contains(reason) == true, "\(result.skipped)")
        #expect(result.skipped.first?.place.hasPrefix("f.yaml:") == true)
    }

    @Test func otherEncodingsAreSkipped() {
        let latin = Array("# fluxcd.io gr".utf8) + [0xFC, 0xDF, 0x0A] + Array("kind: Pod\n".utf8)
        #expect(ManifestScan.scan(file: "f.yaml", bytes: latin).skipped.first?.reason.contains("UTF-8") == true)
    }

    @Test func hugeFilesAreSkipped() {
        let bytes = Array("# fluxcd.io\n".utf8) + [UInt8](repeating: 0x23, count: 17 << 20)
        #expect(ManifestScan.scan(file: "f.yaml", bytes: bytes).skipped.count == 1)
    }

    /// Each costs the same, however many there are: in one mapping, in one line, in one list of objects.
    @Test func manyMarkersAreBounded() {
        let marker = "# {\"$imagepolicy\": \"a:b\"}"
        var request = UpdateRequest()
        request.resolved[.init(namespace: "a", name: "b")] = WrittenReference("x:v2")
        func update(_ text: String) -> FileUpdate {
            ManifestUpdater.update(Array(text.utf8), file: "f.yaml", request: request)
        }
        let count = 20_000
        #expect(update((0..<count).map { "k\($0): x:v1 \(marker)\n" }.joined()).changes.count == count)
        #expect(update(String(repeating: "- x:v1 \(marker)\n", count: count)).changes.count == count)
        let idle = update("a: x:v1\n" + String(repeating: marker + " ", count: 10 * count) + "\n")
        #expect(idle.skipped.count == 1 && idle.changes.isEmpty)
        let objects = (0..<count / 4).map {
            "- {kind: Pod, metadata: {name: p\($0)},\n   spec: {image: x:v1 \(marker)\n  }}\n"
        }
        let list = update("kind: List\nitems:\n" + objects.joined())
        #expect(list.changes.count == count / 4 && list.changes.last?.object == "default:pod/p\(count / 4 - 1)")
    }

    /// Containers of one name, a value that all share, many workloads: each costs the same, however many there are.
    @Test func manyContainersAreBounded() throws {
        let count = 1_500
        func pod(_ containers: String, _ name: String = "p") -> String {
            "kind: Pod\nmetadata: {name: \(name), annotations: {fluxcd.io/automated: 'true'}}\nspec:\n  containers:\n"
                + containers
        }
        var request = UpdateRequest()
        let id = WorkloadID(namespace: "default", kind: "pod", name: "p")
        request.workloads = [.init(workload: id, container: "c", image: "a:v2")]
        let same = pod(String(repeating: "  - {name: c, image: a:v1}\n", count: 3 * count))
        #expect(ManifestUpdater.update(Array(same.utf8), file: "f", request: request).changes.count == 3 * count)
        let shared = pod(
            "  - {name: c, image: &i a:v1}\n" + String(repeating: "  - {name: c, image: *i}\n", count: count - 1))
        #expect(ManifestUpdater.update(Array(shared.utf8), file: "f", request: request).changes.count == 1)
        #expect(ManifestUpdater.update(Array(shared.utf8), file: "f", request: request).skipped == [])
        for text in [same, shared] {
            let targets = ManifestScan.scan(file: "f", bytes: Array(text.utf8)).targets
            let edits = targets.map { ManifestEdit(target: $0, newImage: "a:v2") }
            #expect(
                try ManifestUpdater.apply(edits, to: Array(text.utf8), file: "f")
                    == Array(text.replacing("a:v1", with: "a:v2").utf8))
        }
        let many = (0..<count).map { pod("  - {name: c, image: a:v1}\n", "p\($0)") }.joined(separator: "---\n")
        request.workloads = (0..<count).map {
            .init(
                workload: WorkloadID(namespace: "default", kind: "pod", name: "p\($0)"), container: "c", image: "a:v2")
        }
        #expect(ManifestUpdater.update(Array(many.utf8), file: "f", request: request).changes.count == count)
        #expect(ManifestScan.containers(file: "f", bytes: Array(many.utf8)).0.count == count)
        let ids = Set((0..<count).map { "default:pod/p\($0)" })
        let policies = ManifestUpdater.update(
            Array(many.utf8), file: "f", policies: PolicyUpdate(tagAll: "glob:*-x"), of: ids)
        #expect(policies.changes.count == count)
        request = UpdateRequest()
        request.kustomizeImages = [.init(name: "a", newName: nil, newTag: "v2", digest: nil)]
        let entries =
            "x: &x 1\ny: [" + String(repeating: "*x, ", count: 4_000) + "]\nimages:\n"
            + String(repeating: "- {name: a, newTag: v1}\n", count: count)
        let images = ManifestUpdater.update(Array(entries.utf8), file: "kustomization.yaml", request: request)
        #expect(images.changes.count == count)
    }

    /// Nested lists that share their items: the parser's count of what aliases stand for bounds the walk.
    @Test func sharedListsAreBounded() {
        var text = "a0: &a0 [{kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: 'x:1'}]}}]\n"
        for level in 1..<40 {
            text += "a\(level): &a\(level) [{kind: List, items: *a\(level - 1)}, {kind: List, items: *a\(level - 1)}]\n"
        }
        let result = scan(text + "kind: List\nitems: *a39\n")
        #expect(result.targets == [])
        #expect(result.skipped.count == 1)
    }

    @Test(arguments: [
        "kind: Pod\nspec: x\n", "kind: Pod\nspec: {containers: x}\n", "kind: Pod\nspec: {containers: [x, 1, [a], ~]}\n",
        "kind: [Pod]\n", "kind: List\nitems: {a: b}\n", "kind: List\n", "- kind: Pod\n",
        "kind: Deployment\nspec: {template: []}\n",
        "kind: Pod\nmetadata: []\nspec: {containers: [{name: [], image: 'a:1'}]}\n", "x\n", "[]\n", "? {a: b}\n: c\n",
        "kind: HelmRelease\nspec: {values: []}\n",
        "kind: HelmRelease\nspec: {values: {image: {repository: [], tag: {}}}}\n",
        "kind: Pod\nmetadata: {annotations: [a]}\nspec: {containers: [{name: a}]}\n",
    ])
    func wrongShapesAreHarmless(_ text: String) {
        let result = scan(text)
        #expect(result.targets.allSatisfy { $0.held != nil })
        #expect(throws: Never.self) { try PodSpecReader.pods(in: Array(text.utf8), file: "f.yaml") }
    }

    private static let pod =
        "kind: Pod\nmetadata: {name: p, annotations: {fluxcd.io/automated: \"true\"}}\nspec: {containers: [{name: c, image: a:v1}]}\n"

    @Test func aStaleEditIsRefused() throws {
        let bytes = Array(Self.pod.utf8)
        let target = try #require(ManifestScan.scan(file: "f.yaml", bytes: bytes).targets.first)
        let edit = ManifestEdit(target: target, newImage: "a:v2")
        for changed in [
            Self.pod.replacing("a:v1", with: "a:v3"), Self.pod.replacing("c,", with: "d,"), "# fluxcd.io\n",
            Self.pod.replacing("true", with: "false"),
        ] {
            let edited = ManifestUpdater.update(Array(changed.utf8), file: "f.yaml", edits: [edit])
            #expect(edited.found == [nil] && edited.update == FileUpdate() && edited.refused == [], "\(changed)")
        }
        let broken = ManifestUpdater.update(Array((Self.pod + "x: [\n").utf8), file: "f.yaml", edits: [edit])
        #expect(broken.refused == [0] && broken.update.skipped.count == 1)
        // A place that moved is the same place.
        let moved = "# one more line\n" + Self.pod
        #expect(
            try ManifestUpdater.apply([edit], to: Array(moved.utf8), file: "f.yaml")
                == Array(moved.replacing("a:v1", with: "a:v2").utf8))
    }

    @Test(arguments: ["a:v2\nb: c", "a b", "a:\u{E9}", "", "a:v2 # x", "a:\0"])
    func aValueThatIsNoImageIsRefused(_ image: String) throws {
        let bytes = Array(Self.pod.utf8)
        let target = try #require(ManifestScan.scan(file: "f.yaml", bytes: bytes).targets.first)
        #expect(throws: EditRefusal.self) {
            try ManifestUpdater.apply(
                [ManifestEdit(target: target, newImage: WrittenReference(image))], to: bytes, file: "f.yaml")
        }
    }

    @Test func aValueThatIsNotWrittenIsNotInvented() throws {
        let text = "# fluxcd.io\nkind: Pod\nspec:\n  containers:\n  - name: c\n    image:\n  - name: d\n    image: ~\n"
        let targets = ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).targets
        #expect(targets.allSatisfy { $0.held != nil })
        let target = try #require(targets.first)
        let edited = ManifestUpdater.update(
            Array(text.utf8), file: "f.yaml", edits: [ManifestEdit(target: target, newImage: "a:v1")])
        #expect(edited.found == [nil] && edited.update.bytes == nil)
    }

    private static let signs = Array(" \n:-#'\"&*!|>[]{},?\t\\a0".utf8)

    /// Golden files with random bytes changed: every outcome is an answer, and whatever is applied passes its own
    /// proof.
    @Test func mutatedManifestsAreHarmless() {
        var generator = SplitMix(state: 11)
        for golden in GoldenCase.all {
            for _ in 0..<60 {
                var bytes = golden.original
                for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
                    let index = Int.random(in: 0..<bytes.count, using: &generator)
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: bytes[index] = Self.signs.randomElement(using: &generator) ?? 0x20
                    case 1: bytes.remove(at: index)
                    default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
                    }
                }
                let scan = ManifestScan.scan(file: "f.yaml", bytes: bytes)
                for edit in golden.edits(for: scan.targets) {
                    guard let result = try? ManifestUpdater.apply([edit], to: bytes, file: "f.yaml") else { continue }
                    let same = zip(result, bytes).prefix { $0 == $1 }.count
                    #expect(
                        result == bytes || edit.target.valueRange.contains(same)
                            || same == edit.target.valueRange.upperBound)
                }
            }
        }
    }
}
