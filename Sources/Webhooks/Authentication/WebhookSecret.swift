import Cryptography
import Diagnostics

/// A secret that cannot be used.
package struct WebhookSecretError: Diagnostic, Equatable {
    package let summary: String
    package let hint: String?
}

/// What a sender has to know.
package struct WebhookSecret: Sendable {
    private enum Content {
        /// A token, or the key of a signature.
        case text([UInt8])
        /// The key of Standard Webhooks' signatures.
        case signing([UInt8])
    }

    private let content: Content

    private static let signingPrefix = "whsec_"

    /// - Parameter text: without a line's end.
    package init(_ text: String, for kind: WebhookKind) throws(WebhookSecretError) {
        // A signature with an empty key "works", for everybody.
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw WebhookSecretError(summary: "the secret is empty", hint: "openssl rand -hex 32 makes one")
        }
        guard kind == .gitlab || kind == .standardWebhooks, text.hasPrefix(Self.signingPrefix) else {
            guard kind != .standardWebhooks else {
                throw WebhookSecretError(
                    summary: "the secret does not begin with \(Self.signingPrefix)",
                    hint: "write whsec_ and, in base64, a key of 24 to 64 bytes")
            }
            content = .text(Array(text.utf8))
            return
        }
        guard let key = Base64.decode(text.dropFirst(Self.signingPrefix.count)), (24...64).contains(key.count) else {
            throw WebhookSecretError(
                summary: "the signing token has no key of 24 to 64 bytes in base64 behind \(Self.signingPrefix)",
                hint: "copy it as the host shows it")
        }
        content = .signing(key)
    }

    /// Whether a request was made by somebody who knows it.
    func isShown(by proof: WebhookProof, to kind: WebhookKind) -> Bool {
        switch content {
        case .signing(let key): return proof.hasStandardSignature(key)
        case .text(let secret):
            switch kind {
            case .github, .ghcr: return proof.hasSignature(secret, in: "X-Hub-Signature-256", prefix: "sha256=")
            case .bitbucket, .bitbucketServer:
                return proof.hasSignature(secret, in: "X-Hub-Signature", prefix: "sha256=")
            case .gitea, .forgejo:
                return proof.hasSignature(secret, in: "X-Forgejo-Signature")
                    || proof.hasSignature(secret, in: "X-Gitea-Signature")
                    || proof.hasSignature(secret, in: "X-Hub-Signature-256", prefix: "sha256=")
            case .gitlab: return proof.hasValue(secret, in: "X-Gitlab-Token")
            case .genericHMAC: return proof.hasAnySignature(secret, in: "X-Signature")
            case .dockerHub, .quay, .aliyun: return proof.hasPath(secret)
            case .azureDevOps, .distribution, .harbor, .ecr, .acr, .generic: return proof.hasToken(secret)
            case .standardWebhooks: return false
            }
        }
    }
}
