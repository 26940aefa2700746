import FoundationEssentials
import HTTP
import Text

extension ForgeClient {
    /// What a refusal means; the host's pause begins with it.
    func failure(
        _ response: HTTPResponse, _ method: String, _ url: HTTPURL, token: String
    ) -> ForgeError {
        let place = "\(method) \(url)"
        let cause = "HTTP status \(response.status)" + (message(response.body, without: token).map { ": \($0)" } ?? "")
        func error(_ code: ForgeError.Code, _ summary: String, hint: String?) -> ForgeError {
            ForgeError(
                code, summary, place: place, cause: cause, hint: hint, status: response.status,
                hostTime: response.headers["Date"].flatMap(UTCDate.seconds(http:)))
        }
        let isLimited =
            response.status == 429
            || response.status == 403
                && (response.headers["X-RateLimit-Remaining"] == "0" || response.headers["Retry-After"] != nil
                    || cause.lowercased().contains("rate limit"))
        let until = pauses.learn(response.head, isRefused: isLimited)
        if isLimited, let until { return ForgePauses.error(url, until: until, cause: cause) }
        if Self.isPolicy(cause), (400..<500).contains(response.status), response.status != 401 {
            return error(
                .policy, "a rule of the repository refuses this",
                hint: "change the rule, or make an exception for the token's account")
        }
        switch response.status {
        case 403 where isLimited, 429:
            return error(.rateLimited, "the code host asks for a pause", hint: "the next cycle tries again")
        case 401, 203:
            return error(
                .authentication, "the code host refuses the token",
                hint: tokenFile.map { "check that the token in \($0) is right and not expired" }
                    ?? "check that it is right and not expired")
        case 403:
            return error(.authentication, "the token may not do this", hint: Self.permission(response.headers))
        case 404, 410:
            return error(
                .notFound, "the code host has no such project, or does not show it to this token",
                hint: "check 'pullRequest.project' and the token's access")
        case 500...: return error(.unavailable, "the code host failed", hint: "the next cycle tries again")
        case 300..<400:
            return error(
                .refused, "the code host redirects",
                hint: "use the final URL as 'pullRequest.api', and the project's present name")
        default: return error(.refused, "the code host refuses the request", hint: nil)
        }
    }

    /// What is to be granted. GitHub says what it takes (docs.github.com/rest, *Permissions required for fine-grained tokens*).
    private static func permission(_ headers: HTTPHeaders) -> String {
        if let accepted = headers["X-Accepted-GitHub-Permissions"], !accepted.isEmpty {
            let needed = accepted.split(separator: ";").map { way in
                way.split(separator: ",").map { pair in
                    let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                    let name = (parts.first ?? "").split(separator: "_").joined(separator: " ")
                    return "'\(name.prefix(1).uppercased())\(name.dropFirst()): \(parts.last ?? "")'"
                }.joined(separator: " and ")
            }.joined(separator: ", or ")
            return "grant \(printable(needed, limit: 200))"
        }
        return
            "GitHub: 'Pull requests: write' and 'Contents: write'; GitLab: scope 'api', role Developer; Gitea: scopes "
            + "'write:repository' and 'write:issue'; Bitbucket: pull requests and repositories, write; Azure DevOps: "
            + "'Code (read & write)' and 'Contribute to pull requests'"
    }

    /// Whether a refusal speaks of a branch's protection: GitHub's rules and protected branches, GitLab's protected branches,
    /// Bitbucket's branch permissions, and the policies of Azure DevOps.
    private static func isPolicy(_ cause: String) -> Bool {
        let words = cause.lowercased()
        return [
            "rule violation", "protected branch", "branch is protected", "branch permission", "branch restriction",
            "tf402455", "branch policies", "branch policy",
        ].contains { words.contains($0) }
    }

    /// What the host says, bounded, on one line, without the token.
    private func message(_ body: [UInt8], without token: String) -> String? {
        struct Body: Decodable {
            struct Detail: Decodable {
                var message: String?
                var field: String?
                var code: String?

                enum CodingKeys: CodingKey { case message, field, code }

                init(from decoder: any Decoder) throws {
                    if let text = try? decoder.singleValueContainer().decode(String.self) {
                        message = text
                        return
                    }
                    let container = try decoder.container(keyedBy: CodingKeys.self)
                    message = try? container.decode(String.self, forKey: .message)
                    field = try? container.decode(String.self, forKey: .field)
                    code = try? container.decode(String.self, forKey: .code)
                }
            }

            /// GitLab says one text, a list of texts, or lists of texts by field.
            var texts: [String] = []

            enum CodingKeys: CodingKey { case message, error, error_description, errors }

            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: CodingKeys.self)
                if let text = try? container.decode(String.self, forKey: .message) { texts.append(text) }
                if let list = try? container.decode([String].self, forKey: .message) { texts += list }
                if let fields = try? container.decode([String: [String]].self, forKey: .message) {
                    texts += fields.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.joined(separator: ", "))" }
                }
                // A text, or Bitbucket's object.
                if let text = (try? container.decode(Detail.self, forKey: .error))?.message { texts.append(text) }
                if let text = try? container.decode(String.self, forKey: .error_description) { texts.append(text) }
                for detail in (try? container.decode([Detail].self, forKey: .errors)) ?? [] {
                    let text = detail.message ?? [detail.field, detail.code].compactMap { $0 }.joined(separator: " ")
                    if !text.isEmpty { texts.append(text) }
                }
            }
        }
        var text: String
        if let body = try? JSONDecoder().decode(Body.self, from: Data(body)), !body.texts.isEmpty {
            text = body.texts.joined(separator: "; ")
        } else {
            return nil
        }
        if !token.isEmpty { text = Self.replacing(token, in: text) }
        let shown = String.UnicodeScalarView(
            text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 })
        return String(String(shown).prefix(500))
    }

    /// A host that repeats what it was sent must not bring the token into a log.
    private static func replacing(_ secret: String, in text: String) -> String {
        let (bytes, needle) = (Array(text.utf8), Array(secret.utf8))
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: needle) {
                result += Array("***".utf8)
                index += needle.count
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
