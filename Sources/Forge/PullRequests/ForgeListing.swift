/// How a host writes a part of a list.
protocol ForgeListing: Decodable {
    associatedtype Item: Decodable

    var items: [Item] { get }
    /// Whether there are more; `nil` where only the answer's headers say so.
    var hasNext: Bool? { get }
}

/// GitHub, GitLab and Gitea send bare arrays.
extension Array: ForgeListing where Element: Decodable {
    var items: [Element] { self }
    var hasNext: Bool? { nil }
}

/// Bitbucket Cloud: `next` is there while there are more.
struct BitbucketListing<Item: Decodable>: ForgeListing {
    let values: [Item]
    let next: String?

    var items: [Item] { values }
    var hasNext: Bool? { next != nil }
}

/// Bitbucket Data Center.
struct BitbucketServerListing<Item: Decodable>: ForgeListing {
    let values: [Item]
    let isLastPage: Bool?
    let nextPageStart: Int?

    var items: [Item] { values }
    var hasNext: Bool? { isLastPage == false }
}

/// Azure DevOps: a page that is not full is the last one.
struct AzureListing<Item: Decodable>: ForgeListing {
    let value: [Item]

    var items: [Item] { value }
    var hasNext: Bool? { nil }
}
