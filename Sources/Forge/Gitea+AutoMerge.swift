import HTTP

/// Merging "when checks succeed" (POST /repos/OWNER/NAME/pulls/N/merge): 201 says that it is scheduled, 200 that there was nothing
/// to wait for and it is merged. Whether it is scheduled stands nowhere but in the pull request's timeline.
extension Gitea {
    func ensureAutoMerge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> AutoMerge {
        struct Merge: Encodable {
            let Do: String
            let head_commit_id: String
            let merge_when_checks_succeed = true
            let delete_branch_after_merge = true
        }
        do throws(ForgeError) {
            let answer = try await client.post(
                "POST", try url(["pulls", String(pullRequest.number), "merge"]),
                Merge(Do: method.rawValue, head_commit_id: pullRequest.head))
            return answer.status == 201 ? .enabled : .merged
        } catch {
            let words = error.words
            switch error.status {
            case 409 where words.contains("already scheduled"): return .enabled
            case 405 where words.lowercased().contains("not allowed"): return .refused("Gitea says '\(words)'")
            case 405, 409, 423: return .waiting("Gitea says '\(words)'")
            default: throw error
            }
        }
    }

    func isAutoMergeOn(_ pullRequest: PullRequest) async throws(ForgeError) -> Bool {
        struct Event: Decodable, Sendable { let type: String? }
        var isOn = false
        for page in 1...Self.timelinePages {
            let events = try await client.page(
                try url(
                    ["issues", String(pullRequest.number), "timeline"],
                    [("limit", String(Self.timelinePage)), ("page", String(page))]), as: [Event].self,
                limit: Self.timelinePage)
            for event in events?.items ?? [] {
                switch event.type {
                case "pull_scheduled_merge": isOn = true
                case "pull_cancel_scheduled_merge": isOn = false
                default: break
                }
            }
            if events?.hasNext != true { break }
        }
        return isOn
    }

    private static let timelinePage = 50
    private static let timelinePages = 10
}
