/// Commit messages of policy changes and releases in Flux v1's words.
extension CommitMessage {
    /// What happened to which workloads.
    package struct PolicyEvents: Sendable {
        private var lines: [String]

        package init(_ update: PolicyUpdate, workloads: [String]) {
            let ids = workloads.sorted().joined(separator: ", ")
            lines = []
            let known: Set<String> = ["automated", "locked", "locked_user", "locked_msg"]
            if update.add["automated"] != nil, !update.remove.contains("automated") {
                lines.append("Automated: \(ids)")
            }
            if update.remove.contains("automated") { lines.append("Deautomated: \(ids)") }
            if update.add["locked"] != nil, !update.remove.contains("locked") { lines.append("Locked: \(ids)") }
            if update.remove.contains("locked") { lines.append("Unlocked: \(ids)") }
            if update.tagAll != nil || !Set(update.add.keys).union(update.remove).isSubset(of: known) {
                lines.append("Updated policies: \(ids)")
            }
        }

        func message(_ user: String?) -> String {
            if let user, !user.isEmpty { return user + "\n\n" + lines.map { "- \($0)\n" }.joined() }
            if lines.count == 1 { return lines[0] + "\n" }
            return "Updated workload policies\n\n" + lines.map { "- \($0)\n" }.joined()
        }
    }

    /// - Parameter user: the user's own words, which come first.
    package static func policies(_ update: PolicyUpdate, workloads: [String], user: String? = nil) -> String {
        PolicyEvents(update, workloads: workloads).message(user)
    }

    /// - Parameters:
    ///   - image: as the user wrote it; `nil`: all images.
    ///   - workloads: as the user wrote them; none: all.
    package static func release(image: String?, workloads: [String], user: String? = nil) -> String {
        let text =
            "Release \(image ?? "all latest") to \(workloads.isEmpty ? "all" : workloads.joined(separator: ", "))"
        guard let user, !user.isEmpty else { return text + "\n" }
        return "\(text)\n\n\(user)\n"
    }
}
