import JSON

/// GitHub's bodies, which Gitea and Forgejo have, too.
struct GitHubBody {
    let body: JSONValue
    let registry: String?

    /// - Parameter name: of the event, as the header has it.
    func events(named name: String) -> [WebhookEvent] {
        switch name {
        case "push": push
        case "create", "delete": reference(isDeleted: name == "delete")
        case "package", "registry_package": package(body[name])
        default: []
        }
    }

    private var repository: [String] {
        let repository = body["repository"]
        return ["clone_url", "ssh_url", "html_url"].compactMap { repository[$0].text }
    }

    /// A push whose `after` is nothing deletes; Gitea's test button sends nothing on both sides, which does not.
    private var push: [WebhookEvent] {
        guard !repository.isEmpty else { return [] }
        var event = GitEvent(
            urls: repository, ref: body["ref"].text, before: body["before"].text, after: body["after"].text)
        event.isDeleted = body["deleted"].isTrue || event.after == nil && event.before != nil
        return [.git(event)]
    }

    /// `ref` is a short name here.
    private func reference(isDeleted: Bool) -> [WebhookEvent] {
        guard !repository.isEmpty else { return [] }
        let folder = body["ref_type"].text == "tag" ? "refs/tags/" : "refs/heads/"
        return [.git(GitEvent(urls: repository, ref: body["ref"].text.map { folder + $0 }, isDeleted: isDeleted))]
    }

    /// The tag that is named can be another one of the same version, so that it tells less than the package.
    private func package(_ package: JSONValue) -> [WebhookEvent] {
        let version = package["package_version"]
        guard let type = package["package_type"].text?.lowercased(), type == "container" || type == "docker" else {
            return []
        }
        let tag = version["container_metadata"]["tag"]
        guard let owner = package["owner"]["login"].text, let name = package["name"].text else { return [] }
        return [
            .image(
                ImageEvent(
                    registry: registry ?? "ghcr.io", repository: "\(owner)/\(name)".lowercased(),
                    tag: tag["name"].text, digest: tag["digest"].text))
        ]
    }
}
