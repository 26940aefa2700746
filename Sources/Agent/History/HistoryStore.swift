import Blocking
package import FileSystem

/// What the agent did: its builds with their logs, and its cycles. For people and pages; nothing is decided by it, and all of it may
/// be lost.
///
/// It lies in `history/REPOSITORY/` of the state directory, and is bounded: so many builds of each repository, so many bytes in all,
/// the oldest go first. A process may be killed at any moment: its builds are told as interrupted by the next one.
/// Where the disk refuses, builds go on and are told for as long as the process lives.
package actor HistoryStore {
    private let executor = BlockingExecutor(label: "history")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package struct Limits: Sendable, Equatable {
        /// Of each repository.
        package var builds = 200
        /// Of all repositories, in bytes.
        package var bytes: Int64 = 500 << 20
        /// Of each log, in bytes. A fifth of it is for its end.
        package var log = 5 << 20

        package init() {}

        var ofIndex: HistoryIndex.Limits { .init(builds: max(1, builds), bytes: max(0, bytes)) }

        var ofLog: LogWriter.Limits {
            var limits = LogWriter.Limits()
            limits.tail = max(1, log / 5)
            limits.head = max(1, log - limits.tail)
            return limits
        }
    }

    private let directory: String
    private let limits: Limits
    private let clock: any AgentClock
    private let mark: ProcessMark?
    /// What happens, for those who listen.
    package nonisolated let events = EventJournal()
    private let buildEvents: BuildEvents
    private var ids: BuildID.Series
    private var index: HistoryIndex
    private var recorders: [BuildID: BuildRecorder] = [:]
    private var cycleLogs: [String: CycleLog] = [:]
    /// Why something could not be written the last time.
    package private(set) var problem: FileSystemError?

    /// Reads what is there, and puts in order what a process left that was killed.
    ///
    /// - Parameter directory: the state directory.
    package init(directory: String, limits: Limits = Limits(), clock: any AgentClock = SystemClock()) async {
        let folder = directory + "/history"
        self.directory = folder
        self.limits = limits
        self.clock = clock
        buildEvents = BuildEvents(events, clock: clock)
        let opened = await runBlocking { Self.open(folder) }
        index = opened.index
        cycleLogs = opened.cycleLogs
        problem = opened.problem
        ids = BuildID.Series(after: opened.index.folders.values.compactMap { $0.last?.id }.max())
        do throws(FileSystemError) { mark = try ProcessMark(in: folder) } catch {
            mark = nil
            problem = problem ?? error
        }
        prune()
    }

    private struct Opened {
        var index = HistoryIndex()
        var cycleLogs: [String: CycleLog] = [:]
        var problem: FileSystemError?
    }

    private static func open(_ directory: String) -> Opened {
        var opened = Opened()
        do throws(FileSystemError) {
            let top = try Directory.create(path: directory, mode: 0o700)
            let living = ProcessMark.living(in: directory)
            for entry in try top.entries() where entry.type != .file {
                let name = String(decoding: entry.name, as: UTF8.self)
                let folder = HistoryFolder(path: "\(directory)/\(name)")
                for build in folder.open(living: living) { opened.index.set(build, in: name) }
                opened.cycleLogs[name] = CycleLog(in: folder.path)
            }
        } catch { opened.problem = error }
        return opened
    }

    // MARK: Writing

    /// Takes a build into the history, as queued.
    package func begin(_ description: BuildRecord.Description) -> BuildRecorder {
        let id = ids.next(now: clock.now)
        let folder = HistoryFolder.name(of: description.pipeline.repository)
        let files = HistoryFolder(path: "\(directory)/\(folder)")
        let record = BuildRecord(id: id, description, queuedAt: clock.now, owner: mark?.name)
        var log: LogWriter?
        attempt { () throws(FileSystemError) in
            _ = try Directory.create(path: files.path, mode: 0o700)
            log = try LogWriter(path: files.log(id), limits: limits.ofLog)
            try files.write(record)
        }
        let recorder = BuildRecorder(record, log: log, events: buildEvents)
        recorders[id] = recorder
        index.set(.init(id: id, bytes: 0, isOver: false), in: folder)
        prune()
        buildEvents.changed(record)
        return recorder
    }

    /// The build has its place and runs.
    package func start(_ recorder: BuildRecorder) {
        let now = clock.now
        let record = recorder.change { record in
            record.state = .running
            record.startedAt = now
        }
        save(record)
        buildEvents.changed(record)
    }

    /// The build is over: writes all that its recorder holds.
    @discardableResult
    package func finish(_ recorder: BuildRecorder, _ outcome: BuildOutcome) async -> BuildRecord {
        await recorder.log?.close()
        if let failure = recorder.log?.problem { problem = failure }
        let now = clock.now
        let record = recorder.change { record in
            record.endedAt = now
            record.owner = nil
            switch outcome {
            case .succeeded(let digest, let names):
                record.state = .succeeded
                record.digest = digest
                record.description.names = Array(names.prefix(100))
            case .failed(let failure):
                record.state = .failed
                record.failure = failure
            case .cancelled: record.state = .cancelled
            }
        }
        save(record)
        // Where its record is not on the disk, it is known until the process ends.
        if problem == nil { recorders[record.id] = nil }
        prune()
        buildEvents.changed(record)
        return record
    }

    /// Keeps a cycle if it did something, or decided otherwise than the last one that is kept.
    ///
    /// - Returns: whether it is kept.
    @discardableResult
    package func record(_ entry: CycleEntry, of repository: String) -> Bool {
        let folder = HistoryFolder.name(of: repository)
        var log = cycleLogs[folder] ?? CycleLog(in: "\(directory)/\(folder)")
        var isKept = false
        attempt { () throws(FileSystemError) in
            isKept = try log.append(entry)
        }
        cycleLogs[folder] = log
        if isKept { prune() }
        return isKept
    }

    /// Keeps a commit that a command made.
    func record(_ commit: CycleReport.Published, of repository: String, at now: Int64) {
        let folder = HistoryFolder.name(of: repository)
        var log = cycleLogs[folder] ?? CycleLog(in: "\(directory)/\(folder)")
        attempt { () throws(FileSystemError) in
            _ = try log.append(commit, at: now)
        }
        cycleLogs[folder] = log
    }

    private func save(_ record: BuildRecord) {
        let folder = HistoryFolder.name(of: record.description.pipeline.repository)
        var bytes: Int64 = 0
        attempt { () throws(FileSystemError) in
            bytes = try HistoryFolder(path: "\(directory)/\(folder)").write(record)
        }
        index.set(.init(id: record.id, bytes: bytes, isOver: record.state.isOver), in: folder)
    }

    private func attempt(_ body: () throws(FileSystemError) -> Void) {
        do throws(FileSystemError) {
            try body()
            problem = nil
        } catch { problem = error }
    }

    private func prune() {
        let cycles = cycleLogs.values.reduce(0) { $0 + $1.size }
        for (folder, id) in index.takeExcess(over: limits.ofIndex, others: cycles) {
            HistoryFolder(path: "\(directory)/\(folder)").remove(id)
            recorders[id] = nil
        }
    }

    // MARK: Reading

    /// The builds of a repository, the newest first.
    ///
    /// - Parameter before: only those that are older than it.
    package func builds(of repository: String, limit: Int, before: BuildID? = nil) -> [BuildRecord] {
        let folder = HistoryFolder.name(of: repository)
        let files = HistoryFolder(path: "\(directory)/\(folder)")
        let older = index.builds(in: folder).reversed().lazy.filter { entry in before.map { entry.id < $0 } ?? true }
        return Array(older.compactMap { self.recorders[$0.id]?.record ?? files.record($0.id) }.prefix(max(0, limit)))
    }

    package func build(_ id: BuildID) -> BuildRecord? {
        if let recorder = recorders[id] { return recorder.record }
        return index.folder(of: id).flatMap { HistoryFolder(path: "\(directory)/\($0)").record(id) }
    }

    /// The builds that wait or run, by their pipelines.
    func open() -> [PipelineKey: BuildID] {
        var open: [PipelineKey: BuildID] = [:]
        for (id, recorder) in recorders where !recorder.record.state.isOver {
            open[recorder.record.description.pipeline] = id
        }
        return open
    }

    /// Whole lines of a build's log. Of a build that runs, what is there by now.
    ///
    /// - Parameters:
    ///   - start: where to begin, in bytes: 0, or the end of the piece before.
    ///   - limit: of the piece, in bytes.
    package func log(_ id: BuildID, from start: Int = 0, limit: Int = 1 << 20) -> LogPart? {
        guard let folder = index.folder(of: id) else { return nil }
        let isOver = index.builds(in: folder).first { $0.id == id }?.isOver ?? true
        let path = HistoryFolder(path: "\(directory)/\(folder)").log(id)
        return LogPart(path: path, from: start, limit: limit, isOver: isOver)
    }

    /// The newest of a repository's cycles that are kept, the oldest first, and when the last one ended, in seconds since 1970.
    func recentCycles(of repository: String) -> (entries: [CycleEntry], lastLook: Int64?) {
        let folder = HistoryFolder.name(of: repository)
        return CycleLog(in: "\(directory)/\(folder)").recent()
    }

    /// What a repository's cycles did, the newest first.
    package func cycles(of repository: String, limit: Int) -> [CycleEntry] {
        let folder = HistoryFolder.name(of: repository)
        var log = cycleLogs[folder] ?? CycleLog(in: "\(directory)/\(folder)")
        defer { cycleLogs[folder] = log }
        return Array(log.all().reversed().prefix(max(0, limit)))
    }
}
