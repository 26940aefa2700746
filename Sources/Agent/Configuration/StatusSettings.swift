package import Forge

extension AgentConfiguration {
    /// Where the agent says how the builds of a commit are doing.
    package struct StatusSettings: Sendable {
        package var host: StatusHostKind
        /// The API's URL and the project, where the repository's URL does not tell them.
        package var api: String?
        package var project: String?
        /// `nil`: git's own token.
        package var tokenFile: String?
        /// Plain HTTP.
        package var isInsecure = false
        /// Check runs beside the statuses: GitHub's, by an App.
        package var hasChecks = false
        /// Where people reach the agent's pages, without a last slash; `nil` for no links.
        package var pages: String?

        package init(host: StatusHostKind) { self.host = host }
    }
}
