import JSON

/// Bitbucket Cloud's `repo:push`: several references in one body, and no addresses.
struct BitbucketBody {
    let body: JSONValue

    func events(named name: String) -> [WebhookEvent] {
        guard name == "repo:push", let path = body["repository"]["full_name"].text else { return [] }
        let urls = ["https://bitbucket.org/\(path).git", "git@bitbucket.org:\(path).git"]
        return body["push"]["changes"].items.map { change in
            let isDeleted = change["new"] == .null
            let side = isDeleted ? change["old"] : change["new"]
            let folder = side["type"].text == "tag" ? "refs/tags/" : "refs/heads/"
            return .git(
                GitEvent(
                    urls: urls, ref: side["name"].text.map { folder + $0 },
                    before: change["old"]["target"]["hash"].text,
                    after: change["new"]["target"]["hash"].text, isDeleted: isDeleted))
        }
    }
}

/// Bitbucket Server's and Data Center's `repo:refs_changed`.
struct BitbucketServerBody {
    let body: JSONValue

    func events(named name: String) -> [WebhookEvent] {
        let repository = body["repository"]
        let urls = repository["links"]["clone"].items.compactMap { $0["href"].text }
        // Old versions have no links.
        var path: String?
        if urls.isEmpty, let project = repository["project"]["key"].text, let slug = repository["slug"].text {
            path = "\(project)/\(slug)"
        }
        guard !urls.isEmpty || path != nil else { return [] }
        switch name {
        case "repo:refs_changed":
            return body["changes"].items.map { change in
                .git(
                    GitEvent(
                        urls: urls, path: path, ref: change["ref"]["id"].text, before: change["fromHash"].text,
                        after: change["toHash"].text, isDeleted: change["type"].text == "DELETE"))
            }
        // A mirror has what its primary got.
        case "mirror:repo_synchronized": return [.git(GitEvent(urls: urls, path: path))]
        default: return []
        }
    }
}
