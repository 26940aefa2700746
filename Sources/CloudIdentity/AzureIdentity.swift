import Blocking
import FoundationEssentials
import Glibc
package import HTTP
import Text

/// Who this process is at Azure: a client secret, a workload identity (a token of Kubernetes), or the machine's managed
/// identity.
///
/// https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
/// https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
package actor AzureIdentity {
    private let environment: CloudEnvironment
    private let client: CloudClient
    private var known: [String: (token: String, until: Int64)] = [:]

    package init(_ environment: CloudEnvironment = .process, proxies: Proxies = .environment) {
        self.environment = environment
        client = CloudClient(proxies: proxies)
    }

    package nonisolated var tenant: String? { environment["AZURE_TENANT_ID"] }

    /// The resource whose tokens container registries take.
    package static let management = "https://management.azure.com/"
    /// The resource of blobs.
    package static let storage = "https://storage.azure.com/"

    private struct Answer: Decodable {
        var access_token: String
        var expires_in: Int64?

        enum CodingKeys: String, CodingKey {
            case access_token, expires_in
        }

        /// The metadata service writes its numbers as texts.
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            access_token = try container.decode(String.self, forKey: .access_token)
            expires_in =
                (try? container.decode(Int64.self, forKey: .expires_in))
                ?? (try? container.decode(String.self, forKey: .expires_in)).flatMap { Int64($0) }
        }
    }

    /// An access token; `nil` where there is no identity.
    package func accessToken(for resource: String = management) async throws(CloudError) -> String? {
        let now = Int64(time(nil))
        if let known = known[resource], known.until > now + 60 { return known.token }
        let failing = "Azure gives no token"
        let response: HTTPResponse
        if let tenant, let id = environment["AZURE_CLIENT_ID"], let proof = try await proof() {
            var authority = environment["AZURE_AUTHORITY_HOST"] ?? "https://login.microsoftonline.com/"
            if !authority.hasSuffix("/") { authority += "/" }
            response = try await client.send(
                "POST", "\(authority)\(PercentEncoding.encode(tenant))/oauth2/v2.0/token",
                form: [
                    ("grant_type", "client_credentials"), ("client_id", id), ("scope", "\(resource).default"),
                ] + proof, failing: failing)
        } else if let root = metadataRoot {
            let identity = environment["AZURE_CLIENT_ID"].map { "&client_id=\(PercentEncoding.encode($0))" } ?? ""
            response = try await client.send(
                "GET",
                "\(root)/metadata/identity/oauth2/token?api-version=2018-02-01&resource="
                    + PercentEncoding.encode(resource) + identity, headers: ["Metadata": "true"], failing: failing)
        } else {
            return nil
        }
        let answer = try client.decode(Answer.self, response, failing: failing)
        known[resource] = (answer.access_token, now + min(max(answer.expires_in ?? 3600, 0), 86_400))
        return answer.access_token
    }

    private func proof() async throws(CloudError) -> [(String, String)]? {
        if let secret = environment["AZURE_CLIENT_SECRET"] { return [("client_secret", secret)] }
        guard let file = environment["AZURE_FEDERATED_TOKEN_FILE"] else { return nil }
        let token = try await runBlocking { () throws(CloudError) in
            CloudEnvironment.trimmed(try CloudEnvironment.readFile(file))
        }
        return [
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", token),
        ]
    }

    private var metadataRoot: String? {
        if let host = environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] {
            return host.hasSuffix("/") ? String(host.dropLast()) : host
        }
        // The tag that Azure gives to all its machines.
        return environment.machine.contains("7783-7084-3265-9085-8269-3286-77") ? "http://169.254.169.254" : nil
    }

    /// Exchanges a token for a registry's refresh token.
    ///
    /// https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
    package func registryToken(registry: String, endpoint: String) async throws(CloudError) -> String? {
        guard let token = try await accessToken() else { return nil }
        struct Exchanged: Decodable {
            var refresh_token: String
        }
        let failing = "the registry does not accept Azure's token"
        var form = [("grant_type", "access_token"), ("service", registry), ("access_token", token)]
        if let tenant { form.append(("tenant", tenant)) }
        let response = try await client.send("POST", "\(endpoint)/oauth2/exchange", form: form, failing: failing)
        return try client.decode(Exchanged.self, response, failing: failing).refresh_token
    }
}
