import JSON

/// A body of our own, for scripts and for senders that are not known: `{"repository": URL, "ref": …}`, `{"image": NAME}`, lists of
/// them as `repositories` and `images`, or nothing.
struct GenericBody {
    let body: JSONValue

    var events: [WebhookEvent] {
        let ref = body["ref"].text
        let repositories = ([body["repository"]] + body["repositories"].items).compactMap(\.text)
        let images = ([body["image"]] + body["images"].items).compactMap(\.text)
        guard !repositories.isEmpty || !images.isEmpty else { return [.unnamed] }
        return repositories.map { .git(GitEvent(urls: [$0], ref: ref)) } + images.map { .image(Self.image($0)) }
    }

    /// `HOST/PATH[:TAG][@DIGEST]`; without a host it is Docker Hub's.
    private static func image(_ text: String) -> ImageEvent {
        let parts = text.split(separator: "@", maxSplits: 1)
        var name = parts.first ?? ""
        let digest = parts.count > 1 ? String(parts[1]) : nil
        var tag: String?
        if let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") {
            tag = String(name[name.index(after: colon)...])
            name = name[..<colon]
        }
        let sides = name.split(separator: "/", maxSplits: 1)
        guard sides.count == 2, let host = sides.first,
            host == "localhost" || host.contains(where: { ".:".contains($0) })
        else { return ImageEvent(registry: "docker.io", repository: String(name), tag: tag, digest: digest) }
        return ImageEvent(registry: String(host), repository: String(sides[1]), tag: tag, digest: digest)
    }
}
