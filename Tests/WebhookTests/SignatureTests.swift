import Cryptography
import TestSupport
import Testing

@testable import Webhooks

/// What counts as knowing a secret, by worked examples.
@Suite(.tags(.unit)) struct SignatureTests {
    private static let secret = "slipway-test-secret"
    private static let body = #"{"ref":"refs/heads/main","after":"1111111111111111111111111111111111111111"}"#
    private static let code = "3c0fbbc856c7e2241e5fa7a59305a6d30e2a4c0496cb440878a5eabbd0d10107"
    private static let form =
        "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22after%22%3A%221111111111111111111111111111111111111111%22%7D"
    private static let raw = "{\"message\":\"Grüße 🚢 a/b\"}"
    private static let escaped = #"{"message":"Gr\u00fc\u00dfe \ud83d\udea2 a\/b"}"#
    private static let rawCode = "978a8ec08d27cf931fb9bbb3477333b465e952e808e609762b8a91542242571d"
    private static let escapedCode = "ee17104fa5c24507736fda59fc6acd6dcc2caf1c4a66db9e1341c674fa6b59ee"
    private static let formType = (name: "Content-Type", value: "application/x-www-form-urlencoded; charset=utf-8")

    typealias Header = (name: String, value: String)

    private static func isAuthentic(
        _ kind: WebhookKind, _ secrets: [String], _ headers: [Header], _ body: String, path: String = "",
        now: Int64 = 1_790_000_000
    ) throws -> Bool {
        let receiver = WebhookReceiver(kind: kind, secrets: try secrets.map { try WebhookSecret($0, for: kind) })
        let request = WebhookRequest(method: "POST", pathSecret: path, headers: headers, body: Array(body.utf8))
        let refusals: [WebhookOutcome] = [.refused(.unauthorized), .refused(.notFound)]
        return !refusals.contains(receiver.receive(request, now: now))
    }

    struct Case: Sendable {
        let kind: WebhookKind
        let header: String
        let value: String
        let body: String
        let isAuthentic: Bool

        init(_ kind: WebhookKind, _ header: String, _ value: String, _ body: String, _ isAuthentic: Bool) {
            self.kind = kind
            self.header = header
            self.value = value
            self.body = body
            self.isAuthentic = isAuthentic
        }
    }

    @Test(arguments: [
        Case(.github, "X-Hub-Signature-256", "sha256=\(code)", body, true),
        Case(.github, "X-Hub-Signature-256", " sha256=\(code)\t", body, true),
        Case(.github, "X-Hub-Signature-256", "sha256=\(code.uppercased())", body, true),
        Case(.github, "X-Hub-Signature", "sha1=46345551f676068024637b5b4a5907718cdb1434", body, false),
        Case(.github, "X-Hub-Signature-256", "sha1=46345551f676068024637b5b4a5907718cdb1434", body, false),
        Case(.github, "X-Hub-Signature-256", "SHA256=\(code)", body, false),
        Case(.github, "X-Hub-Signature-256", code, body, false),
        Case(.github, "X-Hub-Signature-256", "sha256=\(code.dropLast())", body, false),
        Case(.github, "X-Hub-Signature-256", "sha256=\(code)00", body, false),
        Case(.github, "X-Hub-Signature-256", "sha256=", body, false),
        Case(.github, "X-Hub-Signature-256", "", body, false),
        Case(.github, "X-Hub-Signature-256", "x", body, false),
        Case(.github, "X-Hub-Signature-256", "ä\u{0}", body, false),
        // What an empty key gives.
        Case(
            .github, "X-Hub-Signature-256", "sha256=d3306bb8ea9767821166121fa861ce9e097de13327afe853ea21bf4302e13727",
            body,
            false),
        Case(
            .github, "X-Hub-Signature-256", "sha256=f36d53e76604cf6431a80a92979367570bd301a1db922cdb79f3c24bb78422eb",
            "",
            true),
        // Equal JSON in other bytes has another signature.
        Case(.github, "X-Hub-Signature-256", "sha256=\(rawCode)", raw, true),
        Case(.github, "X-Hub-Signature-256", "sha256=\(escapedCode)", escaped, true),
        Case(.github, "X-Hub-Signature-256", "sha256=\(rawCode)", escaped, false),
        Case(.github, "X-Hub-Signature-256", "sha256=\(escapedCode)", raw, false),
        Case(.gitea, "X-Gitea-Signature", code, body, true),
        Case(.gitea, "X-Gitea-Signature", "sha256=\(code)", body, false),
        Case(.gitea, "X-Hub-Signature-256", "sha256=\(code)", body, true),
        Case(.forgejo, "X-Forgejo-Signature", code, body, true),
        Case(.bitbucket, "X-Hub-Signature", "sha256=\(code)", body, true),
        Case(.bitbucketServer, "X-Hub-Signature", "sha256=\(code)", body, true),
        Case(.bitbucket, "X-Hub-Signature-256", "sha256=\(code)", body, false),
        Case(.genericHMAC, "X-Signature", "sha256=\(code)", body, true),
        Case(
            .genericHMAC, "X-Signature",
            "sha512=e39ddf2c87ada4724c0d586fea6bcb9689427470759c4c1ef3ec0c6530ca91f2eee9358768c47455bc721f3e91df911cf527dee4453a2d13308e5782f534b102",
            body, true),
        Case(.genericHMAC, "X-Signature", "sha512=\(code)", body, false),
        Case(.genericHMAC, "Authorization", "Bearer \(secret)", body, false),
        Case(.gitlab, "X-Gitlab-Token", secret, body, true),
        Case(.gitlab, "X-Gitlab-Token", "\(secret) x", body, false),
        Case(.gitlab, "Authorization", secret, body, false),
        Case(.harbor, "Authorization", secret, body, true),
        Case(.harbor, "Authorization", "Bearer \(secret)", body, true),
        Case(.distribution, "Authorization", "bearer \(secret)", body, true),
        Case(.azureDevOps, "Authorization", "Basic \(Encoding.base64(Array("user:\(secret)".utf8)))", body, true),
        Case(.azureDevOps, "Authorization", "Basic \(Encoding.base64(Array(":\(secret)".utf8)))", body, true),
        Case(.azureDevOps, "Authorization", "Basic \(Encoding.base64(Array("\(secret):".utf8)))", body, false),
        Case(.azureDevOps, "Authorization", "Basic \(secret)", body, false),
        Case(.ecr, "X-Api-Key", secret, body, true), Case(.ecr, "X-Api-Key", "", body, false),
        Case(.acr, "Authorization", "Digest \(secret)", body, false),
        Case(.dockerHub, "Authorization", secret, body, false),
    ])
    func `a secret is shown, or is not`(_ one: Case) throws {
        #expect(
            try Self.isAuthentic(one.kind, [Self.secret], [(one.header, one.value)], one.body) == one.isAuthentic)
    }

    @Test func `GitHub's own example`() throws {
        let code = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        #expect(
            try Self.isAuthentic(
                .github, ["It's a Secret to Everybody"], [("X-Hub-Signature-256", "sha256=\(code)")], "Hello, World!"))
    }

    @Test func `GitHub signs a form, Gitea what is in it`() throws {
        let ofForm = "983a52c6da39aeae99ee9e9cfd46fca6c5263b6a2de291d9f1313e2ebcd9962f"
        for (kind, header, code, isAuthentic) in [
            (WebhookKind.github, "X-Hub-Signature-256", "sha256=\(ofForm)", true),
            (.github, "X-Hub-Signature-256", "sha256=\(Self.code)", false),
            (.gitea, "X-Gitea-Signature", Self.code, true),
            (.gitea, "X-Gitea-Signature", ofForm, false),
        ] {
            #expect(
                try Self.isAuthentic(kind, [Self.secret], [Self.formType, (header, code)], Self.form) == isAuthentic)
        }
    }

    @Test func `a password may have a colon and more than ASCII`() throws {
        let header = ("Authorization", "Basic c2xpcHdheTpwOsOk")
        #expect(try Self.isAuthentic(.azureDevOps, ["p:ä"], [header], Self.body))
        #expect(try !Self.isAuthentic(.azureDevOps, ["ä"], [header], Self.body))
    }

    @Test func `a header that is there twice counts for nothing`() throws {
        let header = ("X-Hub-Signature-256", "sha256=\(Self.code)")
        #expect(try !Self.isAuthentic(.github, [Self.secret], [header, header], Self.body))
        #expect(
            try !Self.isAuthentic(
                .harbor, [Self.secret], [("Authorization", Self.secret), ("authorization", "x")], Self.body))
    }

    @Test func `one of several secrets will do`() throws {
        let header = ("X-Hub-Signature-256", "sha256=\(Self.code)")
        #expect(try Self.isAuthentic(.github, ["the next one", Self.secret], [header], Self.body))
        #expect(try Self.isAuthentic(.github, [Self.secret, "the next one"], [header], Self.body))
        #expect(try !Self.isAuthentic(.github, ["the next one"], [header], Self.body))
    }

    @Test(arguments: [WebhookKind.dockerHub, .quay, .aliyun]) func `who cannot sign shows the secret in the path`(
        kind: WebhookKind
    ) throws {
        #expect(try Self.isAuthentic(kind, [Self.secret], [], "{}", path: Self.secret))
        for path in ["", "x", Self.secret + "x"] {
            #expect(try !Self.isAuthentic(kind, [Self.secret], [], "{}", path: path))
        }
    }

    // MARK: Standard Webhooks

    private static let signing = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    private static let signed = "v1,+VB3g2XzRPXrRRpu27k+LaD5M2947NPNKLLEZYhf7uY="

    @Test(
        arguments: [
            (signed, "msg_slipway0001", "1790000000", 1_790_000_000, true),
            ("v1,AAAA \(signed)", "msg_slipway0001", "1790000000", 1_790_000_000, true),
            (String(signed.dropLast()), "msg_slipway0001", "1790000000", 1_790_000_000, true),
            (signed, "msg_slipway0001", "1790000000", 1_790_000_300, true),
            (signed, "msg_slipway0001", "1790000000", 1_790_000_301, false),
            (signed, "msg_slipway0001", "1790000000", 1_789_999_699, false),
            (signed, "msg_slipway0002", "1790000000", 1_790_000_000, false),
            (signed, "msg_slipway0001", "1790000001", 1_790_000_000, false),
            (signed.replacing("v1,", with: "v1a,"), "msg_slipway0001", "1790000000", 1_790_000_000, false),
            ("v1,LYQGj6GiAmX+lX/JslWY7B+FB+ZmEAXUClS7t+AwRuU=", "msg_slipway0001", "1790000000", 1_790_000_000, false),
            (signed, "msg.slipway0001", "1790000000", 1_790_000_000, false),
            (signed, "", "1790000000", 1_790_000_000, false),
            (signed, "msg_slipway0001", "1e9", 1_790_000_000, false), (signed, "msg_slipway0001", "-1", 0, false),
            (signed, "msg_slipway0001", "1790000000.5", 1_790_000_000, false),
            (signed, "msg_slipway0001", "99999999999999999999", 1_790_000_000, false),
            ("", "m", "1790000000", 0, false),
        ] as [(String, String, String, Int64, Bool)])
    func `signatures of Standard Webhooks`(
        _ signature: String, _ id: String, _ stamp: String, _ now: Int64, _ isAuthentic: Bool
    ) throws {
        let headers: [Header] = [("webhook-id", id), ("webhook-timestamp", stamp), ("webhook-signature", signature)]
        for kind in [WebhookKind.standardWebhooks, .gitlab] {
            #expect(try Self.isAuthentic(kind, [Self.signing], headers, Self.body, now: now) == isAuthentic)
        }
    }

    @Test func `a clear token does not stand in for a signature, unless there is one, too`() throws {
        let token: [Header] = [("X-Gitlab-Token", Self.secret)]
        #expect(try !Self.isAuthentic(.gitlab, [Self.signing], [("X-Gitlab-Token", Self.signing)], Self.body))
        #expect(try !Self.isAuthentic(.gitlab, [Self.signing], token, Self.body))
        #expect(try Self.isAuthentic(.gitlab, [Self.signing, Self.secret], token, Self.body))
    }

    @Test(arguments: [
        ("", WebhookKind.github), (" \t", .gitlab), ("whsec_", .gitlab), ("whsec_AAAA", .standardWebhooks),
        ("whsec_not base64", .gitlab), ("a token", .standardWebhooks),
    ])
    func `secrets that cannot be used`(_ text: String, _ kind: WebhookKind) {
        #expect(throws: WebhookSecretError.self) { try WebhookSecret(text, for: kind) }
    }
}
