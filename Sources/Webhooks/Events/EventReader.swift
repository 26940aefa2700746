import JSON

/// Reads what a sender's body says has changed. What is missing or of another shape than expected is no event, and no error: senders
/// add and leave out.
struct EventReader {
    let kind: WebhookKind
    /// The registry of the images, whatever the body says.
    let registry: String?

    /// - Parameter body: an object.
    func events(in body: JSONValue, of request: WebhookRequest) -> [WebhookEvent] {
        switch kind {
        case .github, .ghcr:
            // Compared as they are: only the names of headers have no case.
            return GitHubBody(body: body, registry: registry).events(named: request.header("X-GitHub-Event") ?? "")
        case .gitlab: return GitLabBody(body: body).events
        case .gitea, .forgejo:
            let name = request.header("X-Forgejo-Event") ?? request.header("X-Gitea-Event") ?? ""
            return GitHubBody(body: body, registry: registry).events(named: name)
        case .bitbucket: return BitbucketBody(body: body).events(named: request.header("X-Event-Key") ?? "")
        case .bitbucketServer:
            return BitbucketServerBody(body: body).events(named: request.header("X-Event-Key") ?? "")
        case .azureDevOps: return AzureDevOpsBody(body: body).events
        case .generic, .genericHMAC, .standardWebhooks: return GenericBody(body: body).events
        case .distribution, .acr: return images(in: DistributionBody(body: body).pushes)
        case .harbor: return images(in: HarborBody(body: body).pushes)
        case .dockerHub: return images(in: DockerHubBody(body: body).pushes)
        case .aliyun: return images(in: AliyunBody(body: body).pushes)
        case .quay: return images(in: QuayBody(body: body).pushes)
        case .ecr: return images(in: ECRBody(body: body).pushes)
        }
    }

    private func images(in pushes: [ImagePush]) -> [WebhookEvent] {
        pushes.compactMap { push in
            guard let host = registry ?? push.registry else { return nil }
            return .image(
                ImageEvent(registry: host, repository: push.repository, tag: push.tag, digest: push.digest))
        }
    }
}

/// An image that a body names.
struct ImagePush {
    /// `nil` where the body does not say it.
    var registry: String?
    var repository: String
    var tag: String?
    var digest: String?
}
