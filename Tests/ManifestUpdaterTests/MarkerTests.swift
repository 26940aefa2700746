import ManifestUpdater
import TestSupport
import Testing

/// Markers of Flux v2 where they are unusual: behind nulls, and where they do nothing.
@Suite(.tags(.unit)) struct MarkerTests {
    private func update(_ text: String) -> FileUpdate {
        var request = UpdateRequest()
        request.resolved[.init(namespace: "a", name: "b")] = WrittenReference("acme/web:1.10")
        return ManifestUpdater.update(Array(text.utf8), file: "f.yaml", request: request)
    }

    @Test(arguments: [
        ("tag: ~ # {\"$imagepolicy\": \"a:b:tag\"}\n", "tag: \"1.10\" # {\"$imagepolicy\": \"a:b:tag\"}\n"),
        ("tag: null  # {\"$imagepolicy\": \"a:b:tag\"}\n", "tag: \"1.10\"  # {\"$imagepolicy\": \"a:b:tag\"}\n"),
        ("tag: NULL # {\"$imagepolicy\": \"a:b\"}\n", "tag: acme/web:1.10 # {\"$imagepolicy\": \"a:b\"}\n"),
        ("- ~ # {\"$imagepolicy\": \"a:b:name\"}\n", "- acme/web # {\"$imagepolicy\": \"a:b:name\"}\n"),
        (
            "a: {tag: ~, # {\"$imagepolicy\": \"a:b\"}\n  b: c}\n",
            "a: {tag: acme/web:1.10, # {\"$imagepolicy\": \"a:b\"}\n  b: c}\n"
        ),
    ])
    func `a null that is written is filled`(_ old: String, _ new: String) throws {
        let result = update(old)
        #expect(result.bytes.map { String(decoding: $0, as: UTF8.self) } == new)
        #expect(result.changes.first?.old == "" && result.skipped == [])
        let scan = ManifestScan.scan(file: "f.yaml", bytes: Array(old.utf8))
        #expect(scan.targets.map(\.image) == [""] && scan.remarks == [])
        let target = try #require(scan.targets.first)
        let edited = ManifestUpdater.update(
            Array(old.utf8), file: "f.yaml", edits: [ManifestEdit(target: target, newImage: "acme/web:1.10")])
        #expect(edited.update.bytes == result.bytes)
    }

    @Test func `a null that its tag makes one is left`() {
        let result = update("tag: !!null ~ # {\"$imagepolicy\": \"a:b:tag\"}\n")
        #expect(result.bytes == nil && result.skipped.count == 1)
    }

    /// The line of the marker, and what is said.
    @Test(arguments: [
        ("a: b # see {\"$imagepolicy\": \"a:b\"}\n", 1, "nothing around it"),
        ("a: b # {\"$imagepolicy\": \"a:b:tags\"}\n", 1, "':tags' is no part of an image"),
        ("a: b # {\"$imagepolicy\": \"a\"}\n", 1, "names no image policy"),
        ("a: b # {\"$imagepolicy\": \":b\"}\n", 1, "names no image policy"),
        ("a: b # {\"$imagepolicy\": 1}\n", 1, "one JSON object"),
        ("a: |\n  tag: b # {\"$imagepolicy\": \"a:b\"}\n", 2, "a text over several lines"),
        ("a: |\n  x\n  tag: b # {\"$imagepolicy\": \"a:b\"}\nc: d\n", 3, "a text over several lines"),
        ("a: b\n# {\"$imagepolicy\": \"a:b\"}\n", 2, "on a line of its own"),
        ("# {\"$imagepolicy\": \"a:b\"}\na: b\n", 1, "on a line of its own"),
        ("a: # {\"$imagepolicy\": \"a:b\"}\n  b: c\n", 1, "belongs behind a text"),
        ("a: &x b\nc: *x # {\"$imagepolicy\": \"a:b\"}\n", 2, "belongs behind a text"),
        ("a: # {\"$imagepolicy\": \"a:b\"}\n", 1, "belongs behind a text"),
    ])
    func `a marker that does nothing is told by the scan and by an update alike`(
        _ text: String, _ line: Int, _ words: String
    ) {
        let scan = ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8))
        #expect(scan.targets == [] && scan.remarks.count == 1, "\(scan)")
        #expect(scan.remarks.first?.reason.contains(words) == true, "\(scan.remarks)")
        #expect(scan.remarks.first?.place.hasPrefix("f.yaml:\(line):") == true, "\(scan.remarks)")
        let result = update(text)
        #expect(result.bytes == nil)
        #expect(result.skipped.map(\.reason) == scan.remarks.map(\.reason) && result.skipped.map(\.line) == [line])
    }

    @Test func `where Flux does not look there is nothing to tell`() {
        let text = Array("a: b # see {\"$imagepolicy\": \"a:b\"}\n".utf8)
        #expect(ManifestScan.scan(file: "f.json", bytes: text).remarks == [])
    }

    @Test func `of one value the marker decides, and nobody calls it shared by an anchor`() throws {
        let text = """
            kind: Pod
            metadata: {name: p, annotations: {fluxcd.io/automated: "true"}}
            spec:
              containers:
                - name: c
                  image: &i acme/web:v1 # {"$imagepolicy": "a:b"}
                - {name: d, image: *i}

            """
        let targets = ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).targets.filter { !$0.isMarker }
        #expect(
            targets.map { $0.held } == [
                .imagePolicy(namespace: "a", name: "b"),
                .shared(with: "line 6: its marker names the image policy a:b"),
            ])
    }
}
