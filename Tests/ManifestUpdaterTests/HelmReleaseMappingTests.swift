import TestSupport
import Testing

@testable import ManifestUpdater

/// Flux v1's HelmReleases whose annotations name places that are found by themselves, too.
@Suite(.tags(.unit)) struct HelmReleaseMappingTests {
    private static func scan(_ annotations: String, _ values: String) -> ScanResult {
        let text = """
            apiVersion: helm.fluxcd.io/v1
            kind: HelmRelease
            metadata:
              name: shop
              annotations:
                fluxcd.io/automated: "true"
            \(annotations)
            spec:
              values:
            \(values)

            """
        return ManifestScan.scan(file: "a.yaml", bytes: Array(text.utf8))
    }

    @Test(arguments: [
        (
            "    repository.fluxcd.io/app: image.repository\n    tag.fluxcd.io/app: image.tag",
            "    image:\n      repository: acme/web\n      tag: '1'"
        ),
        (
            "    repository.fluxcd.io/app: web.image.repository\n    tag.fluxcd.io/app: web.image.tag",
            "    web:\n      image:\n        repository: acme/web\n        tag: '1'"
        ),
        ("    image.fluxcd.io/app: web.image", "    web:\n      image: acme/web:1"),
        ("    repository.fluxcd.io/app: image\n    tag.fluxcd.io/app: tag", "    image: acme/web\n    tag: '1'"),
    ]) func `a mapping takes its place over, with its filter`(annotations: String, values: String) {
        let filter = "\n    filter.fluxcd.io/app: semver:1.x"
        let result = Self.scan(annotations + filter, values)
        #expect(result.targets.map(\.container) == ["app"])
        #expect(result.targets.map(\.policy) == ["semver:1.x"])
        #expect(result.targets.map(\.held) == [nil])
        #expect(result.targets.map(\.image) == ["acme/web:1"])
    }

    @Test func `places that no mapping names are found by themselves`() {
        let result = Self.scan(
            "    repository.fluxcd.io/app: image.repository\n    tag.fluxcd.io/app: image.tag",
            "    image: {repository: acme/web, tag: '1'}\n    db: {image: {repository: acme/db, tag: '2'}}")
        #expect(result.targets.map(\.container).sorted() == ["app", "db"])
    }

    @Test(arguments: ["    replicas: 2", "    image: {pullPolicy: Always}"])
    func `an automated one without an image is named`(values: String) {
        let result = Self.scan("", values)
        #expect(result.targets.isEmpty)
        #expect(result.remarks.map(\.reason).contains { $0.contains("there is no image under spec.values") })
    }
}
