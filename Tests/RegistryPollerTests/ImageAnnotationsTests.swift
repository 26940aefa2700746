import OCI
import RegistryPoller
import TestSupport
import Testing

@Suite(.tags(.unit)) struct ImageAnnotationsTests {
    private static let all = [
        Annotation.created: "2024-05-01T10:00:00Z", Annotation.source: "https://git.example.com/acme/shop.git",
        Annotation.revision: String(repeating: "a", count: 40), Annotation.version: "",
        Annotation.contentKey: "sha256:" + String(repeating: "b", count: 64), Annotation.pipeline: "main käse",
    ]

    @Test func `what decides is kept as it is`() {
        let annotations = ImageAnnotations(Self.all)
        #expect(annotations.all == Self.all)
        for (key, value) in Self.all { #expect(annotations[key] == value) }
        #expect(annotations[Annotation.title] == nil)
        #expect(!annotations.isEmpty)
        #expect(ImageAnnotations().isEmpty)
        #expect(ImageAnnotations()[Annotation.source] == nil)
    }

    @Test func `other keys and long values are left out`() {
        let long = String(repeating: "é", count: 512)
        let annotations = ImageAnnotations([
            Annotation.title: "shop", "org.example.megabytes": "x", Annotation.source: long,
            Annotation.version: long + "x",
        ])
        #expect(annotations.all == [Annotation.source: long])
    }

    @Test func `equal ones are equal however they were written`() {
        let one: ImageAnnotations = [Annotation.version: "1", Annotation.source: "a"]
        let other: ImageAnnotations = [Annotation.source: "a", Annotation.version: "1"]
        #expect(one == other)
        #expect(one != [Annotation.source: "a", Annotation.version: "2"])
        #expect(Set([one, other]).count == 1)
    }
}
