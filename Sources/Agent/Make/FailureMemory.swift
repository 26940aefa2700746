import Blocking
package import FileSystem
import Glibc
import OCI

/// Remembers what failed, so that the same input fails once and the world is not asked each interval.
///
/// It is a file in the state directory, and may be lost: then what failed is tried once more.
package actor FailureMemory {
    private let executor = BlockingExecutor(label: "failures")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// What is to be done with a pipeline that is not up to date.
    package enum Verdict: Sendable, Equatable {
        case go
        /// The same content failed by its own fault.
        case stalled(FailureRecord)
        /// The world failed, a while ago; the record says when it is tried again.
        case waiting(FailureRecord)
    }

    /// What is on the disk.
    private struct Document: Codable {
        static let version = 1
        var version = Document.version
        var failures: [FailureRecord]
    }

    private static let sizeLimit = 64 << 20

    private let directory: String
    private let random: @Sendable () -> Double
    private var ledger: FailureLedger
    /// Why the file could not be written the last time; what is remembered holds nevertheless until the process ends.
    package private(set) var problem: FileSystemError?

    /// Reads what the last process left. A damaged file is as none.
    ///
    /// - Parameters:
    ///   - directory: holds the file; it is made when something is to be remembered.
    ///   - version: of Slipway. What another version could not build is tried again.
    ///   - random: from 0 up to 1, for the jitter.
    package init(
        directory: String, version: String = Version.text,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) async {
        self.directory = directory
        self.random = random
        let path = Self.file(in: directory)
        let records = await runBlocking { Self.read(path) }
        ledger = FailureLedger(records, version: version)
    }

    private static func file(in directory: String) -> String { directory + "/failures.json" }

    private static func read(_ path: String) -> [FailureRecord] {
        guard let file = try? FileHandle(path: path, flags: O_RDONLY | O_NOFOLLOW),
            let bytes = try? file.readAll(limit: sizeLimit),
            let document = try? CanonicalJSON.decode(Document.self, from: bytes), document.version == Document.version
        else { return [] }
        return document.failures
    }

    /// - Parameter contentKey: of what would be built now.
    package func verdict(for key: PipelineKey, contentKey: String, now: Int64) -> Verdict {
        ledger.verdict(for: key, contentKey: contentKey, now: now)
    }

    /// Remembers a failure.
    ///
    /// - Parameters:
    ///   - contentKey: of what was built.
    ///   - now: in seconds since 1970.
    /// - Returns: what is remembered, with the time of the next attempt.
    @discardableResult
    package func record(
        _ kind: FailureKind, of key: PipelineKey, contentKey: String, _ reason: FailureRecord.Reason, now: Int64
    ) -> FailureRecord {
        let record = ledger.record(kind, of: key, contentKey: contentKey, reason, now: now, random: random())
        save()
        return record
    }

    package func succeeded(_ key: PipelineKey) { if ledger.forget(key) { save() } }

    /// Somebody asks for another attempt.
    ///
    /// - Parameter pipeline: `nil`: all of the repository's.
    /// - Returns: whether anything was remembered.
    @discardableResult
    package func forget(repository: String, pipeline: String? = nil) -> Bool {
        let known = ledger.forget { $0.repository == repository && (pipeline == nil || $0.pipeline == pipeline) }
        if known { save() }
        return known
    }

    /// Forgets pipelines that a repository does not have any more.
    package func keep(only pipelines: Set<String>, of repository: String) {
        if ledger.forget(where: { $0.repository == repository && !pipelines.contains($0.pipeline) }) { save() }
    }

    /// In the order of their names.
    package var all: [FailureRecord] { ledger.all }

    private func save() {
        do throws(FileSystemError) {
            _ = try Directory.create(path: directory, mode: 0o700)
            let bytes = (try? CanonicalJSON.encode(Document(failures: ledger.all))) ?? []
            try AtomicFile.write(bytes, to: Self.file(in: directory), mode: 0o600)
            problem = nil
        } catch { problem = error }
    }
}
