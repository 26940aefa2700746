import CGit2
import Cryptography

extension Repository {
    /// A commit's signature and what it signs; no signature is `nil`.
    func signature(of id: ObjectID) throws(GitError) -> (signature: [UInt8]?, payload: [UInt8]) {
        var signature = git_buf()
        var payload = git_buf()
        defer {
            git_buf_dispose(&signature)
            git_buf_dispose(&payload)
        }
        var oid = id.oid
        let status = git_commit_extract_signature(&signature, &payload, handle.pointer, &oid, "gpgsig")
        if status == GIT_ENOTFOUND.rawValue { return (nil, []) }
        guard status >= 0 else { throw .last(status, "cannot read the signature of \(id.short)", place: path) }
        return (Self.bytes(signature), Self.bytes(payload))
    }

    static func bytes(_ buffer: git_buf) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: buffer.ptr, count: buffer.size))
    }

    /// The commits that `mode` asks to be signed, newest first, down to those that `known` reaches.
    func commitsToVerify(
        _ head: ObjectID, mode: VerificationMode, known: ObjectID?, limit: Int
    ) throws(GitError) -> [Commit] {
        switch mode {
        case .none: return []
        case .head: return [try commit(head)]
        case .firstParent:
            // Down to the very commit that was verified: what was merged into it counts anew when it comes onto this line.
            var commits: [Commit] = []
            var next: ObjectID? = head
            while let id = next, id != known {
                guard commits.count < limit else { throw tooMany(limit) }
                let commit = try commit(id)
                commits.append(commit)
                next = commit.parents.first
            }
            return commits
        case .all:
            let walk = try Handle<WalkKind>("cannot walk the history of \(head.short)", place: path) {
                git_revwalk_new(&$0, handle.pointer)
            }
            var start = head.oid
            try check("cannot walk the history of \(head.short)", place: path) {
                git_revwalk_push(walk.pointer, &start)
            }
            if let known, exists(known) {
                var end = known.oid
                try check("cannot walk the history of \(head.short)", place: path) {
                    git_revwalk_hide(walk.pointer, &end)
                }
            }
            var commits: [Commit] = []
            while true {
                var oid = git_oid()
                let status = git_revwalk_next(&oid, walk.pointer)
                if status == GIT_ITEROVER.rawValue { return commits }
                guard status >= 0 else { throw .last(status, "cannot walk the history of \(head.short)", place: path) }
                guard commits.count < limit else { throw tooMany(limit) }
                commits.append(try commit(ObjectID(oid)))
            }
        }
    }

    private func tooMany(_ limit: Int) -> GitError {
        GitError(
            .tooLarge, "more than \(limit) commits would have to be verified", place: path,
            hint: "verify the head, or the line of first parents")
    }
}

extension Mirror {
    /// Holds a branch's commits against the keys that the operator trusts.
    ///
    /// Commits that were found good once are not looked at again as long as mode and keys stay the same; the mirror
    /// remembers it in a reference, which may be lost.
    ///
    /// - Returns: how many commits were checked now.
    /// - Throws: `.unverified` naming the first commit (the newest) that is not as it must be.
    @discardableResult
    package func verify(
        _ head: ObjectID, branch: String, mode: VerificationMode, trust: SignatureTrust
    ) throws(GitError) -> Int {
        guard mode != .none else { return 0 }
        let memory = try Self.memory(of: branch, mode: mode, trust: trust)
        if try repository.reference(memory) == head { return 0 }
        return try reading { (r) throws(GitError) in
            let commits = try r.commitsToVerify(
                head, mode: mode, known: try r.reference(memory), limit: Self.verificationLimit)
            let verifier = try SignatureVerifier(trust)
            for commit in commits {
                let (signature, payload) = try r.signature(of: commit.id)
                switch try verifier.judge(signature: signature, payload: payload, time: commit.committer.time) {
                case .good: continue
                case .refused(let reason):
                    throw GitError(
                        .unverified, "the commit \(commit.id.short) is not accepted: \(reason)", place: url.description,
                        cause: "'\(Redaction.serverText(Array(commit.subject.utf8), limit: 100))' by "
                            + "\(commit.committer.name) <\(commit.committer.email)>",
                        hint: "nothing is done until the branch's \(Self.words(mode)) signed by a trusted key")
                }
            }
            try r.setReference(memory, to: head)
            return commits.count
        }
    }

    private static var verificationLimit: Int { 20_000 }

    private static func words(_ mode: VerificationMode) -> String {
        switch mode {
        case .none, .head: "newest commit is"
        case .all: "commits are"
        case .firstParent: "commits (those of the first-parent line) are"
        }
    }

    /// Where the last verified head is kept: another name for other keys, so that these start afresh.
    private static func memory(
        of branch: String, mode: VerificationMode, trust: SignatureTrust
    ) throws(GitError) -> String {
        _ = try reference(branch)
        var bytes: [UInt8] = []
        for file in [trust.allowedSignersFile, trust.keyringFile] {
            let content = file.flatMap { Storage.read($0, limit: 16 << 20) }
            bytes += Array("\(content?.count ?? -1):".utf8) + (content ?? [])
        }
        if trust.acceptsExpiredKeys { bytes += Array("expired keys".utf8) }
        let digest = SHA1.hash(bytes).prefix(8).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
        return "refs/slipway/verified/\(mode.rawValue)-\(digest)/\(branch)"
    }
}
