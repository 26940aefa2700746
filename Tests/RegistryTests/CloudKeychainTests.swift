import CloudIdentity
import Diagnostics
import Foundation
import OCI
import TestSupport
import Testing

@testable import Registry

/// The exchanges with the clouds, against a server of our own that stands for their services (a fake: it answers as their
/// documentation says).
@Suite(.tags(.integration)) struct CloudKeychainTests {
    private static func fields(_ request: StubRequest) -> [String: String] {
        var result: [String: String] = [:]
        for field in String(decoding: request.body, as: UTF8.self).split(separator: "&") {
            let pair = field.split(separator: "=", maxSplits: 1).map(String.init)
            result[pair[0]] = pair.count == 2 ? pair[1].removingPercentEncoding : ""
        }
        return result
    }

    private static let ecrHost = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

    /// ECR, STS and the metadata service of AWS in one.
    private static func aws(_ request: StubRequest) -> StubReply {
        let token = Data("AWS:ecr-password".utf8).base64EncodedString()
        switch (request.method, request.path) {
        case ("POST", "/") where request.headers["x-amz-target"]?.hasSuffix("GetAuthorizationToken") == true:
            let isPublic = request.headers["x-amz-target"]?.hasPrefix("Spencer") == true
            let item = #"{"authorizationToken":"\#(token)","expiresAt":\#(Date().timeIntervalSince1970 + 43200)}"#
            return .text(200, #"{"authorizationData":\#(isPublic ? item : "[\(item)]")}"#)
        case ("POST", "/"):
            let form = fields(request)
            guard form["Action"] == "AssumeRoleWithWebIdentity", form["WebIdentityToken"] == "the.web.token" else {
                return .text(
                    403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
            }
            return .text(
                200,
                """
                <AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
                <AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey>
                <SessionToken>session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
                </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>
                """)
        case ("PUT", "/latest/api/token"): return .text(200, "v2-token")
        case ("GET", "/latest/meta-data/iam/security-credentials/"):
            return request.headers["x-aws-ec2-metadata-token"] == "v2-token"
                ? .text(200, "node-role\n") : .text(401, "")
        case ("GET", "/latest/meta-data/iam/security-credentials/node-role"), ("GET", "/pod"):
            return .text(
                200,
                #"{"AccessKeyId":"ASIANODE","SecretAccessKey":"n","Token":"t","Expiration":"2099-01-01T00:00:00Z"}"#)
        default: return .text(404, "")
        }
    }

    @Test func elasticContainerRegistryForEveryKindOfIdentity() async throws {
        let server = try StubServer { Self.aws($0) }
        let scratch = try TemporaryDirectory("aws")
        try Shell.run(["tee", scratch.file("token")], input: Array("the.web.token\n".utf8))
        try Shell.run(
            ["tee", scratch.file("shared")],
            input: Array(
                "[default]\naws_access_key_id=no\naws_secret_access_key=no\n[ci]\naws_access_key_id = AKIACI\naws_secret_access_key = x\n"
                    .utf8))
        for (variables, key) in [
            (["AWS_ACCESS_KEY_ID": "AKIASTATIC", "AWS_SECRET_ACCESS_KEY": "hunter2"], "AKIASTATIC"),
            (
                ["AWS_WEB_IDENTITY_TOKEN_FILE": scratch.file("token"), "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"],
                "ASIAWEB"
            ),
            (["AWS_SHARED_CREDENTIALS_FILE": scratch.file("shared"), "AWS_PROFILE": "ci"], "AKIACI"),
            (["AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/pod"], "ASIANODE"),
            (["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url], "ASIANODE"),
        ] {
            var all = variables
            all["AWS_ENDPOINT_URL"] = server.url
            let before = server.requests.count
            let keychain = CloudKeychain(CloudEnvironment(all))
            let expected = Credentials.basic(user: "AWS", password: "ecr-password")
            #expect(try await keychain.credentials(for: Self.ecrHost) == expected)
            let count = server.requests.count
            #expect(try await keychain.credentials(for: Self.ecrHost) == expected)
            #expect(server.requests.count == count, "remembered until it ends")
            let request = try #require(server.requests.dropFirst(before).last)
            #expect(String(decoding: request.body, as: UTF8.self) == #"{"registryIds":["123456789012"]}"#)
            let signed = request.headers["authorization"] ?? ""
            #expect(signed.contains("Credential=\(key)/") && signed.contains("/eu-west-1/ecr/aws4_request"))
            #expect((request.headers["x-amz-security-token"] != nil) == key.hasPrefix("ASIA"))
            #expect(try await keychain.credentials(for: "public.ecr.aws") == expected)
        }
        #expect(try await CloudKeychain(CloudEnvironment([:])).credentials(for: Self.ecrHost) == nil)
    }

    @Test func refusalsAreToldWithoutSecrets() async throws {
        let server = try StubServer { request in
            request.headers["x-amz-target"] != nil
                ? .text(400, #"{"__type":"UnrecognizedClientException","message":"The security token is invalid."}"#)
                : Self.aws(request)
        }
        let scratch = try TemporaryDirectory("aws")
        try Shell.run(["tee", scratch.file("token")], input: Array("hunter2".utf8))
        for (variables, words) in [
            (["AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hunter2"], "UnrecognizedClientException"),
            (["AWS_WEB_IDENTITY_TOKEN_FILE": scratch.file("token"), "AWS_ROLE_ARN": "r"], "AccessDenied: no"),
            (["AWS_WEB_IDENTITY_TOKEN_FILE": scratch.file("none"), "AWS_ROLE_ARN": "r"], "No such file"),
        ] {
            var all = variables
            all["AWS_ENDPOINT_URL"] = server.url
            let keychain = CloudKeychain(CloudEnvironment(all))
            let error = await #expect(throws: RegistryError.self) {
                _ = try await keychain.credentials(for: Self.ecrHost)
            }
            #expect(error?.code == .credentials)
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
            #expect(error?.description.contains("hunter2") == false)
            // What everybody may read is read anonymously.
            #expect(try await keychain.credentials(for: "public.ecr.aws") == nil)
        }
    }

    @Test func googleServiceAccountsSignAndMetadataAnswers() async throws {
        let scratch = try TemporaryDirectory("gcp")
        try Shell.run(
            ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "key"],
            in: scratch.path)
        try Shell.run(["openssl", "rsa", "-in", "key", "-pubout", "-out", "public"], in: scratch.path)
        let pem = try Shell.run(["cat", scratch.file("key")]).stdout
        let server = try StubServer { request in
            if request.path == "/computeMetadata/v1/instance/service-accounts/default/token" {
                return request.headers["metadata-flavor"] == "Google"
                    ? .text(200, #"{"access_token":"from-metadata","expires_in":3599,"token_type":"Bearer"}"#)
                    : .text(403, "")
            }
            let form = Self.fields(request)
            switch form["grant_type"] {
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                return .text(200, #"{"access_token":"from-key","expires_in":3600}"#)
            case "refresh_token" where form["refresh_token"] == "r":
                return .text(200, #"{"access_token":"from-user","expires_in":3600}"#)
            default: return .text(400, #"{"error":"invalid_grant","error_description":"Bad Request"}"#)
            }
        }
        func file(_ name: String, _ object: [String: String]) throws -> String {
            try Shell.run(["tee", scratch.file(name)], input: [UInt8](JSONSerialization.data(withJSONObject: object)))
            return scratch.file(name)
        }
        let account = try file(
            "account",
            [
                "type": "service_account", "client_email": "ci@project.iam.gserviceaccount.com", "private_key": pem,
                "private_key_id": "k1", "token_uri": server.url + "/token",
            ])
        let user = try file(
            "user",
            [
                "type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r",
                "token_uri": server.url + "/token",
            ])
        let federated = try file("federated", ["type": "external_account"])
        for (variables, password) in [
            (["GOOGLE_APPLICATION_CREDENTIALS": account], "from-key"),
            (["GOOGLE_APPLICATION_CREDENTIALS": user], "from-user"),
            (["GCE_METADATA_HOST": server.host], "from-metadata"),
        ] {
            let keychain = CloudKeychain(CloudEnvironment(variables))
            for host in ["gcr.io", "eu.gcr.io", "europe-west1-docker.pkg.dev"] {
                #expect(
                    try await keychain.credentials(for: host)
                        == .basic(user: "oauth2accesstoken", password: password))
            }
        }
        #expect(server.requests.count == 3, "one token for all its registries")
        // The assertion is a token that openssl verifies.
        let parts = (Self.fields(server.requests[0])["assertion"] ?? "").split(separator: ".").map(String.init)
        try #require(parts.count == 3)
        func decoded(_ text: String) -> Data {
            let standard = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
            let padding = String(repeating: "=", count: (4 - standard.count % 4) % 4)
            return Data(base64Encoded: standard + padding) ?? Data()
        }
        let claims = try #require(try JSONSerialization.jsonObject(with: decoded(parts[1])) as? [String: Any])
        #expect(claims["iss"] as? String == "ci@project.iam.gserviceaccount.com")
        #expect(claims["aud"] as? String == server.url + "/token")
        #expect(claims["scope"] as? String == "https://www.googleapis.com/auth/cloud-platform")
        try Shell.run(["tee", scratch.file("signature")], input: [UInt8](decoded(parts[2])))
        let verified = try Shell.run(
            ["openssl", "dgst", "-sha256", "-verify", "public", "-signature", "signature"], in: scratch.path,
            input: Array("\(parts[0]).\(parts[1])".utf8))
        #expect(verified.stdout.contains("Verified OK"))

        let error = await #expect(throws: RegistryError.self) {
            _ = try await CloudKeychain(CloudEnvironment(["GOOGLE_APPLICATION_CREDENTIALS": federated]))
                .credentials(for: "gcr.io")
        }
        #expect(error?.cause == "'type' is 'external_account'")
        #expect(try await CloudKeychain(CloudEnvironment([:])).credentials(for: "gcr.io") == nil)
    }

    @Test func azureExchangesItsToken() async throws {
        let scratch = try TemporaryDirectory("azure")
        try Shell.run(["tee", scratch.file("federated")], input: Array("kubernetes-token\n".utf8))
        let server = try StubServer { request in
            let form = Self.fields(request)
            switch request.path {
            case "/tenant/oauth2/v2.0/token":
                let isKnown = form["client_secret"] == "hunter2" || form["client_assertion"] == "kubernetes-token"
                return isKnown && form["scope"] == "https://management.azure.com/.default"
                    ? .text(200, #"{"access_token":"aad","expires_in":3599}"#)
                    : .text(401, #"{"error":"invalid_client","error_description":"AADSTS7000215: no"}"#)
            case "/metadata/identity/oauth2/token":
                return request.headers["metadata"] == "true"
                    ? .text(200, #"{"access_token":"aad","expires_in":"3599"}"#) : .text(400, "")
            case "/oauth2/exchange":
                return form["access_token"] == "aad" && form["service"] == "acme.azurecr.io"
                    && form["grant_type"] == "access_token"
                    ? .text(200, #"{"refresh_token":"refresh"}"#) : .text(401, "")
            default: return .text(404, "")
            }
        }
        let url = server.url
        let known = ["AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client", "AZURE_AUTHORITY_HOST": url]
        for variables in [
            known.merging(["AZURE_CLIENT_SECRET": "hunter2"]) { $1 },
            known.merging(["AZURE_FEDERATED_TOKEN_FILE": scratch.file("federated")]) { $1 },
            ["AZURE_POD_IDENTITY_AUTHORITY_HOST": url],
        ] {
            let keychain = CloudKeychain(CloudEnvironment(variables)) { _ in url }
            #expect(try await keychain.credentials(for: "acme.azurecr.io") == .identityToken("refresh"))
        }
        let wrong = CloudKeychain(CloudEnvironment(known.merging(["AZURE_CLIENT_SECRET": "wrong-secret"]) { $1 })) {
            _ in url
        }
        let error = await #expect(throws: RegistryError.self) {
            _ = try await wrong.credentials(for: "acme.azurecr.io")
        }
        #expect(error?.cause == "invalid_client: AADSTS7000215: no (401)")
        #expect(error?.description.contains("wrong-secret") == false)
    }

    @Test(arguments: [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com", true),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", true),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", true),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", true),
        ("public.ecr.aws", true), ("gcr.io", true), ("us.gcr.io", true), ("us-docker.pkg.dev", true),
        ("a.azurecr.io", true),
        ("12345678901.dkr.ecr.us-east-1.amazonaws.com", false), ("123456789012.dkr.ecr.x.amazonaws.com.evil.io", false),
        ("evilgcr.io", false), ("gcr.io.evil.com", false), ("azurecr.io", false), ("docker.io", false),
        ("localhost:5000", false),
        ("123456789012.dkr.ecr.us-east-1.evil.com", false), ("xdocker.pkg.dev", false),
    ])
    func onlyTheCloudsOwnHostsGetTheirTokens(_ host: String, _ isCloud: Bool) {
        #expect((CloudKeychain.Registry(host: host) != nil) == isCloud)
    }

    @Test func filesComeFirstAndHelpersThatAreMissingAreReplaced() async throws {
        let server = try StubServer { Self.aws($0) }
        let cloud = CloudKeychain(
            CloudEnvironment([
                "AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s",
            ]))
        let fromCloud = Credentials.basic(user: "AWS", password: "ecr-password")
        for (config, expected) in [
            (#"{"auths":{"\#(Self.ecrHost)":{"auth":"YTpi"}}}"#, Credentials.basic(user: "a", password: "b")),
            (#"{"credHelpers":{"\#(Self.ecrHost)":"ecr-login"}}"#, fromCloud), ("{}", fromCloud),
        ] {
            let keychain = Keychain(environment: ["DOCKER_AUTH_CONFIG": config, "PATH": "/nowhere"]).with(cloud: cloud)
            #expect(try await keychain.credentials(host: Self.ecrHost, path: "app") == expected)
        }
        #expect(try await Keychain.empty.with(cloud: cloud).credentials(host: "docker.io", path: "x") == .anonymous)
    }
}
