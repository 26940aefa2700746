import Glibc
import HTTP
package import JSON
import Text

/// A client of the Kubernetes API: https://kubernetes.io/docs/reference/using-api/api-concepts/
///
/// Reading is tried again for a while when the server is away, writing only where the server said that it did nothing (429) or was
/// not reached at all. The rate is that of kubectl: 50 requests a second, 100 at once after a pause.
package final class ClusterClient: Sendable {
    package let endpoint: ClusterEndpoint
    private let source: CredentialSource
    private let clients: TrustedClients
    private let pace = RequestPace(perSecond: 50, burst: 100)
    private let patience: Patience
    /// Asked before each request that changes something.
    private let mayWrite: @Sendable () throws(ClusterError) -> Void

    /// Bytes of an answer: 500 objects of a list may be large, etcd's limit of one is 1.5 MB.
    private static let answerLimit = 64 << 20

    /// How long an answer is waited for.
    package struct Patience: Sendable {
        /// How often a request is sent that may be sent again.
        package var attempts = 4
        /// Seconds for each; `nil`: as long as something arrives.
        package var seconds: Int?

        package init(attempts: Int = 4, seconds: Int? = nil) {
            self.attempts = attempts
            self.seconds = seconds
        }
    }

    /// - Parameter mayWrite: asked before each request that changes something; what it throws is thrown instead.
    package init(
        _ endpoint: ClusterEndpoint, userAgent: String, patience: Patience = Patience(),
        mayWrite: @escaping @Sendable () throws(ClusterError) -> Void = { () throws(ClusterError) in }
    ) {
        self.endpoint = endpoint
        self.patience = patience
        self.mayWrite = mayWrite
        source = CredentialSource(endpoint)
        clients = TrustedClients(endpoint, userAgent: userAgent)
    }

    // MARK: Reading

    package func get(_ path: ResourcePath) async throws(ClusterError) -> JSONValue {
        try await json(ClusterRequest("GET", path))
    }

    /// The same; `nil` where there is no such object.
    package func find(_ path: ResourcePath) async throws(ClusterError) -> JSONValue? {
        do {
            return try await get(path)
        } catch  where error.code == .notFound {
            return nil
        }
    }

    /// All objects, read in pages of 500, and the version of the list.
    ///
    /// - Parameter selector: labels, as kubectl's `-l`.
    package func list(
        _ path: ResourcePath, selector: String? = nil
    ) async throws(ClusterError) -> (objects: [JSONValue], version: String) {
        var objects: [JSONValue] = []
        var next: String?
        // A list that takes longer than the server remembers its beginning is begun again.
        var restarts = 0
        while true {
            var request = ClusterRequest("GET", path.collection)
            request.query = [("limit", "500")] + path.selection
            if let selector { request.query.append(("labelSelector", selector)) }
            if let next { request.query.append(("continue", next)) }
            let page: JSONValue
            do {
                page = try await json(request)
            } catch  where error.code == .gone && restarts < 3 {
                restarts += 1
                (objects, next) = ([], nil)
                continue
            }
            objects += page["items"].items
            next = page["metadata"]["continue"].text
            if next == nil { return (objects, page["metadata"]["resourceVersion"].text ?? "") }
        }
    }

    /// A path of the API itself, `/version`, `/apis/apps/v1`.
    package func read(_ path: String) async throws(ClusterError) -> JSONValue {
        try await json(ClusterRequest("GET", raw: path))
    }

    // MARK: Writing

    package func create(_ object: JSONValue, at path: ResourcePath) async throws(ClusterError) -> JSONValue {
        var request = ClusterRequest("POST", path)
        request.body = object.encoded
        return try await json(request)
    }

    /// Replaces an object; its `metadata.resourceVersion` says which version may be replaced.
    package func replace(_ object: JSONValue, at path: ResourcePath) async throws(ClusterError) -> JSONValue {
        var request = ClusterRequest("PUT", path)
        request.body = object.encoded
        return try await json(request)
    }

    /// A merge patch (RFC 7386).
    package func merge(_ patch: JSONValue, at path: ResourcePath) async throws(ClusterError) -> JSONValue {
        var request = ClusterRequest("PATCH", path)
        request.contentType = "application/merge-patch+json"
        request.body = patch.encoded
        return try await json(request)
    }

    /// Server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/
    ///
    /// - Throws: `conflict` where others own fields that `apply` would change, and it does not take them over; `details` name them.
    package func apply(_ object: JSONValue, at path: ResourcePath, by apply: FieldManager) async throws(ClusterError)
        -> JSONValue
    {
        var request = ClusterRequest("PATCH", path)
        request.contentType = "application/apply-patch+yaml"
        request.query = [("fieldManager", apply.name), ("force", apply.takesOver ? "true" : "false")]
        if apply.isDryRun { request.query.append(("dryRun", "All")) }
        request.impersonated = apply.impersonated
        request.body = object.encoded
        return try await json(request)
    }

    /// Deletes an object; what it owns goes as `propagation` says. One that is not there is no error.
    ///
    /// - Parameter uid: of the object that is meant; another one of the same name stays (`conflict`).
    package func delete(
        _ path: ResourcePath, propagation: Propagation = .background, uid: String? = nil, as user: String? = nil
    ) async throws(ClusterError) {
        var request = ClusterRequest("DELETE", path)
        request.impersonated = user
        var options: JSONValue = [
            "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": .string(propagation.rawValue),
        ]
        if let uid { options["preconditions"] = ["uid": .string(uid)] }
        request.body = options.encoded
        do {
            _ = try await json(request)
        } catch  where error.code == .notFound {
            return
        }
    }

    package enum Propagation: String, Sendable {
        case background = "Background", foreground = "Foreground", orphan = "Orphan"
    }

    // MARK: Sending

    private func json(_ request: ClusterRequest) async throws(ClusterError) -> JSONValue {
        let response = try await send(request, into: nil)
        do {
            return try JSONReader.read(response.body, limits: .cluster)
        } catch {
            throw ClusterError(
                .unexpectedAnswer, "the API server's answer is not JSON", place: response.head.url.description,
                cause: error.reason)
        }
    }

    /// Sends a request, with the credentials of this moment, as often as it pays.
    func send(
        _ request: ClusterRequest, into receiver: (any BodyReceiver)?
    ) async throws(ClusterError) -> HTTPResponse {
        var attempt = 0
        var hasNewProof = false
        while true {
            do throws(ClusterError) {
                return try await sendOnce(request, into: receiver, isFresh: &hasNewProof)
            } catch {
                attempt += 1
                guard attempt < patience.attempts, error.isTransient, request.isRepeatable || error.code == .rateLimited
                else {
                    throw error
                }
                let seconds = error.retryAfter.map(Double.init) ?? 0.25 * Double(1 << attempt)
                guard seconds <= 30, (try? await Task.sleep(for: .seconds(seconds))) != nil else { throw error }
            }
        }
    }

    private func sendOnce(
        _ request: ClusterRequest, into receiver: (any BodyReceiver)?, isFresh: inout Bool
    ) async throws(ClusterError) -> HTTPResponse {
        await pace.wait()
        if request.method != "GET" { try mayWrite() }
        let url = try request.url(on: endpoint.server)
        let proof = try await source.proof()
        let http = clients.client(for: proof.trust)
        var message = request.message(to: url, token: proof.token)
        if receiver == nil { message.timeout = patience.seconds }
        let response: HTTPResponse
        do throws(HTTPError) {
            response =
                if let receiver {
                    try await http.send(message, into: receiver)
                } else {
                    try await http.send(message, limit: Self.answerLimit)
                }
        } catch {
            throw ClusterError(error)
        }
        if response.status == 401, !isFresh {
            // A token may have ended a moment ago.
            isFresh = true
            await source.refused(proof)
            return try await sendOnce(request, into: receiver, isFresh: &isFresh)
        }
        guard response.head.isSuccess else { throw ClusterError(response, request.failure, at: url) }
        return response
    }
}

/// Who applies, and how.
package struct FieldManager: Sendable {
    package var name: String
    /// Whether fields that others own are taken over.
    package var takesOver = false
    package var isDryRun = false
    /// The user as whom the request is made, `system:serviceaccount:NAMESPACE:NAME`.
    package var impersonated: String?

    package init(name: String) { self.name = name }
}

extension JSONLimits {
    /// Lists of hundreds of objects, custom resources with schemas in schemas.
    static var cluster: JSONLimits {
        var limits = JSONLimits()
        limits.depth = 200
        limits.values = 5_000_000
        return limits
    }
}
