import CGit2

extension Mirror {
    /// Attaches a note to a commit in the remote's notes (git-notes(1)), as the newest commit of `reference`.
    ///
    /// Notes of others are kept: a lost race is run again on the remote's new notes, some times.
    ///
    /// - Parameter reference: `refs/notes/flux`, say.
    package func pushNote(
        _ text: String, on commit: ObjectID, reference: String, author: Signature, committer: Signature
    ) throws(GitError) {
        var isValid: Int32 = 0
        guard reference.hasPrefix("refs/notes/"), git_reference_name_is_valid(&isValid, reference) == 0, isValid == 1
        else {
            throw GitError(.invalid, "'\(reference)' is not a reference for notes", hint: "write refs/notes/NAME")
        }
        var last = ""
        for attempt in 0..<6 {
            let base = try fetchReference(reference, fresh: attempt > 0)
            // A crash may have left a note here that the remote never got.
            if let base {
                try repository.setReference(reference, to: base)
            } else {
                repository.removeReference(reference)
            }
            let head = try reading { (r) throws(GitError) in
                try r.writeNote(text, on: commit, reference: reference, author: author, committer: committer)
            }
            switch try push(head, toReference: reference, expecting: base, force: false) {
            case .pushed: return
            case .rejected(let reason, _): last = reason
            }
        }
        throw GitError(.refused, "the note could not be written", place: url.description, cause: last)
    }
}

extension Repository {
    fileprivate func writeNote(
        _ text: String, on commit: ObjectID, reference name: String, author: Signature, committer: Signature
    ) throws(GitError) -> ObjectID {
        let by = try OwnedSignature(author)
        let with = try OwnedSignature(committer)
        var target = commit.oid
        var note = git_oid()
        try check("cannot write the note", place: path) {
            git_note_create(&note, handle.pointer, name, by.pointer, with.pointer, &target, text, 1)
        }
        guard let head = try reference(name) else { throw GitError(.corrupt, "the note was not written", place: path) }
        return head
    }
}
