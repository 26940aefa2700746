import JSON

/// GitLab's push and tag events, also as system hooks, where the body alone names the event.
struct GitLabBody {
    let body: JSONValue

    var events: [WebhookEvent] {
        guard let name = body["object_kind"].text ?? body["event_name"].text,
            ["push", "tag_push", "repository_update"].contains(name)
        else { return [] }
        // `repository` is the older copy.
        let project = body["project"]
        let urls = ["git_http_url", "git_ssh_url"].compactMap { project[$0].text ?? body["repository"][$0].text }
        guard !urls.isEmpty else { return [] }
        // System hooks of a whole repository name several references.
        var event = GitEvent(urls: urls, ref: body["ref"].text, before: body["before"].text, after: body["after"].text)
        event.isDeleted = event.after == nil && event.before != nil
        return [.git(event)]
    }
}
