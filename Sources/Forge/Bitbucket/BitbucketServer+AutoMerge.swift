import HTTP

/// Merging "when ready": `autoMerge` with the request to merge, since Data Center 8.15. Whether it is on has an address of its own.
/// Older releases know nothing of it: they merge what may be merged, and say what is in the way of the rest.
extension BitbucketServer {
    private struct Readiness: Decodable {
        struct Veto: Decodable { let summaryMessage: String? }

        let canMerge: Bool
        let conflicted: Bool?
        let vetoes: [Veto]?
    }

    func ensureAutoMerge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> AutoMerge {
        struct Merge: Encodable {
            let version: Int
            let strategyId: String
            let autoMerge: Bool?
        }
        let now: Answer = try await client.get(try url(of: pullRequest))
        if now.state == "MERGED" { return .merged }
        if now.draft == true { return .waiting("it is a draft") }
        guard now.fromRef.latestCommit == pullRequest.head else {
            return .waiting("Bitbucket does not know the branch's newest commit yet")
        }
        let readiness: Readiness = try await client.get(try url(of: pullRequest, ["merge"]))
        if readiness.conflicted == true { return .waiting("the branch has conflicts") }
        if !readiness.canMerge, try await isAutoMergeOn(pullRequest) { return .enabled }
        do throws(ForgeError) {
            let answer: Answer = try await client.send(
                "POST", try url(of: pullRequest, ["merge"], [("version", String(now.version))]),
                Merge(
                    version: now.version, strategyId: Self.strategy(method),
                    autoMerge: readiness.canMerge ? nil : true),
                headers: Self.headers)
            return answer.state == "MERGED" ? .merged : .enabled
        } catch {
            let words = error.words.lowercased()
            switch error.status {
            case 400 where words.contains("strategy"), 409 where words.contains("strategy"),
                403 where words.contains("auto-merge"), 409 where words.contains("auto-merge"):
                return .refused("Bitbucket says '\(error.words)'")
            case 401, 403: return .refused("the token's user may not merge into this branch (\(error.words))")
            case 409:
                let vetoes = (readiness.vetoes ?? []).compactMap(\.summaryMessage).joined(separator: "; ")
                return .waiting("Bitbucket says '\(vetoes.isEmpty ? error.words : vetoes)'")
            default: throw error
            }
        }
    }

    func isAutoMergeOn(_ pullRequest: PullRequest) async throws(ForgeError) -> Bool {
        struct Request: Decodable { let fromHash: String? }
        do throws(ForgeError) {
            let response = try await client.response(try url(of: pullRequest, ["auto-merge"]))
            guard response.status == 200, !response.body.isEmpty else { return false }
            let request: Request = try client.decoded(response, "GET", try url(of: pullRequest, ["auto-merge"]))
            return request.fromHash != nil
        } catch {
            // There is none, or this release has no such thing.
            guard error.code == .notFound else { throw error }
            return false
        }
    }

    /// The names of git's ways to merge there.
    private static func strategy(_ method: PullRequestOptions.MergeMethod) -> String {
        switch method {
        case .merge: "no-ff"
        case .squash: "squash"
        case .rebase: "rebase-no-ff"
        }
    }
}
