import Blocking
import Glibc

/// Looks now and then whether files are others than they were: the configuration, and what it names. Files are compared as
/// their names lead to them, so a mounted ConfigMap or Secret that is swapped by a link counts.
package actor FileWatch {
    /// What tells one content from another without reading it.
    private struct Mark: Equatable, Sendable {
        let device: UInt64
        let inode: UInt64
        let size: Int64
        let seconds: Int
        let nanoseconds: Int
    }

    private var marks: [String: Mark?]

    package init(_ files: Set<String>) { marks = Self.marks(of: files) }

    /// Watches these files from now on. Those that it watches already are compared with how they were at the last look:
    /// what was read of them may be older than now.
    package func follow(_ files: Set<String>) async {
        let new = await runBlocking { Self.marks(of: files) }
        marks = new.merging(marks.filter { files.contains($0.key) }) { _, seen in seen }
    }

    /// Calls `changed` whenever a look finds something else, until the task is cancelled.
    package func run(
        every pause: Duration, clock: any AgentClock = SystemClock(), changed: @Sendable () -> Void
    ) async {
        while !Task.isCancelled {
            do { try await clock.sleep(for: pause) } catch { return }
            if await look() { changed() }
        }
    }

    /// Whether something changed since the last look.
    package func look() async -> Bool {
        let files = Set(marks.keys)
        let now = await runBlocking { Self.marks(of: files) }
        // Whatever is followed since then is looked at next time.
        let changed = now.filter { file, mark in marks[file].map { $0 != mark } ?? false }
        marks.merge(changed) { _, new in new }
        return !changed.isEmpty
    }

    private static func marks(of files: Set<String>) -> [String: Mark?] {
        var marks: [String: Mark?] = [:]
        for file in files {
            var status = stat()
            marks[file] =
                stat(file, &status) == 0
                ? Mark(
                    device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
                    seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec) : .some(nil)
        }
        return marks
    }
}

extension AgentConfiguration {
    /// The files that the configuration is read from and names.
    package func files(configurationFile: String?) -> Set<String> {
        var files = ConfiguredFiles.of(self)
        for git in [git] + repositories.compactMap(\.git) { files += ConfiguredFiles.of(git, at: "git") }
        for registry in registries { files += ConfiguredFiles.of(registry, at: "registries") }
        for receiver in webhooks?.receivers ?? [] { files += ConfiguredFiles.of(receiver, at: "webhooks") }
        for channel in notifications?.channels ?? [] { files += ConfiguredFiles.of(channel, at: "notifications") }
        return Set(files.map(\.path) + [configurationFile].compactMap(\.self))
    }
}
