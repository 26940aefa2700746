import HTTP
import Text

/// A request to the API server before it has credentials.
struct ClusterRequest: Sendable {
    let method: String
    /// Beginning with `/`, encoded.
    let path: String
    /// For messages: `get Deployment shop/api`.
    let what: String
    var query: [(String, String)] = []
    var contentType = "application/json"
    var accept = "application/json"
    var body: [UInt8]?
    var impersonated: String?
    /// Seconds without a byte after which the answer is given up; `nil`: the client's.
    var stallTimeout: Int?
    /// Whether the answer is used while it arrives, so that it cannot be had a second time by the same call.
    var isStreamed = false

    /// - Parameter subresource: `log`, `status`.
    init(_ method: String, _ path: ResourcePath, subresource: String? = nil) {
        self.method = method
        var text = path.kind.root
        if let namespace = path.namespace { text += "/namespaces/\(PercentEncoding.encode(namespace))" }
        text += "/\(path.kind.plural)"
        // A new object's name stands in the object.
        if method != "POST", let name = path.name { text += "/\(PercentEncoding.encode(name))" }
        if let subresource { text += "/\(subresource)" }
        self.path = text
        let verb =
            switch method {
            case "GET": path.name == nil ? "list" : "get"
            case "POST": "create"
            case "PUT": "replace"
            case "PATCH": "patch"
            default: "delete"
            }
        what = "\(verb) \(subresource.map { "the \($0) of " } ?? "")\(path.shown)"
    }

    init(_ method: String, raw path: String) {
        self.method = method
        self.path = path
        what = "read \(path)"
    }

    var failure: String { "cannot \(what)" }

    /// Whether it does no harm to send it twice: apply and merge patches have the same result again, and a replacement names the
    /// version that it replaces.
    var isRepeatable: Bool { method != "POST" && !isStreamed }

    func url(on server: HTTPURL) throws(ClusterError) -> HTTPURL {
        var text = server.text.hasSuffix("/") ? String(server.text.dropLast()) : server.text
        text += path
        if !query.isEmpty { text += "?\(PercentEncoding.form(query))" }
        do {
            return try HTTPURL(text)
        } catch {
            throw ClusterError(.invalid, failure, cause: error.cause ?? error.summary)
        }
    }

    func message(to url: HTTPURL, token: String?) -> HTTPRequest {
        var headers: HTTPHeaders = ["Accept": accept]
        if let token { headers.add("Authorization", "Bearer \(token)") }
        if let impersonated { headers.add("Impersonate-User", impersonated) }
        if body != nil { headers.add("Content-Type", contentType) }
        return HTTPRequest(
            method, url, headers: headers, body: body.map { .bytes($0) } ?? .none, stallTimeout: stallTimeout)
    }
}
