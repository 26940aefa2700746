import HTTP

/// Where an upload goes on, as the last answer about it said.
struct UploadSession: Sendable {
    var url: AnsweredURL
    /// Bytes that a chunk must at least have, except for the last (`OCI-Chunk-Min-Length`).
    var leastChunk: Int64 = 0

    /// `nil` when the answer names no place.
    init?(_ response: HTTPResponse, _ host: RegistryHost, _ place: String) throws(RegistryError) {
        guard let location = response.headers["Location"] else { return nil }
        url = try host.answers.url(location, for: .upload, from: response.head.url, place: place)
        leastChunk = response.headers["OCI-Chunk-Min-Length"].flatMap { Int64($0) } ?? 0
    }

    /// The bytes that the registry has: `0-N` of the `Range` header. `0-0` says nothing, because distribution writes it for
    /// an empty upload as well.
    static func received(_ response: HTTPResponse) -> Int64? {
        guard var text = response.headers["Range"]?[...] else { return nil }
        if text.hasPrefix("bytes=") { text = text.dropFirst("bytes=".count) }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "0", let end = Int64(parts[1]), end > 0, end < .max else { return nil }
        return end + 1
    }
}
