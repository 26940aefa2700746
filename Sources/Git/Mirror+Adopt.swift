import CGit2

extension Mirror {
    /// Writes a commit that somebody else made and signed, whose tree and parents are here.
    ///
    /// - Parameters:
    ///   - payload: the commit without its signature.
    ///   - id: what the commit is to be: other bytes are refused.
    package func adoptCommit(payload: String, signature: String, as id: ObjectID) throws(GitError) {
        noteAddition()
        try reading { (repository) throws(GitError) in
            try repository.adoptCommit(payload: payload, signature: signature, as: id)
        }
    }
}

extension Repository {
    func adoptCommit(payload: String, signature: String, as id: ObjectID) throws(GitError) {
        var bare = signature
        while bare.hasSuffix("\n") { bare.removeLast() }
        // Signatures are told with a line end that commits may have or not.
        for text in [signature, bare] {
            var oid = git_oid()
            try check("cannot write the signed commit", place: path) {
                git_commit_create_with_signature(&oid, handle.pointer, payload, text, "gpgsig")
            }
            if ObjectID(oid) == id { return }
        }
        throw GitError(
            .invalid, "the signed commit \(id.short) does not have the content that is told of it", place: path)
    }
}
