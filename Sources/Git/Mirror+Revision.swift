import CGit2

/// A name of a remote repository and what it stands for.
package struct RemoteRevision: Hashable, Sendable {
    /// `refs/heads/main`, `refs/tags/v1`; `nil` for a commit that was asked for by its id.
    package let reference: String?
    /// The commit, or the annotated tag.
    package let object: ObjectID
    package let commit: Commit
}

extension Mirror {
    /// What leads to an SSH server, for every conversation of it.
    var sshProgram: ServiceProgram? { url.kind == .ssh ? ServiceProgram.find(for: url, in: searchPath) : nil }

    /// Brings one revision here, whatever kind of name it has: a commit's id, a full reference, a branch or a tag, in this
    /// order; `nil` is the remote's default branch.
    package func fetch(revision: String?) throws(GitError) -> RemoteRevision {
        let session = RemoteSession(url: url, credentials: credentials, program: sshProgram)
        if let revision, let id = try? ObjectID(hex: revision) {
            if !repository.exists(id) {
                // A server need not give commits that it does not advertise, but all that references lead to.
                let connection = try Connection(repository, session: session, direction: GIT_DIRECTION_FETCH)
                let wanted = connection.advertisement.references.first { $0.value == id }?.key
                try connection.download(
                    references: wanted.map { ["+\($0):\($0)"] } ?? [
                        "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*",
                    ])
            }
            guard repository.exists(id) else {
                throw GitError(
                    .notFound, "the repository has no commit \(id)", place: url.description,
                    hint: "it must be reachable from a branch or a tag")
            }
            return RemoteRevision(
                reference: nil, object: id, commit: try repository.commit(repository.peeled(id) ?? id))
        }
        let connection = try Connection(repository, session: session, direction: GIT_DIRECTION_FETCH)
        let references = connection.advertisement.references
        let names: [String]
        if let revision {
            names = [
                revision.hasPrefix("refs/") ? revision : "refs/" + revision,
                "refs/heads/" + (revision.hasPrefix("refs/heads/") ? String(revision.dropFirst(11)) : revision),
                "refs/tags/" + (revision.hasPrefix("refs/tags/") ? String(revision.dropFirst(10)) : revision),
            ]
        } else {
            names = connection.advertisement.head.map { ["refs/heads/" + $0] } ?? ["HEAD"]
        }
        guard let name = names.first(where: { references[$0] != nil }), let id = references[name] else {
            throw GitError(
                .notFound,
                revision.map { "the repository has no branch, tag or commit '\($0)'" } ?? "the repository is empty",
                place: url.description)
        }
        if !repository.exists(id) {
            try connection.download(references: [name == "HEAD" ? "+HEAD:refs/slipway/head" : "+\(name):\(name)"])
        }
        guard repository.exists(id) else {
            throw GitError(.notFound, "the server did not send \(id.short)", place: url.description)
        }
        let commit = try repository.commit(references[name + "^{}"] ?? repository.peeled(id) ?? id)
        return RemoteRevision(reference: name == "HEAD" ? nil : name, object: id, commit: commit)
    }

    /// Makes the `.git` directory that a clone of this one revision has: the commit without its history, no work tree.
    ///
    /// Everybody can read it, as what a clone makes: a step may run as any user.
    ///
    /// - Parameter path: a directory that does not exist.
    package func makeGitDirectory(at path: String, of revision: RemoteRevision) throws(GitError) {
        let commit = "\(revision.commit.id)\n"
        try layOutGitDirectory(at: path, tree: revision.commit.tree)
        let failure = "cannot copy the repository"
        let repository = self.repository.handle.pointer
        do {
            let pack = try Handle<PackBuilderKind>(failure, place: path) { git_packbuilder_new(&$0, repository) }
            var oid = revision.commit.id.oid
            try check(failure, place: path) { git_packbuilder_insert_commit(pack.pointer, &oid) }
            if revision.object != revision.commit.id {
                var tag = revision.object.oid
                try check(failure, place: path) { git_packbuilder_insert(pack.pointer, &tag, nil) }
            }
            try PackSink.store(pack, of: self.repository, in: "\(path)/objects/pack", failure: failure)
        }
        for (name, text) in [("HEAD", commit), ("shallow", commit)] {
            try Storage.write(Array(text.utf8), to: "\(path)/\(name)")
        }
        if let reference = revision.reference, reference.hasPrefix("refs/") {
            let parent = reference.split(separator: "/").dropLast().joined(separator: "/")
            try Storage.makeDirectories("\(path)/\(parent)")
            try Storage.write(Array("\(revision.object)\n".utf8), to: "\(path)/\(reference)")
        }
        try Storage.makeReadable(path)
    }
}
