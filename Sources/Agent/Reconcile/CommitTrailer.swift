/// The machine-readable end of the agent's own commit messages, one line for each change:
///
///     Slipway-Update: apps/web.yaml default:deployment/web app acme/web:v3 acme/web:v4
///
/// It tells the agent's own commits from people's: they never cause a build.
package enum CommitTrailer {
    package static let key = "Slipway-Update"

    package static func line(_ update: CycleReport.Update) -> String {
        "\(key): \(update.file) \(update.workload) \(update.container) \(update.old) \(update.new)"
    }

    /// Whether a commit message ends with a block of trailers that holds one of ours.
    package static func isOwn(_ message: String) -> Bool {
        let lines = message.split(separator: "\n", omittingEmptySubsequences: false)
        let block = lines.reversed().drop { $0.isEmpty }.prefix { !$0.isEmpty }
        return block.contains { $0.hasPrefix("\(key): ") }
    }
}
