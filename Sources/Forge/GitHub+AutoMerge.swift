import HTTP

/// Auto-merge is only in GitHub's GraphQL API (docs.github.com/graphql, `enablePullRequestAutoMerge`), and only for what has still
/// something to wait for: a pull request "in clean status" is merged at once.
extension GitHub {
    func ensureAutoMerge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> AutoMerge {
        guard let problem = try await enable(pullRequest, method) else { return .enabled }
        let words = problem.lowercased()
        if words.contains("not allowed for this repository") {
            return .refused("GitHub says '\(problem)': 'Allow auto-merge' is off in the repository's settings")
        }
        if words.contains("clean status") { return try await merge(pullRequest, method) }
        // What it says beside that differs from release to release; its state does not.
        let now: Answer = try await client.get(
            try url(["pulls", String(pullRequest.number)]), headers: Self.headers)
        if now.merged_at != nil { return .merged }
        if now.auto_merge != nil { return .enabled }
        switch now.mergeable_state {
        case "clean": return try await merge(pullRequest, method)
        case "dirty": return .waiting("the branch has conflicts")
        case "draft": return .waiting("it is a draft")
        case "unstable": return .waiting("checks that are not required are under way, or failed")
        case "unknown", nil: return .waiting("GitHub is still checking whether it can be merged")
        case "blocked", "behind", "has_hooks": return .waiting("GitHub says '\(problem)'")
        default: return .refused("GitHub says '\(problem)'")
        }
    }

    /// - Returns: what GitHub has against it.
    private func enable(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> String? {
        struct Request: Encodable {
            let query: String
            let variables: [String: String]
        }
        struct Answer: Decodable {
            struct Problem: Decodable {
                let message: String
                let type: String?
            }

            let errors: [Problem]?
        }
        guard let node = pullRequest.node else {
            throw ForgeError(.unexpectedAnswer, "the pull request has no node_id", place: pullRequest.url)
        }
        // https://api.github.com/graphql, and at GitHub Enterprise Server https://HOST/api/graphql beside /api/v3.
        var base = project.api.text
        while base.hasSuffix("/") { base.removeLast() }
        if base.hasSuffix("/api/v3") { base.removeLast(3) } else { base += "/" }
        let address: HTTPURL
        do { address = try HTTPURL(base + "graphql") } catch { throw ForgeError(error) }
        let answer: Answer = try await client.send(
            "POST", address,
            Request(
                query:
                    "mutation($id: ID!, $method: PullRequestMergeMethod!) { enablePullRequestAutoMerge(input: "
                    + "{pullRequestId: $id, mergeMethod: $method}) { clientMutationId } }",
                variables: ["id": node, "method": method.rawValue.uppercased()]), headers: Self.headers)
        guard let problem = answer.errors?.first else { return nil }
        let words = String(problem.message.prefix(300))
        switch problem.type {
        case "FORBIDDEN", "INSUFFICIENT_SCOPES":
            throw ForgeError(
                .authentication, "the token may not turn on auto-merge", place: pullRequest.url, cause: words)
        case "RATE_LIMITED":
            throw ForgeError(.rateLimited, "the code host asks for a pause", place: address.authority, cause: words)
        default: return words
        }
    }

    private func merge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> AutoMerge {
        do throws(ForgeError) {
            _ = try await client.post(
                "PUT", try url(["pulls", String(pullRequest.number), "merge"]),
                ["merge_method": method.rawValue, "sha": pullRequest.head], headers: Self.headers)
            return .merged
        } catch {
            switch error.status {
            // Not mergeable as it stands; another head than the one that was looked at.
            case 405 where error.cause?.lowercased().contains("not allowed on this repository") == true:
                return .refused(error.words)
            case 405, 409: return .waiting(error.words)
            default: throw error
            }
        }
    }
}
