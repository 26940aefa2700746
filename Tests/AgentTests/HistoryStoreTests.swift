import Builder
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct HistoryStoreTests {
    private final class SetClock: AgentClock {
        private let time: Mutex<Int64>
        init(_ now: Int64 = 1_796_025_600) { time = Mutex(now) }
        var now: Int64 { time.withLock { $0 } }
        func set(_ now: Int64) { time.withLock { $0 = now } }
        func sleep(for duration: Duration) async throws {}
    }

    private let scratch: TemporaryDirectory
    private let clock = SetClock()
    private let reason = FailureRecord.Reason(code: "step", BuildError(.step, "the command failed", cause: "exit 7"))

    init() throws { scratch = try TemporaryDirectory("history") }

    private func store(_ limits: HistoryStore.Limits = .init()) async -> HistoryStore {
        await HistoryStore(directory: scratch.path, limits: limits, clock: clock)
    }

    private func description(_ repository: String = "shop", _ pipeline: String = "web") -> BuildRecord.Description {
        .init(
            pipeline: PipelineKey(repository: repository, pipeline: pipeline), revision: "abc", contentKey: "key",
            reason: "a new commit", names: ["r/shop:v1"])
    }

    private func begin(_ store: HistoryStore, _ repository: String = "shop") async -> BuildRecorder {
        await store.begin(description(repository))
    }

    private func text(_ part: LogPart?) -> String? { part.map { String(decoding: $0.text, as: UTF8.self) } }

    private func files(_ repository: String = "shop") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scratch.file("history/\(repository)")).sorted()
    }

    // MARK: One build

    @Test func `a build from the queue to its image`() async throws {
        let store = await store()
        let recorder = await begin(store)
        #expect(await store.build(recorder.id)?.state == .queued)
        #expect(await store.open() == [PipelineKey(repository: "shop", pipeline: "web"): recorder.id])
        clock.set(clock.now + 5)
        await store.start(recorder)
        recorder.say("first")
        recorder.note(BuildRecord.Step(stage: "", index: 1, count: 2, text: "FROM x", startedAt: clock.now))
        recorder.note(
            BuildRecord.Step(stage: "", index: 1, count: 2, text: "FROM x", startedAt: clock.now, seconds: 0.5))
        recorder.note(
            BuildRecord.Step(stage: "", index: 2, count: 2, text: "RUN y", startedAt: clock.now, isCached: true))
        recorder.note(CycleReport.Layer(digest: "sha256:1", size: 7, createdBy: "RUN y"))
        recorder.set(contentKey: "other", names: ["r/shop:v2"])
        let running = try #require(await store.build(recorder.id))
        #expect(running.state == .running && running.steps.count == 2 && running.endedAt == nil)
        recorder.say("second\nthird \u{1b}[31mred\u{7}")
        clock.set(clock.now + 5)
        let ended = await store.finish(recorder, .succeeded(digest: "sha256:d", names: ["r/shop:v2", "r/shop:latest"]))
        #expect(ended.state == .succeeded && ended.digest == "sha256:d" && ended.owner == nil)
        #expect(ended.queuedAt + 5 == ended.startedAt && ended.queuedAt + 10 == ended.endedAt)
        #expect(ended.steps.map(\.seconds) == [0.5, nil] && ended.steps.map(\.isCached) == [false, true])
        #expect(ended.description.contentKey == "other" && ended.description.names.count == 2)
        #expect(await store.build(recorder.id) == ended)
        #expect(await text(store.log(recorder.id)) == "first\nsecond\nthird \u{1b}[31mred\u{FFFD}\u{1b}[0m\n")
        #expect(await store.problem == nil)
        #expect(try files() == ["\(recorder.id).json", "\(recorder.id).log"])
        // The next process knows it all.
        let next = await self.store()
        #expect(await next.builds(of: "shop", limit: 10) == [ended])
        #expect(await text(next.log(recorder.id)) == "first\nsecond\nthird \u{1b}[31mred\u{FFFD}\u{1b}[0m\n")
        // What comes too late is dropped.
        recorder.say("late")
        await recorder.log?.flush()
        #expect(await text(store.log(recorder.id))?.hasSuffix("red\u{FFFD}\u{1b}[0m\n") == true)
    }

    @Test(arguments: [
        (BuildOutcome.cancelled, BuildRecord.State.cancelled),
        (
            .failed(
                .init(
                    kind: .input,
                    reason: .init(code: "step", BuildError(.step, "no", place: "Dockerfile:1", cause: "c", hint: "h")))),
            .failed
        ),
    ])
    func `other ends`(outcome: BuildOutcome, state: BuildRecord.State) async throws {
        let store = await store()
        let recorder = await begin(store)
        await store.finish(recorder, outcome)
        let record = try #require(await self.store().build(recorder.id))
        #expect(record.state == state)
        if case .failed(let failure) = outcome { #expect(record.failure == failure) }
    }

    @Test func `builds in pages, the newest first; repositories apart`() async throws {
        let store = await store()
        var ids: [BuildID] = []
        for number in 0..<7 {
            if number == 4 { clock.set(clock.now - 1_000) }
            if number == 5 { clock.set(clock.now + 2_000) }
            ids.append(await begin(store).id)
            _ = await begin(store, "other")
        }
        #expect(ids == ids.sorted() && Set(ids).count == 7)
        #expect(await store.builds(of: "shop", limit: 3).map(\.id) == ids.suffix(3).reversed())
        #expect(await store.builds(of: "shop", limit: 9, before: ids[3]).map(\.id) == ids.prefix(3).reversed())
        #expect(await store.builds(of: "nobody", limit: 9).isEmpty)
        #expect(await store.build(try #require(BuildID("20260101000000-00001-abcdef"))) == nil)
        #expect(await store.log(try #require(BuildID("20260101000000-00001-abcdef"))) == nil)
    }

    @Test(arguments: [
        "..", ".", "a/b", "ä ö", "", "%", ".hidden", "CON", String(repeating: "x", count: 300), "a\u{0}b", "-",
    ])
    func `any name of a repository`(name: String) async throws {
        let store = await store()
        let recorder = await begin(store, name)
        recorder.say("x")
        await store.finish(recorder, .cancelled)
        #expect(await store.problem == nil)
        #expect(await self.store().builds(of: name, limit: 9).map(\.id) == [recorder.id])
        // Nothing beside its folder.
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["history"])
        let folders = try FileManager.default.contentsOfDirectory(atPath: scratch.file("history"))
        #expect(folders.filter { !$0.hasPrefix(".process-") } == [HistoryFolder.name(of: name)])
    }

    @Test func `names of folders are each repository's own`() {
        let long = String(repeating: "x", count: 300)
        let names = ["a", "A", "a/b", "a%2Fb", ".", "..", "%2E", "", "%", long, long + "y", long.uppercased()]
        #expect(Set(names.map(HistoryFolder.name)).count == names.count)
    }

    @Test(arguments: [
        "", "x", "../../etc", "20260101000000-00001-abcde", "20260101000000-00001-abcde/",
        "20260101000000-00001-ABCDEF",
        "20260101000000-00001-abcdef.log", "2026010100000é-00001-abcdef", "20260101000000_00001_abcdef",
    ])
    func `what names no build`(text: String) { #expect(BuildID(text) == nil) }

    // MARK: Logs

    @Test func `a log is read in pieces of whole lines, also while it grows`() async throws {
        let store = await store()
        let recorder = await begin(store)
        #expect(await store.log(recorder.id) == LogPart(path: "/nowhere", from: 0, limit: 1, isOver: false))
        for line in ["one", "two", "three"] { recorder.say(line) }
        await recorder.log?.flush()
        let first = try #require(await store.log(recorder.id, from: 0, limit: 9))
        #expect(text(first) == "one\ntwo\n" && first.end == 8 && first.hasMore)
        let second = try #require(await store.log(recorder.id, from: first.end))
        #expect(text(second) == "three\n" && second.hasMore)
        let third = try #require(await store.log(recorder.id, from: second.end))
        #expect(third.text.isEmpty && third.hasMore && third.end == second.end)
        // A line that is longer than a piece comes in several.
        #expect(await text(store.log(recorder.id, from: 8, limit: 3)) == "thr")
        await store.finish(recorder, .cancelled)
        #expect(await store.log(recorder.id, from: 8)?.hasMore == false)
        #expect(await store.log(recorder.id, from: 0, limit: 5)?.hasMore == true)
        for start in [-5, 14, 1_000, Int.max - 1] {
            let part = try #require(await store.log(recorder.id, from: start, limit: 5))
            #expect(part.start == max(0, start))
        }
    }

    @Test(arguments: [1, 10, 100, 5_000]) func `a long log keeps its beginning and its end`(lines: Int) async throws {
        var limits = HistoryStore.Limits()
        limits.log = 10_000
        let store = await store(limits)
        let recorder = await begin(store)
        for number in 0..<lines { recorder.say("line \(number) " + String(repeating: "x", count: 20)) }
        await store.finish(recorder, .cancelled)
        let all = try #require(await text(store.log(recorder.id)))
        #expect(all.utf8.count < 10_100)
        let numbers = all.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(numbers.first?[1] == "0" && numbers.last?[1] == "\(lines - 1)")
        let left = numbers.filter { $0[0] == "…" }
        #expect(left.count == (lines == 5_000 ? 1 : 0))
        if let count = left.first.flatMap({ Int($0[1]) }) { #expect(count + numbers.count - 1 == lines) }
    }

    @Test func `a line without an end is cut, and an empty one stays`() async throws {
        let store = await store()
        let recorder = await begin(store)
        recorder.say(String(repeating: "é", count: 100_000))
        recorder.say("")
        await store.finish(recorder, .cancelled)
        let lines = try #require(await text(store.log(recorder.id))).split(
            separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 3 && lines[1].isEmpty)
        #expect((8_000..<8_300).contains(lines[0].utf8.count))
    }

    @Test func `many tasks say much at once, and each line is whole`() async throws {
        let store = await store()
        let recorder = await begin(store)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask { for number in 0..<2_000 { recorder.say("\(task) \(number)") } }
            }
        }
        await store.finish(recorder, .cancelled)
        let lines = try #require(await text(store.log(recorder.id))).split(separator: "\n")
        #expect(lines.count == 16_000)
        for task in 0..<8 {
            let own = lines.filter { $0.hasPrefix("\(task) ") }
            #expect(own.map(String.init) == (0..<2_000).map { "\(task) \($0)" })
        }
    }

    // MARK: Processes that are killed

    @Test func `the builds of a process that is killed are interrupted`() async throws {
        let path = scratch.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let store = await HistoryStore(directory: path)
            let key = PipelineKey(repository: "shop", pipeline: "web")
            let over = await store.begin(.init(pipeline: key, reason: "one"))
            over.say("done")
            await store.finish(over, .succeeded(digest: "sha256:d", names: []))
            let running = await store.begin(.init(pipeline: key, reason: "two"))
            await store.start(running)
            for number in 0..<500 { running.say("line \(number)") }
            await running.log?.flush()
            _ = await store.begin(.init(pipeline: key, reason: "three"))
            kill(getpid(), SIGKILL)
        }
        let store = await store()
        let builds = await store.builds(of: "shop", limit: 9)
        #expect(builds.map(\.description.reason) == ["three", "two", "one"])
        #expect(builds.map(\.state) == [.interrupted, .interrupted, .succeeded])
        #expect(builds.allSatisfy { $0.owner == nil && $0.endedAt != nil })
        let log = try #require(await text(store.log(builds[1].id)))
        #expect(log.split(separator: "\n").count == 500 && log.hasSuffix("line 499\n"))
        #expect(await store.log(builds[1].id)?.hasMore == false)
        // Names go on behind.
        #expect(await begin(store).id > builds[0].id)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.file("history")).count == 2)
    }

    @Test func `the builds of another process that lives are left alone`() async throws {
        let first = await store()
        let recorder = await begin(first)
        await first.start(recorder)
        recorder.say("x")
        await recorder.log?.flush()
        let second = await store()
        #expect(await second.build(recorder.id)?.state == .running)
        #expect(await second.log(recorder.id)?.hasMore == true)
        await first.finish(recorder, .cancelled)
        #expect(await first.build(recorder.id)?.state == .cancelled)
        #expect(await store().build(recorder.id)?.state == .cancelled)
    }

    @Test func `files that are cut at any length`() async throws {
        let first = await store()
        let recorder = await begin(first)
        await first.start(recorder)
        for line in ["one", "two", "three"] { recorder.say(line) }
        await recorder.log?.flush()
        await first.record(cycle(1, images: ["a"]), of: "shop")
        await first.record(cycle(2, images: ["b"]), of: "shop")
        let names = ["\(recorder.id).run", "\(recorder.id).log", "cycles.jsonl"]
        let contents = try names.map { try Data(contentsOf: URL(fileURLWithPath: scratch.file("history/shop/\($0)"))) }
        for (index, name) in names.enumerated() {
            let count = contents[index].count
            // A store for each length takes a second for each fifty.
            let lengths = (0...count).filter { $0 % 7 == 0 || count < 50 || count - $0 < 4 }
            for length in lengths {
                // As another machine's directory, whose process is gone.
                let copy = try TemporaryDirectory("cut")
                try FileManager.default.createDirectory(
                    atPath: copy.file("history/shop"), withIntermediateDirectories: true)
                for (other, content) in zip(names, contents) {
                    let kept = other == name ? content.prefix(length) : content
                    try kept.write(to: URL(fileURLWithPath: copy.file("history/shop/\(other)")))
                }
                let store = await HistoryStore(directory: copy.path, clock: clock)
                #expect(await store.problem == nil)
                let isWhole = length == count
                let builds = await store.builds(of: "shop", limit: 9)
                #expect(builds.map(\.state) == (index == 0 && !isWhole ? [] : [.interrupted]))
                if index == 1 {
                    let text = try #require(await text(store.log(recorder.id)))
                    #expect("one\ntwo\nthree\n".hasPrefix(text) && (text.isEmpty || text.hasSuffix("\n")))
                }
                let cycles = await store.cycles(of: "shop", limit: 9)
                if index == 2 {
                    #expect(cycles.map(\.at) == (isWhole ? [2, 1] : cycles.isEmpty ? [] : [1]))
                } else {
                    #expect(cycles.count == 2)
                }
                // What comes next is whole.
                await store.record(cycle(3, images: ["c"]), of: "shop")
                #expect(await store.cycles(of: "shop", limit: 1).map(\.at) == [3])
                #expect(await store.cycles(of: "shop", limit: 9).count == cycles.count + 1)
            }
        }
    }

    @Test func `where nothing can be written, builds go on`() async throws {
        try Data().write(to: URL(fileURLWithPath: scratch.file("history")))
        var limits = HistoryStore.Limits()
        limits.builds = 3
        let store = await store(limits)
        #expect(await store.problem != nil)
        let recorder = await begin(store)
        recorder.say("x")
        await store.start(recorder)
        #expect(await store.finish(recorder, .cancelled).state == .cancelled)
        #expect(await store.builds(of: "shop", limit: 9).map(\.state) == [.cancelled])
        // Bounded, too.
        for _ in 0..<9 { await store.finish(await begin(store), .cancelled) }
        #expect(await store.builds(of: "shop", limit: 9).count == 3)
        #expect(await !store.record(cycle(1, images: ["a"]), of: "shop"))
        #expect(await store.cycles(of: "shop", limit: 9).isEmpty)
    }

    // MARK: Cycles

    private func cycle(
        _ at: Int64, images: [String] = [], decisions: [String] = [], failures: [String] = []
    ) -> CycleEntry {
        var entry = CycleEntry(at: at, seconds: 1, revision: "r\(at)")
        entry.images = images
        entry.decisions = decisions.map { .init(subject: "s", reason: $0) }
        entry.failures = failures.map { .init(subject: "s", reason: $0) }
        return entry
    }

    @Test func `only cycles that tell something new are kept`() async {
        let store = await store()
        let told: [(CycleEntry, Bool)] = [
            (cycle(1), false), (cycle(2, decisions: ["a", "b"]), true), (cycle(3, decisions: ["b", "a"]), false),
            (cycle(4, images: ["i"], decisions: ["a", "b"]), true), (cycle(5, decisions: ["a", "b"]), false),
            (cycle(6, decisions: ["a"]), true), (cycle(7, decisions: ["a"], failures: ["f"]), true),
            (cycle(8, decisions: ["a"], failures: ["f"]), false), (cycle(9, decisions: ["a"]), true), (cycle(10), true),
            (cycle(11), false),
        ]
        for (entry, isKept) in told { #expect(await store.record(entry, of: "shop") == isKept, "\(entry.at)") }
        #expect(await store.cycles(of: "shop", limit: 9).map(\.at) == [10, 9, 7, 6, 4, 2])
        // The next process goes on where this one ended.
        let next = await self.store()
        #expect(await !next.record(cycle(12), of: "shop"))
        #expect(await next.record(cycle(13, images: ["i"]), of: "shop"))
        #expect(await next.cycles(of: "shop", limit: 2).map(\.at) == [13, 10])
        #expect(await next.cycles(of: "other", limit: 2).isEmpty)
    }

    @Test func `cycles are bounded in number and size`() async throws {
        let store = await store()
        for number in 1...(CycleLog.limit + CycleLog.limit / 4 + 10) {
            await store.record(cycle(Int64(number), images: ["i"]), of: "shop")
        }
        let cycles = await store.cycles(of: "shop", limit: .max)
        #expect(cycles.count == CycleLog.limit + 9)
        #expect(cycles.first?.at == 635 && cycles.last?.at == 127)
        let huge = cycle(
            1_000, images: Array(repeating: String(repeating: "x", count: 5_000), count: 1_000),
            decisions: (0..<1_000).map { "\($0) " + String(repeating: "y", count: 5_000) })
        await store.record(huge, of: "big")
        let kept = try #require(await store.cycles(of: "big", limit: 1).first)
        #expect(kept.images.count == 200 && kept.decisions.count == 200)
        #expect(kept.images.allSatisfy { $0.utf8.count < 1_100 })
        // What is cut is the same when it comes again.
        var again = huge
        again.images = []
        #expect(await !store.record(again, of: "big"))
    }

    // MARK: Bounds

    @Test func `two hundred builds of each repository, what runs not counted out`() async throws {
        var limits = HistoryStore.Limits()
        limits.builds = 5
        let store = await store(limits)
        let running = await begin(store)
        for _ in 0..<12 { await store.finish(await begin(store), .cancelled) }
        let builds = await store.builds(of: "shop", limit: 99)
        #expect(builds.count == 5 && builds.last?.id == running.id)
        #expect(try files().count == 4 * 2 + 2)
        await store.finish(running, .cancelled)
        #expect(await store.builds(of: "shop", limit: 99).map(\.state) == Array(repeating: .cancelled, count: 5))
        limits.builds = 2
        #expect(await self.store(limits).builds(of: "shop", limit: 99).map(\.id) == builds.prefix(2).map(\.id))
        #expect(try files().count == 4)
    }

    @Test func `so many bytes in all, the oldest of all go first`() async throws {
        var limits = HistoryStore.Limits()
        limits.bytes = 20_000
        let store = await store(limits)
        var ids: [BuildID] = []
        for number in 0..<20 {
            clock.set(clock.now + 1)
            let recorder = await begin(store, number % 2 == 0 ? "a" : "b")
            recorder.say(String(repeating: "x", count: 2_000))
            await store.finish(recorder, .cancelled)
            ids.append(recorder.id)
        }
        let left = await (store.builds(of: "a", limit: 99) + store.builds(of: "b", limit: 99)).map(\.id).sorted()
        #expect((5...10).contains(left.count))
        #expect(left == Array(ids.suffix(left.count)))
        let sizes = try ["a", "b"].flatMap { folder in try files(folder).map { "history/\(folder)/\($0)" } }
            .map { try Data(contentsOf: URL(fileURLWithPath: scratch.file($0))).count }
        #expect(sizes.reduce(0, +) <= 20_000)
    }

    /// Whatever comes in whatever order: the bounds hold, only the oldest that are over go, and the sum is right.
    @Test(arguments: 0..<50) func `the index under any order of changes`(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        let limits = HistoryIndex.Limits(builds: Int.random(in: 1...6, using: &random), bytes: 1_000)
        var index = HistoryIndex()
        var series = BuildID.Series()
        var model: [BuildID: (folder: String, bytes: Int64, isOver: Bool)] = [:]
        for step in 0..<120 {
            if let known = model.keys.sorted().randomElement(using: &random), Bool.random(using: &random) {
                let bytes = Int64.random(in: 0..<400, using: &random)
                let folder = try #require(model[known]?.folder)
                model[known] = (folder, bytes, true)
                index.set(.init(id: known, bytes: bytes, isOver: true), in: folder)
            } else {
                let id = series.next(now: 1_796_025_600 + Int64(step / 7))
                let folder = ["a", "b", "c"][Int.random(in: 0..<3, using: &random)]
                model[id] = (folder, 10, false)
                index.set(.init(id: id, bytes: 10, isOver: false), in: folder)
            }
            let taken = index.takeExcess(over: limits)
            for (folder, id) in taken {
                let removed = model.removeValue(forKey: id)
                let gone = try #require(removed)
                #expect(gone.isOver && gone.folder == folder)
            }
            #expect(index.bytes == model.values.reduce(0) { $0 + $1.bytes })
            for (id, build) in model { #expect(index.folder(of: id) == build.folder) }
            let over = model.filter(\.value.isOver)
            #expect(index.bytes <= limits.bytes || over.isEmpty)
            for folder in ["a", "b", "c"] {
                let entries = index.builds(in: folder)
                #expect(entries.map(\.id) == model.filter { $0.value.folder == folder }.keys.sorted())
                #expect(entries.count <= limits.builds || !entries.contains(where: \.isOver))
            }
        }
        index.remove(try #require(BuildID("20260101000000-00001-abcdef")), in: "a")
        #expect(index.folders.values.allSatisfy { !$0.isEmpty })
    }
}
