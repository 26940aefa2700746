import Foundation

/// A token service for docker-registry: it signs JSON Web Tokens with a key whose certificate the registry trusts.
///
/// `@unchecked Sendable`: everything mutable is touched under the lock.
package final class TokenServer: @unchecked Sendable {
    package struct User: Sendable {
        package var password: String
        /// Prefixes of the repositories that the user may write; everybody may read `public/`.
        package var writes: [String]
        package var reads: [String]
        package var isAdministrator = false

        package init(password: String, writes: [String] = [], reads: [String] = [], isAdministrator: Bool = false) {
            self.password = password
            self.writes = writes
            self.reads = reads
            self.isAdministrator = isAdministrator
        }
    }

    package let directory: String
    private let users: [String: User]
    private let lock = NSLock()
    private var asked: [String] = []
    private var expired = 0
    private var server: StubServer?
    private let certificate: String

    /// - Parameter directory: for the key and the certificate.
    package init(directory: String, users: [String: User]) throws {
        self.directory = directory
        self.users = users
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Shell.run(
            [
                "openssl", "req", "-newkey", "rsa:2048", "-nodes", "-x509", "-days", "2", "-subj", "/CN=Test tokens",
                "-keyout", "token.key", "-out", "token.pem",
            ], in: directory)
        certificate = try String(contentsOfFile: "\(directory)/token.pem", encoding: .utf8)
            .split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
        server = try StubServer { [weak self] in self?.answer($0) ?? .text(500, "") }
    }

    package var host: String { server?.host ?? "" }

    /// What `RegistryServer.Options.token` wants.
    package var options: (realm: String, service: String, issuer: String, bundle: String) {
        ("http://\(host)/token", "registry.test", "test issuer", "\(directory)/token.pem")
    }

    /// The scopes of the requests for tokens, in order, several of one request joined by blanks.
    package var scopes: [String] { lock.withLock { asked } }

    /// The next tokens have ended before they are given.
    package func expire(next count: Int) { lock.withLock { expired = count } }

    private func answer(_ request: StubRequest) -> StubReply {
        var fields: [(String, String)] = []
        let text =
            request.method == "POST"
            ? String(decoding: request.body, as: UTF8.self) : String(request.target.drop { $0 != "?" }.dropFirst())
        for field in text.split(separator: "&") {
            let pair = field.split(separator: "=", maxSplits: 1).map { $0.removingPercentEncoding ?? "" }
            if pair.count == 2 { fields.append((pair[0], pair[1])) }
        }
        func value(_ name: String) -> String? { fields.first { $0.0 == name }?.1 }
        var name: String?
        if request.method == "POST" {
            // The refresh token of a user is `refresh-` and the name.
            guard let token = value("refresh_token"), token.hasPrefix("refresh-"), value("client_id") != nil,
                users[String(token.dropFirst(8))] != nil
            else { return .text(401, #"{"errors":[{"code":"UNAUTHORIZED","message":"unknown refresh token"}]}"#) }
            name = String(token.dropFirst(8))
        } else if let authorization = request.headers["authorization"] {
            let login = Data(base64Encoded: String(authorization.dropFirst("Basic ".count)))
            let parts = String(decoding: login ?? Data(), as: UTF8.self).split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let user = users[String(parts[0])], user.password == parts[1] else {
                return .text(401, #"{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}"#)
            }
            name = String(parts[0])
        }
        let scopes = fields.filter { $0.0 == "scope" }.flatMap { $0.1.split(separator: " ").map(String.init) }
        let isExpired = lock.withLock {
            asked.append(scopes.joined(separator: " "))
            defer { expired = max(0, expired - 1) }
            return expired > 0
        }
        guard let token = try? sign(name, scopes.compactMap { grant($0, to: name) }, isExpired) else {
            return .text(500, "")
        }
        return .text(200, #"{"\#(request.method == "POST" ? "access_token" : "token")":"\#(token)","expires_in":300}"#)
    }

    private func grant(_ scope: String, to name: String?) -> [String: Any]? {
        let parts = scope.split(separator: ":").map(String.init)
        guard parts.count >= 3, let wanted = parts.last?.split(separator: ",").map(String.init) else { return nil }
        let resource = parts[1..<(parts.count - 1)].joined(separator: ":")
        let user = name.flatMap { users[$0] }
        var allowed: Set<String> = []
        if parts[0] == "registry" {
            if user?.isAdministrator == true { allowed = ["*"] }
        } else {
            if resource.hasPrefix("public/") || user?.reads.contains(where: resource.hasPrefix) == true {
                allowed.insert("pull")
            }
            if user?.writes.contains(where: resource.hasPrefix) == true { allowed = ["pull", "push", "delete"] }
        }
        return ["type": parts[0], "name": resource, "actions": wanted.filter(allowed.contains)]
    }

    private func sign(_ subject: String?, _ access: [[String: Any]], _ isExpired: Bool) throws -> String {
        let now = Int(Date().timeIntervalSince1970) - (isExpired ? 7200 : 0)
        let header: [String: Any] = ["typ": "JWT", "alg": "RS256", "x5c": [certificate]]
        let claims: [String: Any] = [
            "iss": "test issuer", "sub": subject ?? "", "aud": "registry.test", "exp": now + 300, "nbf": now - 10,
            "iat": now, "jti": UUID().uuidString, "access": access,
        ]
        func encoded(_ data: Data) -> String {
            data.base64EncodedString().replacingOccurrences(of: "+", with: "-")
                .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
        }
        let text = try [header, claims].map { encoded(try JSONSerialization.data(withJSONObject: $0)) }
            .joined(separator: ".")
        let file = "\(directory)/\(UUID().uuidString)"
        try Shell.run(
            ["openssl", "dgst", "-sha256", "-sign", "\(directory)/token.key", "-out", file], input: Array(text.utf8))
        return "\(text).\(encoded(try Data(contentsOf: URL(fileURLWithPath: file))))"
    }
}
