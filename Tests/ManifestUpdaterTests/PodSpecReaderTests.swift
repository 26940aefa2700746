import Diagnostics
import ManifestUpdater
import TestSupport
import Testing
import YAML

@Suite(.tags(.unit))
struct PodSpecReaderTests {
    private static let pod = """
        {metadata: {annotations: {a: b}}, spec: {initContainers: [{name: i, image: git, command: [git, clone, u], workingDir: /w}],
          containers: [{name: c, image: x:1, args: [--a, 1], env: [{name: A, value: "1"}, {name: B, valueFrom: {}}, {name: C}],
            envFrom: [{secretRef: {name: s}}],
            volumeMounts: [{name: v, mountPath: /w, subPath: s}]}],
          volumes: [{name: v, emptyDir: {}}, {secret: {}, name: s}, {name: g, gitRepo: {repository: r, revision: abc, directory: .}}, {name: p, persistentVolumeClaim: {claimName: c}}, {name: n}]}}
        """

    @Test(arguments: ["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job"])
    func templates(_ kind: String) throws {
        let text = "kind: \(kind)\nmetadata: {name: n, namespace: s}\nspec:\n  template:\n" + indented(Self.pod, 4)
        try check(text, "s:\(kind.lowercased())/n")
    }

    @Test func cronJobs() throws {
        let text =
            "kind: CronJob\nmetadata: {name: n}\nspec: {jobTemplate: {spec: {template:\n" + indented(Self.pod, 2)
            + "}}}\n"
        try check(text, "default:cronjob/n")
    }

    @Test func podsInListsAndDocuments() throws {
        let item = Self.pod.replacing(
            "{metadata: {annotations", with: "{kind: Pod, metadata: {generateName: n-, annotations")
        try check("kind: List\nitems:\n-\n" + indented(item, 2), "default:pod/n-")
        let pods = try PodSpecReader.pods(in: Array("---\n\(item)\n---\na: b\n---\n\(item)\n".utf8), file: "f")
        #expect(pods.map(\.documentIndex) == [0, 2])
    }

    private func indented(_ text: String, _ count: Int) -> String {
        text.split(separator: "\n").map { String(repeating: " ", count: count) + $0 + "\n" }.joined()
    }

    private func check(_ text: String, _ id: String) throws {
        let pods = try PodSpecReader.pods(in: Array(text.utf8), file: "f")
        let pod = try #require(pods.first)
        #expect(pods.count == 1)
        #expect(pod.workload.description == id)
        #expect(pod.podAnnotations == ["a": "b"])
        let git = try #require(pod.initContainers.first)
        #expect(git.command == ["git", "clone", "u"])
        #expect(git.workingDirectory == "/w")
        let container = try #require(pod.containers.first)
        #expect(container.name == "c" && container.image == "x:1")
        #expect(container.args == ["--a", "1"])
        #expect(container.environment.map(\.name) == ["A", "B", "C"])
        #expect(container.environment.map(\.value) == ["1", nil, ""])
        let line = container.location.line
        #expect(container.environment.map(\.location.line) == [line, line, line])
        #expect(container.argWords.map(\.location.line) == [line, line])
        #expect(container.environmentSource?.line == line + 1)
        #expect(git.environmentSource == nil)
        #expect(container.volumeMounts.map { [$0.name, $0.mountPath, $0.subPath] } == [["v", "/w", "s"]])
        #expect(pod.volumes.map(\.kind) == ["emptyDir", "secret", "gitRepo", "persistentVolumeClaim", ""])
        #expect(pod.volumes[2].gitRepository == "r" && pod.volumes[2].gitRevision == "abc")
    }
}
