import FoundationEssentials
package import HTTP
import Text

/// Commits that GitHub makes and signs with its own key (docs.github.com/rest/git): blobs, a tree and a commit, which no branch
/// names yet. It signs those of an App that name neither author nor committer.
package struct GitHubCommits: Sendable {
    /// A file's new content.
    package struct File: Sendable {
        package let path: String
        /// As git writes it: `100644`, `100755`.
        package let mode: String
        package let content: [UInt8]

        package init(path: String, mode: String, content: [UInt8]) {
            self.path = path
            self.mode = mode
            self.content = content
        }
    }

    /// A commit of GitHub's, of which the same bytes can be made here.
    package struct Made: Sendable, Equatable {
        package let id: String
        package let tree: String
        /// The commit without its signature.
        package let payload: String
        package let signature: String
    }

    private let settings: GitHubAppSettings
    private let client: ForgeClient

    /// - Parameter http: must allow plain HTTP where the API has it.
    package init(
        _ settings: GitHubAppSettings, app: GitHubApp, http: HTTPClient, pauses: ForgePauses = .shared
    ) {
        self.settings = settings
        client = ForgeClient(http: http, tokens: app, scheme: .bearer, tokenFile: nil, pauses: pauses)
    }

    private struct Object: Decodable { let sha: String }

    private struct Entry: Encodable {
        let path: String
        let mode: String
        let type = "blob"
        let sha: String
    }

    private struct Tree: Encodable {
        let base_tree: String
        let tree: [Entry]
    }

    private struct Commit: Encodable {
        let message: String
        let tree: String
        let parents: [String]
    }

    private struct Answer: Decodable {
        struct Verification: Decodable {
            let verified: Bool
            let reason: String?
            let signature: String?
            let payload: String?
        }

        let sha: String
        let tree: Object
        let verification: Verification?
    }

    /// - Parameters:
    ///   - parent: a commit that GitHub has.
    ///   - base: its tree.
    package func make(
        _ files: [File], message: String, on parent: String, base: String
    ) async throws(ForgeError) -> Made {
        var entries: [Entry] = []
        for file in files.sorted(by: { $0.path < $1.path }) {
            let blob: Object = try await client.send(
                "POST", try url(["git", "blobs"]),
                ["content": Data(file.content).base64EncodedString(), "encoding": "base64"], headers: GitHub.headers)
            entries.append(Entry(path: file.path, mode: file.mode, sha: blob.sha))
        }
        let tree: Object = try await client.send(
            "POST", try url(["git", "trees"]), Tree(base_tree: base, tree: entries), headers: GitHub.headers)
        let answer: Answer = try await client.send(
            "POST", try url(["git", "commits"]), Commit(message: message, tree: tree.sha, parents: [parent]),
            headers: GitHub.headers)
        guard let verification = answer.verification, verification.verified, let signature = verification.signature,
            let payload = verification.payload
        else {
            throw ForgeError(
                .refused, "GitHub did not sign the commit", place: settings.api.description,
                cause: answer.verification?.reason, hint: "leave 'github.verifiedCommits' out")
        }
        return Made(id: answer.sha, tree: answer.tree.sha, payload: payload, signature: signature)
    }

    private func url(_ parts: [String]) throws(ForgeError) -> HTTPURL {
        var text = settings.api.text
        while text.hasSuffix("/") { text.removeLast() }
        let path = ["repos"] + settings.repository.split(separator: "/").map(String.init) + parts
        for part in path { text += "/" + PercentEncoding.encode(part) }
        do throws(HTTPError) { return try HTTPURL(text) } catch { throw ForgeError(error) }
    }
}
