import Blocking
import FoundationEssentials
import Glibc
package import HTTP
import Text

package struct AWSCredentials: Sendable, Hashable {
    package let accessKey: String
    package let secretKey: String
    package let sessionToken: String?

    package init(accessKey: String, secretKey: String, sessionToken: String? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
    }
}

/// Who this process is at AWS: the places where AWS's own programs look, in their order.
///
/// 1. `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`
/// 2. a web identity (IRSA): `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`, `AWS_ROLE_SESSION_NAME`
/// 3. the shared file `~/.aws/credentials` (`AWS_SHARED_CREDENTIALS_FILE`, `AWS_PROFILE`)
/// 4. the container's service (EKS Pod Identity, ECS): `AWS_CONTAINER_CREDENTIALS_FULL_URI`, `…_RELATIVE_URI`
/// 5. the instance's metadata service, version 2
///
/// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
package actor AWSIdentity {
    package nonisolated let environment: CloudEnvironment
    private let client: CloudClient
    private var known: (credentials: AWSCredentials, until: Int64)?

    package init(_ environment: CloudEnvironment = .process, proxies: Proxies = .environment) {
        self.environment = environment
        client = CloudClient(proxies: proxies)
    }

    /// `nil` where there is no identity.
    package func credentials() async throws(CloudError) -> AWSCredentials? {
        if let known, known.until > Int64(time(nil)) + 300 { return known.credentials }
        if let key = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"] {
            return AWSCredentials(accessKey: key, secretKey: secret, sessionToken: environment["AWS_SESSION_TOKEN"])
        }
        var found: (AWSCredentials, Int64)?
        if let file = environment["AWS_WEB_IDENTITY_TOKEN_FILE"], let role = environment["AWS_ROLE_ARN"] {
            found = try await webIdentity(file, role)
        } else if let shared = try await shared() {
            return shared
        } else if let container = try await container() {
            found = container
        } else {
            found = try await instance()
        }
        guard let found else { return nil }
        known = (found.0, found.1)
        return found.0
    }

    package nonisolated var region: String {
        environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? "us-east-1"
    }

    /// Where a service is: `AWS_ENDPOINT_URL_ECR`, `AWS_ENDPOINT_URL`, else its own address.
    package nonisolated func endpoint(_ service: String, _ standard: String) -> String {
        let name = service.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
        let url = environment["AWS_ENDPOINT_URL_\(name)"] ?? environment["AWS_ENDPOINT_URL"] ?? standard
        return url.hasSuffix("/") ? url : url + "/"
    }

    /// Sends a signed request of the JSON protocol.
    package func call(
        _ service: String, endpoint: String, region: String, target: String, body: String
    ) async throws(CloudError) -> HTTPResponse? {
        guard let credentials = try await credentials() else { return nil }
        let url: HTTPURL
        do throws(HTTPError) {
            url = try HTTPURL(endpoint)
        } catch {
            throw CloudError("the address of AWS's \(service) cannot be used", place: error.place, cause: error.cause)
        }
        var headers: HTTPHeaders = ["Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target]
        SignatureV4(credentials: credentials, region: region, service: service)
            .sign("POST", url, &headers, payload: SignatureV4.hash(body), at: Int64(time(nil)))
        return try await client.send(
            "POST", endpoint, headers: headers, body: Array(body.utf8), failing: "AWS's \(service) refuses")
    }

    // MARK: The places

    private func webIdentity(_ file: String, _ role: String) async throws(CloudError) -> (AWSCredentials, Int64) {
        let failing = "AWS does not accept the web identity"
        let token = try await runBlocking { () throws(CloudError) in
            CloudEnvironment.trimmed(try CloudEnvironment.readFile(file))
        }
        let response = try await client.send(
            "POST", endpoint("sts", "https://sts.\(region).amazonaws.com"),
            form: [
                ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
                ("RoleSessionName", environment["AWS_ROLE_SESSION_NAME"] ?? "slipway"), ("WebIdentityToken", token),
            ], failing: failing)
        let text = String(decoding: response.body, as: UTF8.self)
        guard let key = CloudClient.element("AccessKeyId", of: text),
            let secret = CloudClient.element("SecretAccessKey", of: text)
        else { throw CloudError(failing, place: "\(response.head.url)", cause: "the answer has no credentials") }
        let session = CloudClient.element("SessionToken", of: text).map(CloudEnvironment.trimmed)
        return (
            AWSCredentials(accessKey: key, secretKey: secret, sessionToken: session),
            Self.seconds(CloudClient.element("Expiration", of: text))
        )
    }

    private func shared() async throws(CloudError) -> AWSCredentials? {
        let named = environment["AWS_SHARED_CREDENTIALS_FILE"]
        guard let file = named ?? environment["HOME"].map({ "\($0)/.aws/credentials" }) else { return nil }
        let text = try await runBlocking { () throws(CloudError) -> String? in
            if access(file, F_OK) != 0 { return nil }
            return try CloudEnvironment.readFile(file)
        }
        guard let text else { return nil }
        let profile = environment["AWS_PROFILE"] ?? "default"
        var values: [String: String] = [:]
        var section = ""
        for line in text.split(whereSeparator: \.isNewline).map({ CloudEnvironment.trimmed(String($0)) }) {
            if line.hasPrefix("["), line.hasSuffix("]") {
                section = CloudEnvironment.trimmed(String(line.dropFirst().dropLast()))
            } else if section == profile, let equals = line.firstIndex(of: "="), !line.hasPrefix("#") {
                values[CloudEnvironment.trimmed(String(line[..<equals])).lowercased()] = CloudEnvironment.trimmed(
                    String(line[line.index(after: equals)...]))
            }
        }
        guard let key = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] else { return nil }
        return AWSCredentials(accessKey: key, secretKey: secret, sessionToken: values["aws_session_token"])
    }

    private struct Answer: Decodable {
        var AccessKeyId: String
        var SecretAccessKey: String
        var Token: String?
        var Expiration: String?

        var parts: (AWSCredentials, Int64) {
            (
                AWSCredentials(accessKey: AccessKeyId, secretKey: SecretAccessKey, sessionToken: Token),
                AWSIdentity.seconds(Expiration)
            )
        }
    }

    private func container() async throws(CloudError) -> (AWSCredentials, Int64)? {
        let relative = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"].map { "http://169.254.170.2\($0)" }
        guard let url = relative ?? environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] else { return nil }
        let failing = "the container's service gives no AWS credentials"
        var headers = HTTPHeaders()
        if let file = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] {
            headers["Authorization"] = try await runBlocking { () throws(CloudError) in
                CloudEnvironment.trimmed(try CloudEnvironment.readFile(file))
            }
        } else if let token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] {
            headers["Authorization"] = token
        }
        let response = try await client.send("GET", url, headers: headers, failing: failing)
        return try client.decode(Answer.self, response, failing: failing).parts
    }

    private func instance() async throws(CloudError) -> (AWSCredentials, Int64)? {
        let named = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
        guard environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true",
            named != nil || environment.machine.contains("Amazon EC2")
        else { return nil }
        let base = (named ?? "http://169.254.169.254").split(separator: "/", omittingEmptySubsequences: true)
        let root = "\(base[0])//\(base.dropFirst().joined(separator: "/"))/latest"
        let failing = "the instance's metadata service gives no AWS credentials"
        let token = try await client.send(
            "PUT", "\(root)/api/token", headers: ["X-aws-ec2-metadata-token-ttl-seconds": "21600"], failing: failing)
        let headers: HTTPHeaders = [
            "X-aws-ec2-metadata-token": CloudEnvironment.trimmed(String(decoding: token.body, as: UTF8.self))
        ]
        let list = "\(root)/meta-data/iam/security-credentials/"
        let roles = try await client.send("GET", list, headers: headers, failing: failing)
        let names = String(decoding: roles.body, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let role = names.first else { return nil }
        let response = try await client.send("GET", list + role, headers: headers, failing: failing)
        return try client.decode(Answer.self, response, failing: failing).parts
    }

    /// Of `2024-05-01T12:00:00Z`; an hour from now when it cannot be read.
    private static func seconds(_ text: String?) -> Int64 {
        text.flatMap(UTCDate.seconds(rfc3339:)) ?? Int64(time(nil)) + 3600
    }
}
