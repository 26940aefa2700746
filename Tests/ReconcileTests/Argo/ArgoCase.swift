import Agent
import AgentFakes
import OCI
import TestSupport
import Testing

/// A repository with Argo CD's objects, what the registry has, and what the agent makes of it.
struct ArgoCase: Sendable, CustomTestStringConvertible {
    var name: String
    var files: [String: String]
    var tags: [String] = ["1.0.0", "1.0.9", "1.2.0", "2.0.0"]
    /// The files that change, as they are afterwards.
    var want: [String: String] = [:]
    /// What is said, each a part of one decision or failure.
    var says: [String] = []

    var testDescription: String { name }

    static let repository = "https://git.example.com/acme/shop.git"

    func world() async throws -> World {
        let world = try await World()
        for tag in tags { world.registry.push("acme/app", tag) }
        world.registry.push("registry.example.com/acme/app", "1.3.0")
        world.host.commit(files)
        return world
    }

    /// One cycle, and another one that has nothing left to do.
    func check() async throws {
        let world = try await world()
        let report = await world.cycle()
        let words = Self.words(of: report)
        for (file, text) in files { #expect(world.host.text(file) == want[file] ?? text, "\(file)\n\(words)") }
        for (file, text) in want where files[file] == nil {
            #expect(world.host.text(file) == text, "\(file)\n\(words)")
        }
        for part in says { #expect(words.contains(part), "'\(part)' is not said:\n\(words)") }
        let commits = world.host.messages().count
        _ = await world.cycle()
        #expect(world.host.messages().count == commits, "the second cycle commits again")
    }

    static func words(of report: CycleReport) -> String {
        (report.decisions.map { "\($0.subject): \($0.reason) \($0.remedy ?? "")" }
            + report.failures.map { "\($0.message) \($0.hint ?? "")" }).joined(separator: "\n")
    }

    // MARK: Objects

    /// An Application of one source.
    static func application(
        _ name: String, path: String, namespace: String? = "argocd", labels: String = "", annotations: [String] = [],
        revision: String = "main", source: String = ""
    ) -> String {
        var text = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: \(name)\n"
        if let namespace { text += "  namespace: \(namespace)\n" }
        if !labels.isEmpty { text += "  labels: {\(labels)}\n" }
        if !annotations.isEmpty {
            text += "  annotations:\n"
            text += annotations.map { "    argocd-image-updater.argoproj.io/\($0)\n" }.joined()
        }
        return text + """
            spec:
              project: default
              source:
                repoURL: \(repository)
                targetRevision: \(revision)
                path: \(path)
            \(source)
            """
    }

    /// - Parameter spec: indented by two blanks.
    static func updater(_ spec: String, name: String = "updater", namespace: String? = "argocd") -> String {
        """
        apiVersion: argocd-image-updater.argoproj.io/v1alpha1
        kind: ImageUpdater
        metadata:
          name: \(name)
        \(namespace.map { "  namespace: \($0)\n" } ?? "")spec:
        \(spec)
        """
    }

    static let toKustomization = """
          writeBackConfig:
            method: git
            gitConfig:
              writeBackTarget: kustomization

        """

    /// The digest of the image that `FakeRegistry` has under a name.
    static func digest(_ image: String) -> String { Digest.sha256(of: Array(image.utf8)).description }

    static func sha256(_ text: String) -> String { Digest.sha256(of: Array(text.utf8)).encoded }

    static func kustomization(_ tag: String, name: String = "acme/app") -> String {
        "resources: [deployment.yaml]\nimages:\n- name: \(name)\n  newTag: \(tag)\n"
    }
}

extension String {
    func replacing(_ text: String, with other: String) -> String {
        split(separator: text, omittingEmptySubsequences: false).joined(separator: other)
    }
}
