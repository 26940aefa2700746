import HTTP

/// Merging "when the pipeline succeeds" (docs.gitlab.com/api/merge_requests, *Merge a merge request*): GitLab answers 405 while it
/// prepares a merge request, and always to one without a pipeline, which is merged at once instead.
extension GitLab {
    func ensureAutoMerge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> AutoMerge {
        let address = try url(["merge_requests", String(pullRequest.number)])
        let now: Answer = try await client.get(address)
        if now.state == "merged" { return .merged }
        if now.merge_when_pipeline_succeeds == true { return .enabled }
        let status = now.detailed_merge_status ?? "mergeable"
        switch status {
        case "preparing", "checking", "unchecked", "approvals_syncing":
            return .waiting("GitLab is still checking whether it can be merged (\(status))")
        case "conflict": return .waiting("the branch has conflicts")
        case "draft_status": return .waiting("it is a draft")
        default: break
        }
        if now.head_pipeline == nil, status != "mergeable" {
            return .waiting("GitLab says '\(status)', and there is no pipeline to wait for")
        }
        return try await merge(pullRequest, method, waits: now.head_pipeline != nil, status: status)
    }

    /// - Parameter waits: for the pipeline.
    private func merge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod, waits: Bool, status: String
    ) async throws(ForgeError) -> AutoMerge {
        struct Merge: Encodable {
            let sha: String
            let squash: Bool
            let should_remove_source_branch = true
            /// Its name until GitLab 17.11, and since.
            let merge_when_pipeline_succeeds: Bool
            let auto_merge: Bool
        }
        do throws(ForgeError) {
            let answer: Answer = try await client.send(
                "PUT", try url(["merge_requests", String(pullRequest.number), "merge"]),
                Merge(
                    sha: pullRequest.head, squash: method == .squash, merge_when_pipeline_succeeds: waits,
                    auto_merge: waits))
            return answer.state == "merged" || !waits ? .merged : .enabled
        } catch {
            switch error.status {
            // 401 is what GitLab says to somebody who may not merge.
            case 401: return .refused("the token's user may not merge into this branch")
            case 405, 406, 409, 422: return .waiting("GitLab says '\(status)' (\(error.words))")
            default: throw error
            }
        }
    }
}
