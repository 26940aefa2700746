import Git
import ManifestUpdater

/// New contents of files, with the changes that they hold.
package struct ChangeSet: Sendable {
    package var files: [String: [UInt8]] = [:]
    package var updates: [CycleReport.Update] = []
    package var decisions: [CycleReport.Decision] = []

    package init() {}

    var isEmpty: Bool { files.isEmpty }

    /// Adds what was made on top of this.
    mutating func append(_ other: ChangeSet) {
        files.merge(other.files) { _, new in new }
        updates += other.updates
        decisions += other.decisions.filter { !decisions.contains($0) }
    }
}

/// A change that is asked for: computed for the head at hand, and anew for each other one when a race is lost.
package struct ChangeRequest: Sendable {
    package typealias Edit = @Sendable (RevisionFiles) async throws(AgentError) -> ChangeSet

    private var edits: [Edit]
    /// What a person asked for by a command; `nil` for what policies chose.
    let command: PersonalCommand?
    /// How an object of the repository wants it written back; `nil`: as the agent's configuration says.
    let writeBack: WriteBack?

    package init(command: PersonalCommand? = nil, writeBack: WriteBack? = nil, _ edit: @escaping Edit) {
        edits = [edit]
        self.command = command
        self.writeBack = writeBack
    }

    /// This change and another one behind it, as one.
    func followed(by other: ChangeRequest) -> ChangeRequest {
        var both = self
        both.edits += other.edits
        return both
    }

    func changes(on files: RevisionFiles) async throws(AgentError) -> ChangeSet {
        var files = files
        var all = ChangeSet()
        for edit in edits {
            let changes = try await edit(files)
            files.edited.merge(changes.files) { _, new in new }
            all.append(changes)
        }
        return all
    }
}

/// What a person asked for by `slipway release`, `automate` and their kin.
package struct PersonalCommand: Sendable {
    /// `release`, `policy`.
    package let verb: String
    /// Who asks.
    package let user: String?
    /// The commit's message for the changes that were made, without trailers.
    package let message: @Sendable ([CycleReport.Update]) -> String

    package init(
        verb: String, user: String? = nil, message: @escaping @Sendable ([CycleReport.Update]) -> String
    ) {
        self.verb = verb
        self.user = user
        self.message = message
    }
}

/// The files of a revision with the edits that were made on it so far.
package struct RevisionFiles: Sendable {
    package let tree: RevisionTree
    let remote: any GitRemote
    var edited: [String: [UInt8]] = [:]

    init(tree: RevisionTree, remote: any GitRemote) {
        self.tree = tree
        self.remote = remote
    }

    /// The content of a regular file; `nil` where there is none.
    package func read(_ path: String, limit: Int = UpdateRequest.sizeLimit) async throws(AgentError) -> [UInt8]? {
        if let bytes = edited[path] { return bytes }
        guard let entry = tree.file(path) else { return nil }
        return try await remote.read(entry, limit: limit)
    }
}
