import ManifestUpdater
import TestSupport
import Testing

/// What of a repository is parsed at all: a search of bytes decides, so that files of no interest cost next to nothing.
@Suite(.tags(.unit)) struct ScanFilterTests {
    @Test(arguments: [
        "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: [",
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n: {",
        "apiVersion: v1\nkind: Service\nspec: [", "image: nginx\nx: [",
    ]) func `what is not YAML and of no interest is not even looked at`(text: String) {
        #expect(!ManifestScan.mayMatter(Array(text.utf8)))
        #expect(ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).isEmpty)
    }

    @Test(arguments: [
        "kind: Application", "kind: \"Application\"", "kind: 'Application'", "\"kind\": \"Application\"",
        "kind: ApplicationList",
    ]) func `an Application is found in every way in which it is written`(kind: String) {
        let body =
            "metadata: {name: site}\nspec: {source: {repoURL: \"https://git.example.com/a/b.git\", path: live}}\n"
        let items = kind.hasSuffix("List")
        let text =
            items
            ? "apiVersion: argoproj.io/v1alpha1\n\(kind)\nitems:\n- apiVersion: argoproj.io/v1alpha1\n"
                + body.split(separator: "\n").map { "  \($0)\n" }.joined()
            : "\"apiVersion\": argoproj.io/v1alpha1\n\(kind)\n\(body)"
        #expect(
            ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).applications.map(\.workload.name) == ["site"])
    }

    @Test func `an Application that cannot be read is told`() {
        let text = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: ["
        #expect(ManifestScan.scan(file: "f.yaml", bytes: Array(text.utf8)).unreadApplications.count == 1)
    }
}
