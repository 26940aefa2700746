package import Diagnostics

/// Flux v2's `ImageUpdateAutomation`.
///
/// https://fluxcd.io/flux/components/image/imageupdateautomations/
package struct FluxAutomation: Hashable, Sendable {
    package var namespace: String?
    package var name: String
    package var location: SourceLocation
    package var isSuspended: Bool
    package var sourceKind: String
    package var sourceName: String
    package var sourceNamespace: String?
    /// The whole of `git.checkout.ref`, which takes the place of the GitRepository's; `nil` when it says none.
    package var checkout: FluxGitReference?
    package var pushBranch: String?
    package var pushRefspec: String?
    package var hasPushOptions: Bool
    package var authorName: String
    package var authorEmail: String
    package var hasSigningKey: Bool
    package var messageTemplate: String?
    package var messageValues: [String: String]
    /// Without `./` and slashes at its ends; empty for the top.
    package var path: String
    package var policySelector: LabelSelector?
    /// What makes the object unusable, as the controller would refuse it.
    package var problem: String?

    package init(_ object: FluxObject) {
        let spec = object.spec
        (namespace, name, location) = (object.namespace, object.name, object.location)
        isSuspended = spec?["suspend"]?.isTrue ?? false
        let source = spec?["sourceRef"]
        sourceKind = source?["kind"]?.string ?? "GitRepository"
        sourceName = source?["name"]?.string ?? ""
        sourceNamespace = source?["namespace"]?.string
        let git = spec?["git"]
        checkout = git?["checkout"]?["ref"].flatMap(FluxGitReference.init)
        pushBranch = git?["push"]?["branch"]?.string
        pushRefspec = git?["push"]?["refspec"]?.string
        hasPushOptions = !(git?["push"]?["options"]?.texts ?? [:]).isEmpty
        let commit = git?["commit"]
        authorName = commit?["author"]?["name"]?.string ?? ""
        authorEmail = commit?["author"]?["email"]?.string ?? ""
        hasSigningKey = commit?["signingKey"]?["secretRef"] != nil
        messageTemplate = commit?["messageTemplate"]?.string
        messageValues = commit?["messageTemplateValues"]?.texts ?? [:]
        let path = spec?["update"]?["path"]?.string ?? ""
        self.path = Self.cleaned(path)
        do throws(LabelSelector.Invalid) {
            policySelector = try spec?["policySelector"].flatMap { (value) throws(LabelSelector.Invalid) in
                value == .null ? nil : try LabelSelector(value)
            }
        } catch {
            problem = "its policySelector is invalid: \(error.reason)"
        }
        if git == nil || git == .null {
            problem = "it has no spec.git"
        } else if authorEmail.isEmpty {
            problem = "spec.git.commit.author.email is missing"
        }
        if let strategy = spec?["update"]?["strategy"]?.string, strategy != "Setters" {
            problem = "its update strategy is '\(strategy.prefix(40))'; there is only Setters"
        }
        if sourceName.isEmpty { problem = "its sourceRef names nothing" }
    }

    /// A path as the controller joins it to the work tree: `..` does not lead out of it.
    private static func cleaned(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// Whether markers in a file are looked at: a folder, or one file.
    package func covers(_ file: String) -> Bool { path.isEmpty || file == path || file.hasPrefix(path + "/") }
}

/// What a GitRepository or an automation checks out.
package struct FluxGitReference: Hashable, Sendable {
    /// The branch; `nil` for a tag, a version range, a commit.
    package var branch: String?
    /// In words, for messages.
    package var description: String

    /// https://fluxcd.io/flux/components/source/gitrepositories/#reference: commit, name, tag, semver, branch, in this order.
    init?(_ value: ObjectValue) {
        guard case .mapping = value else { return nil }
        if let commit = value["commit"]?.string {
            description = "commit \(commit.prefix(40))"
        } else if let name = value["name"]?.string {
            let prefix = "refs/heads/"
            if name.hasPrefix(prefix) { branch = String(name.dropFirst(prefix.count)) }
            description = branch.map { "branch '\($0)'" } ?? "reference \(name.prefix(100))"
        } else if let tag = value["tag"]?.string {
            description = "tag '\(tag.prefix(100))'"
        } else if let range = value["semver"]?.string {
            description = "tags in the range '\(range.prefix(100))'"
        } else {
            branch = value["branch"]?.string ?? "master"
            description = "branch '\(branch ?? "")'"
        }
    }

    /// What is checked out where nothing is said.
    static let unsaid = FluxGitReference(.mapping([:]))
}

/// Flux v2's `GitRepository`, as far as automations use it.
package struct FluxGitRepository: Hashable, Sendable {
    package var url: String
    package var reference: FluxGitReference?
    package var location: SourceLocation

    package init(_ object: FluxObject) {
        url = object.spec?["url"]?.string ?? ""
        reference = object.spec?["ref"].flatMap(FluxGitReference.init) ?? FluxGitReference.unsaid
        location = object.location
    }
}
