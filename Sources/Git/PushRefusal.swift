/// A server's "no" to a push (gitprotocol-pack(5), "ng" of the report), with what it said beside it.
struct PushRefusal {
    /// The report's word, which is git's own or a host's: `pre-receive hook declined`, `failed to update ref`.
    let reason: String
    /// What hooks and the server printed.
    let heard: String

    init(reason: String, heard: [UInt8]) {
        self.reason = Redaction.serverText(Array(reason.utf8))
        self.heard = Redaction.serverText(heard)
    }

    var text: String { heard.isEmpty ? reason : "\(reason): \(heard)" }

    /// Another writer held the reference's lock at that moment.
    var isOfLock: Bool {
        ["failed to update ref", "cannot lock ref", "failed to lock", "unable to lock"].contains { text.contains($0) }
            && (heard.isEmpty || heard.contains("File exists") || heard.contains("but expected"))
    }

    func error(branch: String, place: String) -> GitError {
        if reason.hasSuffix("hook declined") {
            // git says "hook declined" for `update` hooks.
            let hook = reason == "hook declined" ? "update" : String(reason.dropLast(" hook declined".count))
            return GitError(
                .refused, "the repository's \(hook) hook refuses the push to '\(branch)'", place: place,
                cause: heard.isEmpty ? "it gives no reason" : "it says: \(heard)",
                hint: "do what it asks for, allow this account there, or let the commits go to another branch")
        }
        if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
            return GitError(
                .storage, "the repository cannot take the push to '\(branch)'", place: place, cause: text,
                hint: DiskSpace.hint)
        }
        if reason.contains("currently checked out") {
            return GitError(
                .refused, "'\(branch)' is checked out in a repository with a work tree; it is not pushed to",
                place: place, cause: reason,
                hint:
                    "use a bare repository (git clone --bare), or another branch, or set receive.denyCurrentBranch there"
            )
        }
        return GitError(
            .refused, "the server refused the push to '\(branch)'", place: place,
            cause: heard.isEmpty ? reason : "\(reason) (\(heard))",
            hint:
                "a hook or a branch rule of the repository decides this; allow this account, or let the commits go to "
                + "another branch")
    }
}
