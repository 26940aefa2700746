import JSON

/// Azure DevOps' service hooks.
struct AzureDevOpsBody {
    let body: JSONValue

    var events: [WebhookEvent] {
        guard body["eventType"].text == "git.push" else { return [] }
        let resource = body["resource"]
        // With resource details "Minimal" or "None", the body does not say which repository it is.
        guard let url = resource["repository"]["remoteUrl"].text else { return [.unnamed] }
        return resource["refUpdates"].items.map { update in
            var event = GitEvent(
                urls: [url], ref: update["name"].text, before: update["oldObjectId"].text,
                after: update["newObjectId"].text)
            event.isDeleted = event.after == nil && event.before != nil
            return .git(event)
        }
    }
}
