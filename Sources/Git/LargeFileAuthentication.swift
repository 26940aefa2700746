import Glibc

/// What an SSH server says of the Git LFS server beside it.
///
/// https://github.com/git-lfs/git-lfs/blob/main/docs/api/authentication.md, "SSH".
package enum LargeFileAuthentication {
    private static let answerLimit = 64 << 10

    /// Runs `git-lfs-authenticate PATH download` there. Blocks.
    ///
    /// - Returns: the JSON that it prints.
    package static func ask(_ url: RemoteURL, credentials: GitCredentials) throws(GitError) -> [UInt8] {
        guard let repository = url.sshPath, let program = SSHProgram.find() else {
            throw GitError(
                .unsupported, "Git LFS over SSH needs the program ssh, which cannot be used here",
                place: url.description,
                hint: "install openssh-client, or name the server's HTTPS address as lfs.url in .lfsconfig")
        }
        let line = "git-lfs-authenticate \(SSHProgram.shellQuoted(repository)) download"
        let session = RemoteSession(url: url, credentials: credentials, program: .ssh(program))
        guard
            session.start(
                .uploadPack,
                { () throws(GitError) in
                    try program.command(line, url: url, credentials: credentials)
                })
        else { throw session.error(-1, "cannot ask the server for its Git LFS server") }
        defer { session.finishService() }
        session.watch.allow(answerLimit)
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 12)
        while true {
            let count = buffer.withUnsafeMutableBytes { session.service?.read(into: $0) ?? -1 }
            guard count >= 0 else { throw session.error(-1, "cannot ask the server for its Git LFS server") }
            if count == 0 { break }
            answer += buffer.prefix(count)
        }
        guard !answer.isEmpty else { throw Self.silence(of: session) }
        return answer
    }

    /// Why a server printed nothing.
    private static func silence(of session: RemoteSession) -> GitError {
        let error = session.error(-1, "cannot ask the server for its Git LFS server")
        if error.code != .notFound, error.hint != nil || error.code == .cancelled { return error }
        return GitError(
            .unsupported, "the SSH server offers no Git LFS", place: error.place, cause: error.cause,
            hint: "name the Git LFS server's HTTPS address as lfs.url in .lfsconfig")
    }
}
