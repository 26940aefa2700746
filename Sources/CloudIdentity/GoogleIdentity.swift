import Blocking
import Cryptography
import FoundationEssentials
import Glibc
package import HTTP

/// Who this process is at Google Cloud: the file of `GOOGLE_APPLICATION_CREDENTIALS` (a service account or a user), else the
/// machine's service account, from the metadata service.
///
/// https://cloud.google.com/docs/authentication/application-default-credentials,
/// https://developers.google.com/identity/protocols/oauth2/service-account#httprest
package actor GoogleIdentity {
    private let environment: CloudEnvironment
    private let client: CloudClient
    private var known: (token: String, until: Int64)?

    package init(_ environment: CloudEnvironment = .process, proxies: Proxies = .environment) {
        self.environment = environment
        client = CloudClient(proxies: proxies)
    }

    private struct File: Decodable {
        var type: String?
        var client_email: String?
        var private_key: String?
        var private_key_id: String?
        var token_uri: String?
        var client_id: String?
        var client_secret: String?
        var refresh_token: String?
    }

    private struct Answer: Decodable {
        var access_token: String
        var expires_in: Int64?
    }

    /// An access token; `nil` where there is no identity.
    package func accessToken() async throws(CloudError) -> String? {
        let now = Int64(time(nil))
        if let known, known.until > now + 60 { return known.token }
        let answer: Answer
        if let path = environment["GOOGLE_APPLICATION_CREDENTIALS"] {
            answer = try await token(of: path, now)
        } else if let named = environment["GCE_METADATA_HOST"] {
            answer = try await metadata(named)
        } else if environment.machine.contains("Google") {
            answer = try await metadata("metadata.google.internal")
        } else {
            return nil
        }
        known = (answer.access_token, now + min(max(answer.expires_in ?? 3600, 0), 86_400))
        return answer.access_token
    }

    private func metadata(_ host: String) async throws(CloudError) -> Answer {
        let failing = "the metadata service gives no token of Google Cloud"
        let response = try await client.send(
            "GET", "http://\(host)/computeMetadata/v1/instance/service-accounts/default/token",
            headers: ["Metadata-Flavor": "Google"], failing: failing)
        return try client.decode(Answer.self, response, failing: failing)
    }

    private func token(of path: String, _ now: Int64) async throws(CloudError) -> Answer {
        let text = try await runBlocking { () throws(CloudError) in try CloudEnvironment.readFile(path) }
        guard let file = try? JSONDecoder().decode(File.self, from: Data(text.utf8)) else {
            throw CloudError("the credentials of Google Cloud cannot be read", place: path)
        }
        let service = file.token_uri ?? "https://oauth2.googleapis.com/token"
        let form: [(String, String)]
        switch file.type {
        case "service_account":
            guard let email = file.client_email, let key = file.private_key else {
                throw CloudError(
                    "the credentials of Google Cloud are not complete", place: path,
                    cause: "'client_email' or 'private_key' is missing")
            }
            let assertion = try Self.assertion(email, key, keyID: file.private_key_id, audience: service, now, path)
            form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)]
        case "authorized_user":
            form = [
                ("grant_type", "refresh_token"), ("client_id", file.client_id ?? ""),
                ("client_secret", file.client_secret ?? ""), ("refresh_token", file.refresh_token ?? ""),
            ]
        default:
            throw CloudError(
                "credentials of this type are not supported", place: path, cause: "'type' is '\(file.type ?? "")'",
                hint: "use a key of a service account, or the service account of the pod")
        }
        let failing = "Google Cloud refuses the credentials"
        let response = try await client.send("POST", service, form: form, failing: failing)
        return try client.decode(Answer.self, response, failing: failing)
    }

    private struct Header: Encodable {
        let alg = "RS256"
        let typ = "JWT"
        let kid: String?
    }

    private struct Claims: Encodable {
        let iss: String
        let scope: String
        let aud: String
        let iat: Int64
        let exp: Int64
    }

    private static func assertion(
        _ email: String, _ pem: String, keyID: String?, audience: String, _ now: Int64, _ path: String
    ) throws(CloudError) -> String {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let claims = Claims(
                iss: email, scope: "https://www.googleapis.com/auth/cloud-platform", aud: audience, iat: now - 10,
                exp: now + 3590)
            let parts = [try encoder.encode(Header(kid: keyID)), try encoder.encode(claims)]
            let text = parts.map { Encoding.base64URL([UInt8]($0)) }.joined(separator: ".")
            let signature = try RSAPrivateKey(pem: pem).signature(of: Array(text.utf8))
            return "\(text).\(Encoding.base64URL(signature))"
        } catch let error as CryptographyError {
            throw CloudError("the key of the service account cannot be used", place: path, cause: error.summary)
        } catch {
            throw CloudError("the key of the service account cannot be used", place: path)
        }
    }
}
