/// An option of pull requests that a host does not have.
package struct UnsupportedOption: Sendable, Equatable {
    /// Its key below `pullRequest`.
    package let key: String
    package let reason: String
    package let hint: String
}

extension PullRequestOptions {
    /// What of these options a kind of host cannot do, so that the configuration can be refused before anything is opened.
    package func unsupported(at kind: ForgeKind) -> [UnsupportedOption] {
        var found: [UnsupportedOption] = []
        func add(_ key: String, _ reason: String, _ hint: String) {
            found.append(UnsupportedOption(key: key, reason: reason, hint: hint))
        }
        switch kind {
        case .github, .gitea: break
        case .gitlab:
            if let team = reviewers.first(where: { $0.contains("/") }) {
                add("reviewers", "GitLab has no teams as reviewers ('\(team)')", "name users")
            }
        case .bitbucket:
            if !labels.isEmpty { add("labels", "Bitbucket has no labels on pull requests", "leave 'labels' out") }
            if !assignees.isEmpty {
                add("assignees", "Bitbucket has no assignees on pull requests", "use 'reviewers'")
            }
            if let name = reviewers.first(where: { !Self.isBitbucketAccount($0) }) {
                add(
                    "reviewers", "Bitbucket Cloud takes no user names, and no teams, as reviewers ('\(name)')",
                    "write the account's UUID, '{…}', or its account ID")
            }
            if autoMerge != nil {
                add(
                    "autoMerge", "Bitbucket Cloud's API cannot merge a pull request once its checks have passed",
                    "leave 'autoMerge' out, and merge there")
            }
        case .bitbucketServer:
            if !labels.isEmpty { add("labels", "Bitbucket has no labels on pull requests", "leave 'labels' out") }
            if !assignees.isEmpty {
                add("assignees", "Bitbucket has no assignees on pull requests", "use 'reviewers'")
            }
            if let team = reviewers.first(where: { $0.contains("/") }) {
                add("reviewers", "Bitbucket has no teams as reviewers ('\(team)')", "name users")
            }
        case .azureDevOps:
            if !assignees.isEmpty {
                add("assignees", "Azure DevOps has no assignees on pull requests", "use 'reviewers'")
            }
        }
        return found
    }

    /// A UUID in braces, or an account ID: 24 hexadecimal digits, or a number, a colon and a UUID.
    static func isBitbucketAccount(_ text: String) -> Bool {
        if text.hasPrefix("{"), text.hasSuffix("}") { return AzureDevOps.isIdentifier(text.dropFirst().dropLast()) }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 2 { return !parts[0].isEmpty && AzureDevOps.isIdentifier(parts[1]) }
        return text.utf8.count == 24 && text.allSatisfy(\.isHexDigit)
    }
}
