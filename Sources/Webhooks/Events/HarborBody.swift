import JSON

/// Harbor's `PUSH_ARTIFACT`, in its own format and as a CloudEvent.
struct HarborBody {
    let body: JSONValue

    var pushes: [ImagePush] {
        let isPush = body["type"].text == "PUSH_ARTIFACT" || body["type"].text == "harbor.artifact.pushed"
        let data = body["specversion"].text == nil ? body["event_data"] : body["data"]
        guard isPush, let repository = data["repository"]["repo_full_name"].text else { return [] }
        return data["resources"].items.map { resource in
            // `HOST/PATH:TAG`, without a scheme.
            let host = resource["resource_url"].text?.split(separator: "/", maxSplits: 1).first.map(String.init)
            return ImagePush(
                registry: host, repository: repository, tag: resource["tag"].text, digest: resource["digest"].text)
        }
    }
}
