import Foundation

/// A bare repository of a test's own, and a second writer that commits to it with the git program.
package final class GitRepositoryFixture: Sendable {
    /// The bare repository: a remote URL by itself.
    package let path: String
    private let work: String

    /// Makes `directory`/`name`, empty, with the branch `main` as HEAD. Pushing over HTTP needs no authentication.
    package init(in directory: String, name: String = "repo.git") throws {
        path = directory + "/" + name
        work = path + ".work"
        try Shell.run(["git", "init", "-q", "--bare", "-b", "main", path])
        try Shell.run(["git", "-C", path, "config", "http.receivepack", "true"])
        try Shell.run(["git", "init", "-q", "-b", "main", work])
        try Shell.run(["git", "-C", work, "remote", "add", "origin", path])
    }

    /// Runs git in the bare repository and returns what it prints, without the last line end.
    @discardableResult
    package func git(_ arguments: String...) throws -> String { try Self.output(path, arguments) }

    /// Runs git in the second writer's work tree.
    @discardableResult
    package func gitInWorkTree(_ arguments: String...) throws -> String { try Self.output(work, arguments) }

    /// The second writer's work tree, to put odd files into.
    package var workTree: String { work }

    /// Commits files as the second writer, on top of the remote branch, and pushes.
    ///
    /// - Parameter files: contents by path; `nil` removes the file.
    /// - Returns: the new head.
    @discardableResult
    package func commit(
        _ files: [String: String?], branch: String = "main", message: String = "change", date: Int = 1_700_000_000
    ) throws -> String {
        try checkOut(branch)
        for (name, content) in files {
            let file = work + "/" + name
            guard let content else {
                try Shell.run(["git", "-C", work, "rm", "-q", "--", name])
                continue
            }
            try FileManager.default.createDirectory(
                atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(content.utf8).write(to: URL(fileURLWithPath: file))
        }
        return try commitWorkTree(branch: branch, message: message, date: date)
    }

    /// Brings the second writer's work tree to the remote branch's state.
    package func checkOut(_ branch: String = "main") throws {
        try Shell.run(["git", "-C", work, "fetch", "-q", "origin"])
        let exists = try Shell.run(
            ["git", "-C", work, "rev-parse", "-q", "--verify", "origin/" + branch], allowFailure: true)
        if exists.status == 0 {
            try Shell.run(["git", "-C", work, "checkout", "-q", "-f", "-B", branch, "origin/" + branch])
        } else {
            try Shell.run(["git", "-C", work, "checkout", "-q", "-f", "-B", branch], allowFailure: true)
        }
    }

    /// Commits whatever is in the second writer's work tree, and pushes it.
    @discardableResult
    package func commitWorkTree(
        branch: String = "main", message: String = "change", date: Int = 1_700_000_000, force: Bool = false
    ) throws -> String {
        let dates = ["GIT_AUTHOR_DATE": "\(date) +0000", "GIT_COMMITTER_DATE": "\(date) +0000"]
        try Shell.run(["git", "-C", work, "add", "-A"])
        try Shell.run(["git", "-C", work, "commit", "-q", "--allow-empty", "-m", message], environment: dates)
        try Shell.run(
            ["git", "-C", work, "push", "-q"] + (force ? ["--force"] : []) + ["origin", "HEAD:refs/heads/" + branch])
        return try head(branch)
    }

    /// The head of a branch.
    package func head(_ branch: String = "main") throws -> String { try git("rev-parse", "refs/heads/" + branch) }

    /// The content of a file on a branch, with its last line end.
    package func content(of file: String, at revision: String = "main") throws -> String {
        try Shell.run(["git", "-C", path, "cat-file", "blob", "\(revision):\(file)"]).stdout
    }

    /// The whole history's objects are sound.
    package func checkIntegrity() throws {
        try Shell.run(["git", "-C", path, "fsck", "--strict", "--full", "--no-dangling"])
    }

    private static func output(_ directory: String, _ arguments: [String]) throws -> String {
        let text = try Shell.run(["git", "-C", directory] + arguments).stdout
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}
