import CGit2

/// How a push ended, when the conversation itself went well.
package enum PushOutcome: Hashable, Sendable {
    case pushed
    /// Somebody else moved the branch meanwhile. Fetch, recompute and try again.
    ///
    /// - Parameters:
    ///   - reason: in words, for a log.
    ///   - remoteHead: where the branch is now, if known.
    case rejected(reason: String, remoteHead: ObjectID?)
}

extension Mirror {
    /// Writes a commit on top of `parent` into the object database. No reference moves and there is no work tree.
    ///
    /// - Parameters:
    ///   - edits: whole new contents by path. Files keep their modes; new files are ordinary ones. Symbolic links,
    ///     submodules and directories are refused.
    ///   - deletions: files to remove; those that are not there are no error.
    ///   - signingKey: signs the commit, when given.
    /// - Throws: `.unchanged` when the tree would be the parent's.
    package func createCommit(
        parent: ObjectID, edits: [String: [UInt8]], deletions: Set<String> = [], message: String, author: Signature,
        committer: Signature, signingKey: SigningKey? = nil
    ) throws(GitError) -> ObjectID {
        noteAddition()
        return try reading { (repository) throws(GitError) in
            if edits.count + deletions.count <= Self.looseLimit {
                return try repository.createCommit(
                    parent: parent, edits: edits, deletions: deletions, message: message, author: author,
                    committer: committer, signingKey: signingKey)
            }
            // On a handle of its own, whose writes stay in memory; the mirror's finds the pack by itself.
            let workshop = try Repository(opening: path)
            try workshop.keepWritesInMemory()
            let commit = try workshop.createCommit(
                parent: parent, edits: edits, deletions: deletions, message: message, author: author,
                committer: committer, signingKey: signingKey)
            try workshop.writePack(of: try workshop.objects(of: commit, at: Array(edits.keys) + deletions))
            return commit
        }
    }

    /// Commits of more files are stored as one pack, smaller ones as a file an object.
    private static let looseLimit = 32

    /// Moves the remote's branch to a commit, if it still is where the commit was computed from.
    ///
    /// - Parameter expecting: the branch's head that the caller knows; `nil` when the branch must not exist yet.
    /// - Parameter force: the old head need not be an ancestor of the new one; it is compared all the same (a push with a
    ///   lease).
    /// - Returns: `.rejected` for a lost race, in whichever way the server reports it.
    /// - Throws: `.refused` with the server's words when a hook or a rule refuses.
    package func push(
        _ commit: ObjectID, to branch: String, expecting: ObjectID?, force: Bool = false
    ) throws(GitError) -> PushOutcome {
        try push(commit, toReference: try Self.reference(branch), expecting: expecting, force: force)
    }

    /// Removes a branch of the remote, if it still is where the caller knows it.
    package func deleteBranch(_ branch: String, expecting: ObjectID) throws(GitError) -> PushOutcome {
        let reference = try Self.reference(branch)
        let outcome = try push(nil, toReference: reference, expecting: expecting, force: true)
        if outcome == .pushed { repository.removeReference(reference) }
        return outcome
    }

    func push(
        _ target: ObjectID?, toReference reference: String, expecting: ObjectID?, force: Bool
    ) throws(GitError) -> PushOutcome {
        let outcome = try send(target, to: reference, expecting: expecting, force: force)
        // It is there: that the mirror cannot note it, on a full disk say, takes nothing back. The next fetch does.
        if outcome == .pushed, let target { try? repository.setReference(reference, to: target) }
        if outcome == .pushed { noteAdvertised(reference, target) }
        return outcome
    }

    private func send(
        _ target: ObjectID?, to reference: String, expecting: ObjectID?, force: Bool
    ) throws(GitError) -> PushOutcome {
        let program = ServiceProgram.find(for: url, in: searchPath)
        if case .local(let remotePath) = url.transport {
            let remote = try LocalRemote(path: remotePath, url: url)
            if program == nil { throw GitProgram.missing(place: url.description) }
            if let early = verdict(remote.advertisement.references[reference], target, reference, expecting) {
                return early
            }
        }
        let session = RemoteSession(url: url, credentials: credentials, program: program)
        let status: Int32
        do {
            let connection = try Connection(repository, session: session, direction: GIT_DIRECTION_PUSH)
            if let early = verdict(connection.advertisement.references[reference], target, reference, expecting) {
                return early
            }
            // libgit2 pushes references only.
            let temporary = "refs/slipway/push"
            if let target { try repository.setReference(temporary, to: target) }
            defer { if target != nil { repository.removeReference(temporary) } }
            status = try connection.upload(target == nil ? nil : temporary, to: reference, force: force)
        }
        if status == GIT_ENONFASTFORWARD.rawValue {
            return .rejected(
                reason: "'\(Advertisement.short(reference))' has commits that this push does not contain",
                remoteHead: nil)
        }
        if let update = session.update, !update.isAccepted {
            return try explain(refusal: update.reason, session, target, reference, expecting)
        }
        guard session.update != nil else {
            throw GitError(
                .network, "the server did not say whether it accepted the push", place: url.description,
                hint: "the next fetch shows it")
        }
        return .pushed
    }

    /// A server words a lost race in many ways ("failed to update ref", "cannot lock ref …", "non-fast-forward"). What
    /// decides is whether the branch moved.
    private func explain(
        refusal reason: String, _ session: RemoteSession, _ target: ObjectID?, _ reference: String,
        _ expecting: ObjectID?
    ) throws(GitError) -> PushOutcome {
        let now = try advertise().references[reference]
        if let late = verdict(now, target, reference, expecting) { return late }
        let refusal = PushRefusal(reason: reason, heard: session.serverText)
        if refusal.isOfLock {
            return .rejected(
                reason: "another writer holds '\(Advertisement.short(reference))' (\(refusal.text))", remoteHead: now)
        }
        throw refusal.error(branch: Advertisement.short(reference), place: url.description)
    }

    /// What the remote's present head says about a push: done already, lost, or (`nil`) still to be done.
    private func verdict(
        _ now: ObjectID?, _ target: ObjectID?, _ reference: String, _ expecting: ObjectID?
    ) -> PushOutcome? {
        if now == target { return .pushed }
        if now == expecting { return nil }
        let place = now.map { "is at \($0.short)" } ?? "does not exist any more"
        return .rejected(
            reason:
                "'\(Advertisement.short(reference))' \(place), not at \(expecting?.short ?? "no commit") as expected",
            remoteHead: now)
    }
}
