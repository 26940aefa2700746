/// Commit messages of policy changes and releases in Flux v1's words.
extension CommitMessage {
    /// One line for each sort of change, in the order of Flux's names for them. As in Flux, everything that is neither
    /// the automation nor the lock itself (a lock's user and message, too) is "Updated policies".
    ///
    /// - Parameter user: the user's own words, which come first.
    package static func policies(_ update: PolicyUpdate, workloads: [String], user: String? = nil) -> String {
        let ids = workloads.sorted().joined(separator: ", ")
        var lines: [String] = []
        // Without a user fluxctl says nothing of why a workload is locked.
        var added = Set(update.add.keys)
        if !added.contains("locked_user") { added.remove("locked_msg") }
        if added.contains("automated") { lines.append("Automated: \(ids)") }
        if update.remove.contains("automated") { lines.append("Deautomated: \(ids)") }
        if added.contains("locked") { lines.append("Locked: \(ids)") }
        if update.remove.contains("locked") { lines.append("Unlocked: \(ids)") }
        if update.tagAll != nil || !added.union(update.remove).isSubset(of: ["automated", "locked"]) {
            lines.append("Updated policies: \(ids)")
        }
        if let user, !user.isEmpty { return user + "\n\n" + lines.map { "- \($0)\n" }.joined() }
        if lines.count == 1 { return lines[0] + "\n" }
        return "Updated workload policies\n\n" + lines.map { "- \($0)\n" }.joined()
    }

    /// - Parameters:
    ///   - image: as the user wrote it; `nil`: all images.
    ///   - workloads: their identifiers; none: all.
    package static func release(image: String?, workloads: [String], user: String? = nil) -> String {
        let text =
            "Release \(image ?? "all latest") to \(workloads.isEmpty ? "all" : workloads.joined(separator: ", "))"
        guard let user, !user.isEmpty else { return text }
        return "\(text)\n\n\(user)"
    }
}
