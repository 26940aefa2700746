import HTTP

/// Auto-complete: the host completes a pull request once its branch's policies are met, at once where there are none.
extension AzureDevOps {
    func ensureAutoMerge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> AutoMerge {
        struct Completion: Encodable {
            let mergeStrategy: String
            let deleteSourceBranch = true
        }
        struct Request: Encodable {
            let autoCompleteSetBy: Identity
            let completionOptions: Completion
        }
        let now = try await answer(pullRequest)
        if now.status == "completed" { return .merged }
        if now.isDraft == true { return .waiting("it is a draft") }
        guard now.lastMergeSourceCommit?.commitId == pullRequest.head else {
            return .waiting("Azure DevOps does not know the branch's newest commit yet")
        }
        switch now.mergeStatus {
        case "conflicts": return .waiting("the branch has conflicts")
        case "queued", "notSet": return .waiting("Azure DevOps is still checking whether it can be merged")
        default: break
        }
        if now.autoCompleteSetBy != nil { return .enabled }
        do throws(ForgeError) {
            let answer: Answer = try await client.send(
                "PATCH", try url(["pullrequests", String(pullRequest.number)]),
                Request(
                    autoCompleteSetBy: try await ownIdentity(),
                    completionOptions: Completion(mergeStrategy: Self.strategy(method))))
            return answer.status == "completed" ? .merged : .enabled
        } catch {
            switch error.status {
            case 403: return .refused("the token may not set auto-complete (\(error.words))")
            case 400 where error.words.lowercased().contains("merge"): return .refused(error.words)
            case 409: return .waiting(error.words)
            default: throw error
            }
        }
    }

    private static func strategy(_ method: PullRequestOptions.MergeMethod) -> String {
        switch method {
        case .merge: "noFastForward"
        case .squash: "squash"
        case .rebase: "rebase"
        }
    }
}
