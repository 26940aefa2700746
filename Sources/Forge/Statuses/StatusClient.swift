import Cryptography
import HTTP
import Text

/// Says a status in each host's own words.
struct StatusClient: CommitStatusHost {
    let project: StatusProject
    let client: ForgeClient

    /// Characters that every host takes of a description; GitHub refuses more.
    private static let descriptionLimit = 140
    /// Characters of Bitbucket's keys.
    private static let keyLimit = 40

    func set(_ status: CommitStatus, of commit: String, on branch: String) async throws(ForgeError) {
        let description = CommitStatus.cut(status.description, to: Self.descriptionLimit)
        let parts = project.path.split(separator: "/").map(String.init)
        switch project.kind {
        case .github, .gitea:
            try await post(
                ["repos"] + parts + ["statuses", commit],
                Status(
                    state: Self.word(status.state), context: status.name, description: description,
                    target_url: status.link),
                headers: project.kind == .github ? GitHub.headers : HTTPHeaders())
        case .gitlab:
            do throws(ForgeError) {
                try await post(
                    ["projects", project.path, "statuses", commit],
                    GitLabStatus(
                        state: Self.gitLabWord(status.state), name: CommitStatus.cut(status.name, to: 255), ref: branch,
                        description: description, target_url: status.link))
            } catch {
                // It has this state already: GitLab refuses to say it twice.
                guard error.status == 400, error.cause?.contains("Cannot transition status") == true else {
                    throw error
                }
            }
        case .bitbucket:
            try await post(
                ["repositories"] + parts + ["commit", commit, "statuses", "build"],
                BitbucketStatus(status, description: description, key: Self.key(status.name), isServer: false))
        case .bitbucketServer:
            // It refuses what looks as if a browser had been made to send it.
            try await post(
                ["projects", parts[0], "repos", parts[1], "commits", commit, "builds"],
                BitbucketStatus(status, description: description, key: Self.key(status.name), isServer: true),
                headers: ["X-Atlassian-Token": "no-check"])
        }
    }

    private func post(
        _ path: [String], _ body: some Encodable & Sendable, headers: HTTPHeaders = HTTPHeaders()
    ) async throws(ForgeError) {
        do throws(ForgeError) {
            _ = try await client.post("POST", try url(path), body, headers: headers)
        } catch {
            guard error.code == .authentication || error.code == .notFound else { throw error }
            throw ForgeError(
                error.code, error.summary, place: error.place, cause: error.cause,
                hint: error.hint.flatMap { $0.hasPrefix("grant ") ? $0 : nil }
                    ?? "check 'git.status.project', and that the token in \(client.tokenFile ?? "the environment") may write statuses",
                status: error.status)
        }
    }

    private func url(_ parts: [String]) throws(ForgeError) -> HTTPURL {
        var text = project.api.text
        while text.hasSuffix("/") { text.removeLast() }
        for part in parts { text += "/" + PercentEncoding.encode(part) }
        do throws(HTTPError) { return try HTTPURL(text) } catch { throw ForgeError(error) }
    }

    // MARK: Words

    /// GitHub's and Gitea's.
    private static func word(_ state: CommitStatus.State) -> String {
        switch state {
        case .pending, .running: "pending"
        case .success: "success"
        case .failure: "failure"
        case .error, .cancelled: "error"
        }
    }

    private static func gitLabWord(_ state: CommitStatus.State) -> String {
        switch state {
        case .pending: "pending"
        case .running: "running"
        case .success: "success"
        case .failure, .error: "failed"
        case .cancelled: "canceled"
        }
    }

    /// Longer names become their SHA-1, which is as long as a key may be.
    static func key(_ name: String) -> String {
        name.utf8.count > keyLimit ? hashed(name) : name
    }

    static func hashed(_ name: String) -> String {
        var state = HashState(.sha1)
        state.update(Array(name.utf8))
        return Encoding.hexadecimal(state.finalize())
    }
}

/// GitHub: docs.github.com/rest/commits/statuses. Gitea: `CreateStatusOption` of its API.
private struct Status: Encodable {
    let state: String
    let context: String
    let description: String
    let target_url: String?
}

/// docs.gitlab.com/api/commits: without `ref`, any branch that has the commit would do.
private struct GitLabStatus: Encodable {
    let state: String
    let name: String
    let ref: String
    let description: String
    let target_url: String?
}

/// developer.atlassian.com: commit statuses of Bitbucket Cloud, builds of Bitbucket Data Center. Both want an address, which the
/// configuration has to have.
private struct BitbucketStatus: Encodable {
    let key: String
    let state: String
    let url: String
    let name: String
    let description: String

    init(_ status: CommitStatus, description: String, key: String, isServer: Bool) {
        self.key = key
        state =
            switch status.state {
            case .pending, .running: "INPROGRESS"
            case .success: "SUCCESSFUL"
            case .failure, .error: "FAILED"
            case .cancelled: isServer ? "CANCELLED" : "STOPPED"
            }
        url = status.link ?? ""
        name = CommitStatus.cut(status.name, to: 255)
        self.description = description
    }
}
