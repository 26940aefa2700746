import TestSupport
import Testing

@testable import ManifestUpdater

/// Filters that do not do what they look as if they did: without them the newest image of any kind would be taken.
@Suite(.tags(.unit)) struct MisnamedFilterTests {
    private static func held(_ annotations: String, kind: String = "Deployment") -> [String?] {
        let text = """
            apiVersion: apps/v1
            kind: \(kind)
            metadata:
              name: shop
              annotations: {\(annotations)}
            spec:
              template:
                spec:
                  containers: [{name: web, image: 'acme/web:1'}, {name: db, image: 'acme/db:1'}]
              values: {web: {image: {repository: acme/web, tag: '1'}}}

            """
        return ManifestScan.scan(file: "a.yaml", bytes: Array(text.utf8)).targets.map { $0.held?.description }
    }

    @Test(arguments: [
        (
            "fluxcd.io/tag.webb: semver:1.x",
            "'fluxcd.io/tag.webb' names no container of it: there is db, web; did you mean 'web'?"
        ),
        ("filter.fluxcd.io/app: semver:1.x", "'filter.fluxcd.io/app' names no container of it: there is db, web"),
        ("flux.weave.works/tag.we: glob:x", "names no container of it"),
        ("slipway.dev/tag.webs: semver:1.x", "names no container of it"),
        ("fluxcd.io/tags.web: semver:1.x", "'fluxcd.io/tags.web' is not known; write fluxcd.io/tag.web"),
        ("fluxcd.io/filter.web: semver:1.x", "write fluxcd.io/tag.web"),
        ("fluxd.io/tag.web: semver:1.x", "did you mean fluxcd.io/tag.web?"),
        ("fluxcd.oi/tag.web: semver:1.x", "did you mean fluxcd.io/tag.web?"),
        ("filters.fluxcd.io/web: semver:1.x", "did you mean filter.fluxcd.io/web?"),
        ("slipway.de/tag.web: semver:1.x", "did you mean slipway.dev/tag.web?"),
    ]) func `hold the whole workload and say what there is`(filter: String, words: String) {
        let held = Self.held("fluxcd.io/automated: 'true', \(filter)")
        #expect(held.count == 2)
        for reason in held { #expect(reason?.contains(words) == true, "\(reason ?? "not held")") }
    }

    @Test(arguments: [
        "fluxcd.io/tag.web: semver:1.x", "filter.fluxcd.io/db: glob:*", "slipway.dev/pin.web: 'true'",
        "example.com/tag.web: x", "fluxcd.io/locked_user: ann", "slipway.dev/requires.web: acme/api", "other/filter: x",
    ]) func `what is meant for somebody, or for something else, holds nothing`(annotation: String) {
        #expect(Self.held("fluxcd.io/automated: 'true', \(annotation)") == [nil, nil])
    }

    @Test func `a workload that is not automated keeps its own reason`() {
        #expect(Self.held("fluxcd.io/tag.webb: x").allSatisfy { $0?.hasPrefix("not automated") == true })
    }

    @Test(arguments: [
        ("keel.sh/policy: minor, keel.sh/monitorContianers: web", "did you mean 'keel.sh/monitorContainers'?"),
        ("keel.sh/policy: force, keel.sh/matchtag: 'true'", "did you mean 'keel.sh/matchTag'?"),
    ]) func `Keel's options count, too`(annotations: String, words: String) {
        for reason in Self.held(annotations) { #expect(reason?.contains(words) == true) }
    }

    @Test func `a HelmRelease's filters are for its images`() {
        let all = "fluxcd.io/automated: 'true', "
        #expect(Self.held(all + "filter.fluxcd.io/web: semver:1.x", kind: "HelmRelease") == [nil])
        let held = Self.held(all + "filter.fluxcd.io/chart-image: semver:1.x", kind: "HelmRelease")
        #expect(held.first??.contains("there is web") == true)
    }
}
