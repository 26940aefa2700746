/// Who sends, and so how a request is authenticated and read.
package enum WebhookKind: String, Sendable, CaseIterable {
    case github, ghcr, gitlab, gitea, forgejo, bitbucket
    case bitbucketServer = "bitbucket-server"
    case azureDevOps = "azure-devops"
    case distribution, harbor
    case dockerHub = "dockerhub"
    case quay, ecr, acr
    case aliyun = "aliyun-acr"
    /// A body of our own, with a token.
    case generic
    /// The same body, with `X-Signature`.
    case genericHMAC = "generic-hmac"
    /// The same body, signed as Standard Webhooks has it.
    case standardWebhooks = "standard-webhooks"

    /// Whether it tells of images, whose registry the configuration may say.
    package var isRegistry: Bool {
        switch self {
        case .ghcr, .distribution, .harbor, .dockerHub, .quay, .ecr, .acr, .aliyun: true
        default: false
        }
    }

    /// Whether the bodies do not say which registry it is.
    package var needsRegistry: Bool { self == .aliyun }

    /// Whether the body may be a form, as a setting of the hook. Of others, a form's media type is a mistake of the sender's, as of curl's.
    var sendsForms: Bool { self == .github || self == .ghcr || self == .gitea || self == .forgejo }

    /// Whether the sender can show a secret in no other way than in the URL.
    package var hasSecretInPath: Bool { self == .dockerHub || self == .quay || self == .aliyun }
}
