import Blocking
package import FileSystem
import Glibc
import OCI

/// Who paused a repository, when and why.
package struct RepositoryPause: Codable, Sendable, Equatable {
    /// In seconds since 1970.
    package var since: Int64
    package var user: String?
    package var message: String?

    package init(since: Int64, user: String? = nil, message: String? = nil) {
        self.since = since
        self.user = user
        self.message = message
    }
}

/// Which repositories are paused. It is a file in the state directory, so that a pause outlives the agent; where that directory is lost,
/// the repositories go on.
package actor PauseMemory {
    private let executor = BlockingExecutor(label: "pauses")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// What is on the disk.
    private struct Document: Codable {
        static let version = 1
        var version = Document.version
        var pauses: [String: RepositoryPause]
    }

    private static let sizeLimit = 16 << 20

    private let directory: String
    private var pauses: [String: RepositoryPause]?

    /// - Parameter directory: holds the file; it is made when something is paused.
    package init(directory: String) { self.directory = directory }

    private var file: String { directory + "/pauses.json" }

    package func pause(of repository: String) -> RepositoryPause? { all()[repository] }

    /// Pauses a repository, or with `nil` resumes it.
    ///
    /// - Returns: the pause before.
    /// - Throws: when it cannot be written down; then all stays as it was.
    package func set(_ pause: RepositoryPause?, of repository: String) throws(FileSystemError) -> RepositoryPause? {
        var changed = all()
        let before = changed[repository]
        guard before != nil || pause != nil else { return nil }
        changed[repository] = pause
        _ = try Directory.create(path: directory, mode: 0o700)
        let bytes = (try? CanonicalJSON.encode(Document(pauses: changed))) ?? []
        try AtomicFile.write(bytes, to: file, mode: 0o600)
        pauses = changed
        return before
    }

    /// A damaged file is as none.
    private func all() -> [String: RepositoryPause] {
        if let pauses { return pauses }
        let read = Self.read(file)
        pauses = read
        return read
    }

    private static func read(_ path: String) -> [String: RepositoryPause] {
        guard let file = try? FileHandle(path: path, flags: O_RDONLY | O_NOFOLLOW),
            let bytes = try? file.readAll(limit: sizeLimit),
            let document = try? CanonicalJSON.decode(Document.self, from: bytes), document.version == Document.version
        else { return [:] }
        return document.pauses
    }
}
