import CGit2

/// A tag of a remote.
package struct RemoteTag: Hashable, Sendable {
    /// Without `refs/tags/`.
    package let name: String
    /// The commit, or the annotated tag.
    package let object: ObjectID
    package let commit: ObjectID
}

/// The `.git` directories that builds get to see.
extension Mirror {
    /// The remote's tags of a commit and of those before it, sorted by name and brought here: what `git describe` goes by.
    package func fetchTags(reaching commit: ObjectID) throws(GitError) -> [RemoteTag] {
        switch url.transport {
        case .local(let path):
            let remote = try LocalRemote(path: path, url: url)
            let tags = try tags(of: remote.advertisement, reaching: commit)
            let missing = tags.map(\.object).filter { !repository.exists($0) }
            if !missing.isEmpty { try remote.download(objects: missing, into: repository) }
            return tags
        case .http, .ssh, .git:
            let session = RemoteSession(url: url, credentials: credentials, program: sshProgram)
            let connection = try Connection(repository, session: session, direction: GIT_DIRECTION_FETCH)
            let tags = try tags(of: connection.advertisement, reaching: commit)
            let missing = tags.filter { !repository.exists($0.object) }.map {
                "+refs/tags/\($0.name):refs/tags/\($0.name)"
            }
            if !missing.isEmpty { try connection.download(references: missing) }
            return tags
        }
    }

    private func tags(of remote: Advertisement, reaching commit: ObjectID) throws(GitError) -> [RemoteTag] {
        var tags: [RemoteTag] = []
        for (reference, object) in remote.references {
            guard reference.hasPrefix("refs/tags/"), !reference.hasSuffix("^{}"),
                reference.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
            else { continue }
            tags.append(
                RemoteTag(
                    name: String(reference.dropFirst("refs/tags/".count)), object: object,
                    commit: remote.references[reference + "^{}"] ?? object))
        }
        guard !tags.isEmpty else { return [] }
        let before = try repository.ancestors(of: commit)
        return tags.filter { before.contains($0.commit) }.sorted { $0.name < $1.name }
    }

    /// Makes the `.git` directory that a clone has: a commit with its history and its tags, no work tree.
    ///
    /// - Parameters:
    ///   - path: a directory that does not exist.
    ///   - branch: what is checked out, without `refs/heads/`; `nil`: the commit itself.
    ///   - tags: as `fetchTags` gives them.
    package func makeGitDirectory(
        at path: String, of commit: Commit, branch: String?, tags: [RemoteTag]
    ) throws(GitError) {
        try layOutGitDirectory(at: path, tree: commit.tree)
        try repository.copyHistory(
            of: commit.id, and: tags.filter { $0.object != $0.commit }.map(\.object), to: "\(path)/objects/pack")
        var references = "# pack-refs with: peeled fully-peeled sorted \n"
        if let branch {
            references += "\(commit.id) refs/heads/\(branch)\n\(commit.id) refs/remotes/origin/\(branch)\n"
        }
        for tag in tags {
            references += "\(tag.object) refs/tags/\(tag.name)\n"
            if tag.object != tag.commit { references += "^\(tag.commit)\n" }
        }
        try Storage.write(Array(references.utf8), to: "\(path)/packed-refs")
        let head = branch.map { "ref: refs/heads/\($0)" } ?? "\(commit.id)"
        try Storage.write(Array("\(head)\n".utf8), to: "\(path)/HEAD")
        try Storage.makeReadable(path)
    }

    /// What all such directories have: the folders, the index of what is checked out, and where it came from.
    func layOutGitDirectory(at path: String, tree: ObjectID) throws(GitError) {
        for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"] {
            try Storage.makeDirectories("\(path)/\(folder)")
        }
        let failure = "cannot copy the repository"
        let tree = try repository.treeHandle(tree)
        let index = try Handle<IndexKind>(failure, place: path) { git_index_open(&$0, "\(path)/index") }
        try check(failure, place: path) { git_index_read_tree(index.pointer, tree.pointer) }
        try check(failure, place: path) { git_index_write(index.pointer) }
        let config = """
            [core]
            \trepositoryformatversion = 0
            \tfilemode = true
            \tbare = false
            \tlogallrefupdates = true
            [remote "origin"]
            \turl = \(url.description)
            \tfetch = +refs/heads/*:refs/remotes/origin/*

            """
        try Storage.write(Array(config.utf8), to: "\(path)/config")
    }
}

extension Repository {
    /// A commit and all that came before it.
    fileprivate func ancestors(of commit: ObjectID) throws(GitError) -> Set<ObjectID> {
        let failure = "cannot walk the history of \(commit.short)"
        let walk = try Handle<WalkKind>(failure, place: path) { git_revwalk_new(&$0, handle.pointer) }
        var oid = commit.oid
        try check(failure, place: path) { git_revwalk_push(walk.pointer, &oid) }
        var found: Set<ObjectID> = []
        while true {
            let status = git_revwalk_next(&oid, walk.pointer)
            if status == GIT_ITEROVER.rawValue { return found }
            guard status >= 0 else { throw .last(status, failure, place: path) }
            found.insert(ObjectID(oid))
        }
    }

    /// Stores a commit's history, and further objects, as one pack that is named after the commit: libgit2's own name depends on
    /// how well it was compressed.
    fileprivate func copyHistory(
        of commit: ObjectID, and objects: [ObjectID], to directory: String
    ) throws(GitError) {
        let repository = handle.pointer
        let failure = "cannot copy the repository"
        do {
            let walk = try Handle<WalkKind>(failure, place: path) { git_revwalk_new(&$0, repository) }
            var oid = commit.oid
            try check(failure, place: path) { git_revwalk_push(walk.pointer, &oid) }
            let builder = try Handle<PackBuilderKind>(failure, place: path) { git_packbuilder_new(&$0, repository) }
            _ = git_packbuilder_set_threads(builder.pointer, 0)
            try check(failure, place: path) { git_packbuilder_insert_walk(builder.pointer, walk.pointer) }
            for object in objects {
                oid = object.oid
                try check(failure, place: path) { git_packbuilder_insert(builder.pointer, &oid, nil) }
            }
            try PackSink.store(builder, of: self, in: directory, failure: failure)
        }
        for name in Storage.names(in: directory) {
            guard let dot = name.lastIndex(of: ".") else { continue }
            try Storage.rename("\(directory)/\(name)", to: "\(directory)/pack-\(commit)\(name[dot...])")
        }
    }

    /// Copies single objects, such as annotated tags.
    func copyObjects(_ ids: [ObjectID], toPackDirectory directory: String, failure: String) throws(GitError) {
        let repository = handle.pointer
        let builder = try Handle<PackBuilderKind>(failure, place: path) { git_packbuilder_new(&$0, repository) }
        for id in ids {
            var oid = id.oid
            try check(failure, place: path) { git_packbuilder_insert(builder.pointer, &oid, nil) }
        }
        try PackSink.store(builder, of: self, in: directory, failure: failure)
    }
}

extension LocalRemote {
    /// Copies single objects into the mirror.
    func download(objects ids: [ObjectID], into mirror: borrowing Repository) throws(GitError) {
        try copyObjects(ids, to: mirror.packDirectory)
    }
}

private enum IndexKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_index_free(pointer) } }
