/// How much a notice matters. The order is that of the cases.
package enum NoticeSeverity: String, Codable, Sendable, CaseIterable, Comparable {
    case info, warning, error

    package static func < (left: NoticeSeverity, right: NoticeSeverity) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .info: 0
        case .warning: 1
        case .error: 2
        }
    }
}

/// What happened. The texts are stable: rules, receivers and scripts go by them.
package enum NoticeKind: String, Codable, Sendable, CaseIterable {
    case buildFailed = "build-failed"
    /// A pipeline that failed was built, or has nothing to build any more.
    case buildRecovered = "build-recovered"
    case buildSucceeded = "build-succeeded"
    /// An image that was there already got another name.
    case imagePushed = "image-pushed"
    case updateCommitted = "update-committed"
    case pullRequestOpened = "pull-request-opened"
    /// A person's word holds an update back, and does no longer.
    case updateHeld = "update-held"
    case updateReleased = "update-released"
    /// A cycle failed in another way than by a build, and all is well again.
    case repositoryFailing = "repository-failing"
    case repositoryRecovered = "repository-recovered"
    case repositoryPaused = "repository-paused"
    case repositoryResumed = "repository-resumed"
    /// `slipway notify --test`.
    case test

    /// What rules may name.
    package static let events: [NoticeKind] = allCases.filter { $0 != .test }

    package var severity: NoticeSeverity {
        switch self {
        case .buildFailed, .repositoryFailing: .error
        case .updateHeld: .warning
        case .buildRecovered, .buildSucceeded, .imagePushed, .updateCommitted, .pullRequestOpened, .updateReleased,
            .repositoryRecovered, .repositoryPaused, .repositoryResumed, .test:
            .info
        }
    }

    /// What this is the end of.
    package var beginning: NoticeKind? {
        switch self {
        case .buildRecovered: .buildFailed
        case .updateReleased: .updateHeld
        case .repositoryRecovered: .repositoryFailing
        case .repositoryResumed: .repositoryPaused
        default: nil
        }
    }

    /// By which events of rules it is meant. An end goes where its beginning was told, and a build that recovered has succeeded.
    package var matches: Set<NoticeKind> {
        var kinds: Set<NoticeKind> = [self]
        if let beginning { kinds.insert(beginning) }
        if self == .buildRecovered { kinds.insert(.buildSucceeded) }
        if kinds.contains(.buildSucceeded) { kinds.insert(.imagePushed) }
        return kinds
    }

    /// How much it matters to rules: an end as much as its beginning, which would otherwise stay open where it was told.
    package var ruleSeverity: NoticeSeverity { beginning?.severity ?? severity }
}
