import HTTP
package import JSON
import Synchronization

/// What a watch tells.
package enum ResourceChange: Sendable {
    /// All objects as they are: at the start, and whenever changes may have been missed.
    case listed([JSONValue])
    case added(JSONValue)
    case modified(JSONValue)
    case deleted(JSONValue)
    /// The server is away or refuses; the watch goes on trying.
    case failed(ClusterError)
}

extension ClusterClient {
    /// Lists objects and then follows their changes, until the task is cancelled or `take` says `false`: broken connections are
    /// resumed from the last version that was seen, a version that the server has forgotten (410) begins with a list again.
    ///
    /// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
    package func watch(
        _ path: ResourcePath, selector: String? = nil, _ take: (ResourceChange) async -> Bool
    ) async {
        var version: String?
        var failures = 0
        while !Task.isCancelled {
            do throws(ClusterError) {
                if version == nil {
                    let (objects, listed) = try await list(path, selector: selector)
                    guard await take(.listed(objects)) else { return }
                    version = listed
                }
                guard try await follow(path, selector: selector, from: &version, take) else { return }
                failures = 0
            } catch {
                if error.code == .cancelled { return }
                if error.code == .gone {
                    version = nil
                    continue
                }
                failures += 1
                guard await take(.failed(error)) else { return }
                try? await Task.sleep(for: .seconds(min(30, 1 << min(failures, 5))))
            }
        }
    }

    /// One request. `false` when enough was seen.
    private func follow(
        _ path: ResourcePath, selector: String?, from version: inout String?, _ take: (ResourceChange) async -> Bool
    ) async throws(ClusterError) -> Bool {
        var request = ClusterRequest("GET", path.collection)
        request.query =
            [
                ("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", "\(WatchLines.seconds)"),
                ("resourceVersion", version ?? ""),
            ] + path.selection
        if let selector { request.query.append(("labelSelector", selector)) }
        // The server ends it before.
        request.stallTimeout = WatchLines.seconds + 30
        let lines = WatchLines()
        let sending = Task { [request] () -> ClusterError? in
            defer { lines.end() }
            do throws(ClusterError) {
                _ = try await self.send(request, into: lines)
                return nil
            } catch {
                return error
            }
        }
        defer { sending.cancel() }
        // A cancelled task gets no more lines.
        while let line = await lines.next() {
            guard try await handOn(line, &version, take) else { return false }
        }
        if Task.isCancelled { sending.cancel() }
        // What did not fit is asked for again from the last version that was taken.
        if let error = await sending.value, !lines.overflowed { throw error }
        return true
    }

    private func handOn(
        _ line: [UInt8], _ version: inout String?, _ take: (ResourceChange) async -> Bool
    ) async throws(ClusterError) -> Bool {
        let event: JSONValue
        do {
            event = try JSONReader.read(line, limits: .cluster)
        } catch {
            throw ClusterError(.unexpectedAnswer, "a watch's line is not JSON", cause: error.reason)
        }
        let object = event["object"]
        let change: ResourceChange
        switch event["type"].text {
        case "BOOKMARK":
            version = object["metadata"]["resourceVersion"].text ?? version
            return true
        case "ADDED": change = .added(object)
        case "MODIFIED": change = .modified(object)
        case "DELETED": change = .deleted(object)
        default:
            let isGone = object["code"].integer == 410 || object["reason"].text == "Expired"
            throw ClusterError(
                isGone ? .gone : .unavailable, "the watch ended with an error", cause: object["message"].text)
        }
        guard await take(change) else { return false }
        version = object["metadata"]["resourceVersion"].text ?? version
        return true
    }
}
