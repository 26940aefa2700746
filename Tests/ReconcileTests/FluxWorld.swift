import Agent
import AgentFakes
import Git

/// Flux v2's objects and marked manifests.
enum Flux {
    static let address = "ssh://git@git.example.com/acme/shop"

    static func source(_ url: String = address, branch: String? = "main", name: String = "fleet") -> String {
        object(
            "source.toolkit.fluxcd.io/v1", "GitRepository", name,
            "  url: \(url)\n" + (branch.map { "  ref:\n    branch: \($0)\n" } ?? ""))
    }

    static func repository(_ image: String = "acme/web", name: String = "web", namespace: String = "flux-system")
        -> String
    {
        object(
            "image.toolkit.fluxcd.io/v1beta2", "ImageRepository", name, "  image: \(image)\n", namespace: namespace)
    }

    static func policy(
        _ range: String = "1.x", name: String = "web", namespace: String? = "flux-system", labels: String = "",
        reflection: String = ""
    ) -> String {
        object(
            "image.toolkit.fluxcd.io/v1", "ImagePolicy", name,
            "  imageRepositoryRef:\n    name: web\n  policy:\n    semver:\n      range: \"\(range)\"\n"
                + (reflection.isEmpty ? "" : "  digestReflectionPolicy: \(reflection)\n"),
            namespace: namespace, labels: labels)
    }

    /// - Parameters:
    ///   - spec: lines below `spec`, indented by two.
    ///   - git: lines below `spec.git`, indented by four.
    static func automation(
        _ name: String = "images", spec: String = "", git: String = "", email: String = "bot@example.com",
        commit: String = "", namespace: String = "flux-system"
    ) -> String {
        object(
            "image.toolkit.fluxcd.io/v1", "ImageUpdateAutomation", name,
            """
              interval: 5m
              sourceRef:
                kind: GitRepository
                name: fleet
              git:
                commit:
                  author:
                    name: \(name)-bot
                    email: \(email)
            \(commit)\(git)\(spec)
            """ + "\n", namespace: namespace)
    }

    static func kustomization(_ path: String, _ spec: String = "", name: String) -> String {
        object(
            "kustomize.toolkit.fluxcd.io/v1", "Kustomization", name,
            "  sourceRef:\n    kind: GitRepository\n    name: fleet\n  path: \(path)\n" + spec)
    }

    static func object(
        _ apiVersion: String, _ kind: String, _ name: String, _ spec: String, namespace: String? = "flux-system",
        labels: String = ""
    ) -> String {
        "---\napiVersion: \(apiVersion)\nkind: \(kind)\nmetadata:\n  name: \(name)\n"
            + (namespace.map { "  namespace: \($0)\n" } ?? "")
            + (labels.isEmpty ? "" : "  labels: {\(labels)}\n") + "spec:\n" + spec
    }

    static func workload(
        _ name: String, _ image: String = "acme/web:1.0.0", marker: String = "flux-system:web"
    ) -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: \(name)}
        spec:
          template:
            spec:
              containers:
                - name: app
                  image: \(image) # {"$imagepolicy": "\(marker)"}

        """
    }
}

extension World {
    /// The marked image of a file.
    func marked(_ path: String, on branch: String = "main") -> String? {
        host.text(path, on: branch)?.split(separator: "\n").first { $0.contains("$imagepolicy") }.flatMap {
            $0.drop { $0 == " " }.split(separator: " ").dropFirst().first.map(String.init)
        }
    }

    static func flux(_ files: [String: String]) async throws -> World {
        let world = try await World()
        for tag in ["1.0.0", "1.0.5", "1.4.0", "2.0.0"] { world.registry.push("acme/web", tag) }
        world.host.commit(files)
        return world
    }

    /// The commits of the watched branch, the newest first.
    func log() async throws -> [Commit] {
        guard let head = host.head() else { return [] }
        return try await FakeGitRemote(host).log(from: head.id, limit: 100, notReachableFrom: nil)
    }

    /// What was said of a subject, all of it.
    static func reasons(_ report: CycleReport, _ part: String) -> String {
        report.decisions.filter { $0.subject.contains(part) }.map(\.reason).joined(separator: "\n")
    }
}
