import JSON

/// Notifications of Distribution (`registry:2` and `registry:3`), an envelope of events; Azure's registries send one without it.
struct DistributionBody {
    let body: JSONValue

    var pushes: [ImagePush] {
        let events = body["events"] == .null ? [body] : body["events"].items
        return events.compactMap { event in
            let target = event["target"]
            guard event["action"].text == "push", let repository = target["repository"].text,
                Self.isManifest(target)
            else { return nil }
            return ImagePush(
                registry: event["request"]["host"].text, repository: repository, tag: target["tag"].text,
                digest: target["digest"].text)
        }
    }

    /// Blobs are events, too.
    private static func isManifest(_ target: JSONValue) -> Bool {
        switch target["mediaType"].text {
        case "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "application/vnd.docker.distribution.manifest.v1+json":
            true
        default: target["url"].text?.contains("/manifests/") ?? false
        }
    }
}
