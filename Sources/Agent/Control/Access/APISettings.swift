/// Who may use the API by its address: `api:` of the configuration.
package struct APISettings: Sendable, Equatable {
    /// Holds the token of those who may make the agent work; `nil`: nobody may, but on the agent's socket.
    package var tokenFile: String?
    /// Holds the token of those who may read; `nil`: everybody may.
    package var readTokenFile: String?
    /// Host names by which clients reach the agent, without ports; empty: any, unless it listens on this machine's own addresses only.
    package var hosts: [String] = []

    package init() {}
}
