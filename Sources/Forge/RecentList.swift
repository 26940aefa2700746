import HTTP
import Synchronization

/// The newest list of pull requests, kept with the host's mark of it (`ETag`, RFC 9110, 8.8.3): while nothing changed, the host
/// answers 304 without a body, which GitHub does not count.
final class RecentList: Sendable {
    private struct Kept {
        let question: String
        let etag: String
        let list: RecentPullRequests
    }

    /// Only the last question's: a repository asks one.
    private let kept = Mutex<Kept?>(nil)

    /// - Parameters:
    ///   - type: how the host writes it.
    ///   - prefix: with which the branches begin whose pull requests are kept.
    ///   - value: `nil` for a pull request of another repository's branch.
    func list<List: ForgeListing>(
        _ client: ForgeClient, _ url: HTTPURL, as type: List.Type, limit: Int, prefix: String,
        headers: HTTPHeaders = HTTPHeaders(), value: (List.Item) -> PullRequest?
    ) async throws(ForgeError) -> RecentPullRequests where List.Item: Sendable {
        let question = "\(url.text) \(prefix)"
        let last = kept.withLock { $0?.question == question ? $0 : nil }
        let page = try await client.page(url, as: type, limit: limit, unless: last?.etag, headers: headers)
        guard let page else { return last?.list ?? RecentPullRequests(pulls: [], isComplete: false) }
        let list = RecentPullRequests(
            pulls: page.items.compactMap(value).filter { $0.branch.hasPrefix(prefix) }, isComplete: !page.hasNext)
        kept.withLock { $0 = page.etag.map { Kept(question: question, etag: $0, list: list) } }
        return list
    }
}

/// A part of a list.
struct ForgePage<Item: Sendable>: Sendable {
    let items: [Item]
    let hasNext: Bool
    let etag: String?
}
