package import Notifications
package import RegistryPoller

/// Who is told of what.
package struct NotificationSettings: Sendable {
    /// Which notices some channels get; all that it says has to hold.
    package struct Rule: Sendable {
        package var channels: [String]
        /// Empty: all events.
        package var events: Set<NoticeKind> = []
        /// Names of repositories; empty: all.
        package var repositories: [WildcardPattern] = []
        package var severity = NoticeSeverity.info

        package init(channels: [String]) { self.channels = channels }

        func takes(_ notice: Notice) -> Bool {
            guard notice.kind.ruleSeverity >= severity else { return false }
            guard events.isEmpty || !events.isDisjoint(with: notice.kind.matches) else { return false }
            return repositories.isEmpty || repositories.contains { $0.matches(notice.repository) }
        }
    }

    /// Where people reach the agent's pages, without a last slash; `nil` for no links.
    package var pages: String?
    /// How long something that is tried again by itself fails before it is told.
    package var failingFor: Duration = .zero
    package var channels: [any NotificationChannel] = []
    /// None: each channel gets warnings and errors.
    package var rules: [Rule] = []

    package init() {}

    /// The names of the channels that a notice goes to, each once.
    package func channels(for notice: Notice) -> [String] {
        let names = channels.map(\.name)
        guard !rules.isEmpty else { return notice.kind.ruleSeverity >= .warning ? names : [] }
        let taking = Set(rules.filter { $0.takes(notice) }.flatMap(\.channels))
        return names.filter(taking.contains)
    }
}
