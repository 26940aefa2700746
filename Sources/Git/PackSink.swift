import CGit2
import Glibc

/// Stores what a pack builder holds, as a pack with its index.
///
/// The free space is looked at before each piece: a pack that will not fit does not take the last bytes from what else
/// writes there, and the error says how much is free and where.
final class PackSink {
    private let indexer: OpaquePointer
    private let directory: String
    private let failure: String
    private var statistics = git_indexer_progress()
    /// Why a piece was not taken.
    private var error: GitError?

    private init(_ indexer: OpaquePointer, _ directory: String, _ failure: String) {
        self.indexer = indexer
        self.directory = directory
        self.failure = failure
    }

    static func store(
        _ builder: borrowing Handle<PackBuilderKind>, of repository: borrowing Repository, in directory: String,
        failure: String
    ) throws(GitError) {
        let database = repository.database.pointer
        // What is not committed is removed with it.
        let indexer = try Handle<IndexerKind>(failure, place: directory) {
            git_indexer_new(&$0, directory, 0o444, database, nil)
        }
        let sink = PackSink(indexer.pointer, directory, failure)
        let written = withExtendedLifetime(sink) {
            git_packbuilder_foreach(
                builder.pointer,
                { bytes, count, payload in
                    guard let bytes, let payload else { return GIT_EUSER.rawValue }
                    return Unmanaged<PackSink>.fromOpaque(payload).takeUnretainedValue().take(bytes, count)
                }, Unmanaged.passUnretained(sink).toOpaque())
        }
        if let error = sink.error { throw error }
        guard written >= 0 else { throw .last(written, failure, place: directory) }
        let committed = git_indexer_commit(indexer.pointer, &sink.statistics)
        guard committed >= 0 else { throw .last(committed, failure, place: directory) }
    }

    private func take(_ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int32 {
        if let lack = DiskSpace.lack(of: count + DiskSpace.reserve, in: directory, failure) {
            error = lack
            return GIT_EUSER.rawValue
        }
        let status = git_indexer_append(indexer, bytes, count, &statistics)
        if status < 0 { error = .last(status, failure, place: directory) }
        return status
    }
}

/// The free space of a file system.
enum DiskSpace {
    /// What has to stay free, in bytes; more than libgit2 writes between two looks.
    static let reserve = 2 << 20

    /// The error that says that fewer than `bytes` are free where a directory lies; `nil` when there are enough, and when
    /// the file system does not tell.
    static func lack(of bytes: Int, in directory: String, _ summary: String, place: String? = nil) -> GitError? {
        var status = statvfs()
        guard statvfs(directory, &status) == 0, status.f_blocks > 0 else { return nil }
        let (free, isHuge) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        guard !isHuge, free < UInt64(bytes) else { return nil }
        return GitError(
            .storage, summary, place: place ?? directory,
            cause: "\(String(cString: strerror(ENOSPC))): \(free) bytes are free, and \(bytes) are needed at once",
            hint: hint)
    }

    static let hint = "free space there, or enlarge the volume; nothing is lost, the next attempt goes on"
}
