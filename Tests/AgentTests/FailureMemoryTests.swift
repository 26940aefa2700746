import Builder
import Foundation
import Registry
import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct FailureKindTests {
    @Test(
        arguments: [
            (.step, .input), (.dockerfile, .input), (.unsupported, .input), (.destination, .input),
            (.missingSource, .input),
            (.context, .input), (.baseImage, .world), (.registry, .world), (.isolation, .world), (.storage, .world),
            (.cache, .world), (.cancelled, nil),
        ] as [(BuildError.Code, FailureKind?)])
    func `whose a failed build is`(code: BuildError.Code, kind: FailureKind?) {
        #expect(FailureKind(BuildError(code, "x")) == kind)
        // What may be gone the next moment is the world's; what was cancelled did not fail.
        #expect(FailureKind(BuildError(code, "x", isTransient: true)) == (kind == nil ? nil : .world))
    }

    @Test(
        arguments: [
            .unauthorized, .denied, .notFound, .contentMissing, .rateLimited, .unavailable, .tls, .plainHTTPRefused,
            .invalidContent, .digestMismatch, .tooLarge, .ambiguous, .platformMissing, .unsupported, .credentials, .io,
        ] as [RegistryError.Code])
    func `a registry's refusal is the world's`(code: RegistryError.Code) {
        #expect(FailureKind(code) == .world)
        #expect(FailureKind(RegistryError.Code.cancelled) == nil)
    }
}

@Suite(.tags(.unit)) struct BackoffTests {
    @Test func `doubles up to the limit, and is never longer`() {
        let backoff = Backoff(base: 10, limit: 600)
        let delays = (1...9).map { backoff.delay(afterAttempts: $0, random: 0) }
        #expect(delays == [10, 20, 40, 80, 160, 320, 600, 600, 600])
        #expect(backoff.delay(afterAttempts: .max, random: 0) == 600)
        #expect(backoff.delay(afterAttempts: 0, random: 0) == 10)
        #expect(backoff.delay(afterAttempts: .min, random: -1) == 10)
        #expect(backoff.delay(afterAttempts: 1, random: 1) == 8)
        #expect(backoff.delay(afterAttempts: 9, random: 7) == 480)
    }
}

@Suite(.tags(.unit)) struct FailureMemoryTests {
    private let scratch: TemporaryDirectory
    private let key = PipelineKey(repository: "shop", pipeline: "web")
    private let reason = FailureRecord.Reason(
        code: "step", BuildError(.step, "failed", place: "Dockerfile:3:1", cause: "exit", hint: "look"))

    init() throws { scratch = try TemporaryDirectory("failures") }

    private func memory(version: String = "1", random: Double = 0) async -> FailureMemory {
        await FailureMemory(directory: scratch.file("state"), version: version, random: { random })
    }

    @Test func `what lies in the input stalls until the content changes`() async {
        let memory = await memory()
        #expect(await memory.verdict(for: key, contentKey: "a", now: 0) == .go)
        let record = await memory.record(.input, of: key, contentKey: "a", reason, now: 100)
        #expect(record.nextAt == nil && record.attempts == 1)
        #expect(record.reason.place == "Dockerfile:3:1" && record.reason.hint == "look" && record.reason.code == "step")
        for now in [100, 101, 1_000_000_000] as [Int64] {
            #expect(await memory.verdict(for: key, contentKey: "a", now: now) == .stalled(record))
        }
        #expect(await memory.verdict(for: key, contentKey: "b", now: 101) == .go)
        let other = PipelineKey(repository: "shop2", pipeline: "web")
        #expect(await memory.verdict(for: other, contentKey: "a", now: 101) == .go)
    }

    @Test func `what lies in the world is tried again, ever later`() async throws {
        let memory = await memory()
        var now: Int64 = 1_000
        for (attempt, delay) in ([10, 20, 40, 80, 160, 320, 600, 600] as [Int64]).enumerated() {
            let record = await memory.record(.world, of: key, contentKey: "a", reason, now: now)
            #expect(record.attempts == attempt + 1)
            #expect(record.firstAt == 1_000 && record.lastAt == now)
            #expect(record.nextAt == now + delay)
            #expect(await memory.verdict(for: key, contentKey: "a", now: now + delay - 1) == .waiting(record))
            #expect(await memory.verdict(for: key, contentKey: "a", now: now + delay) == .go)
            // Other content is tried at once.
            #expect(await memory.verdict(for: key, contentKey: "b", now: now) == .go)
            now += delay
        }
        // A clock that was set back by a year.
        #expect(await memory.verdict(for: key, contentKey: "a", now: now - 31_536_000) == .go)
    }

    @Test func `with jitter`() async {
        let memory = await memory(random: 0.5)
        #expect(await memory.record(.world, of: key, contentKey: "a", reason, now: 0).nextAt == 9)
        #expect(await memory.record(.world, of: key, contentKey: "a", reason, now: 9).nextAt == 27)
    }

    @Test func `attempts count what is the same failure`() async {
        let memory = await memory()
        func attempts(_ kind: FailureKind, _ content: String, _ now: Int64) async -> [Int64] {
            let record = await memory.record(kind, of: key, contentKey: content, reason, now: now)
            return [Int64(record.attempts), record.firstAt]
        }
        #expect(await attempts(.world, "a", 1) == [1, 1])
        #expect(await attempts(.world, "b", 2) == [2, 1])
        #expect(await attempts(.input, "b", 3) == [1, 3])
        #expect(await attempts(.input, "b", 4) == [2, 3])
        #expect(await attempts(.input, "c", 5) == [1, 5])
        await memory.succeeded(key)
        #expect(await attempts(.world, "c", 6) == [1, 6])
    }

    @Test func `success, a retry and a pipeline that is gone forget`() async {
        let memory = await memory()
        func fail(_ pipeline: String) async {
            await memory.record(
                .input, of: PipelineKey(repository: "shop", pipeline: pipeline), contentKey: "a", reason, now: 1)
        }
        for pipeline in ["a", "b", "c", "d"] { await fail(pipeline) }
        await memory.record(
            .input, of: PipelineKey(repository: "other", pipeline: "a"), contentKey: "a", reason, now: 1)
        await memory.succeeded(PipelineKey(repository: "shop", pipeline: "a"))
        #expect(await memory.forget(repository: "shop", pipeline: "b"))
        #expect(await !memory.forget(repository: "shop", pipeline: "b"))
        #expect(await memory.all.map(\.key.pipeline) == ["a", "c", "d"])
        await memory.keep(only: ["d"], of: "shop")
        #expect(await memory.all.map(\.key.repository) == ["other", "shop"])
        #expect(await memory.forget(repository: "shop"))
        #expect(await memory.all.map(\.key.repository) == ["other"])
    }

    @Test func `it outlives the process; another version tries again`() async {
        let first = await memory()
        let stalled = await first.record(.input, of: key, contentKey: "a", reason, now: 100)
        let other = PipelineKey(repository: "shop", pipeline: "api")
        let waiting = await first.record(.world, of: other, contentKey: "a", reason, now: 100)
        #expect(await first.problem == nil)
        let second = await memory()
        #expect(await second.all == [waiting, stalled])
        #expect(await second.verdict(for: key, contentKey: "a", now: 101) == .stalled(stalled))
        #expect(await second.verdict(for: other, contentKey: "a", now: 101) == .waiting(waiting))
        let updated = await memory(version: "2")
        #expect(await updated.verdict(for: key, contentKey: "a", now: 101) == .go)
        #expect(await updated.verdict(for: other, contentKey: "a", now: 101) == .waiting(waiting))
    }

    @Test func `a file that is cut anywhere is as none`() async throws {
        let memory = await memory()
        await memory.record(.input, of: key, contentKey: "a", reason, now: 100)
        let path = scratch.file("state/failures.json")
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        for length in 0..<whole.count {
            try whole.prefix(length).write(to: URL(fileURLWithPath: path))
            #expect(await self.memory().all.isEmpty)
        }
        for text in ["null", "[]", "{\"version\":1}", "{\"version\":2,\"failures\":[]}", "\u{0}"] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            #expect(await self.memory().all.isEmpty)
        }
        // And it works on.
        let again = await self.memory()
        await again.record(.input, of: key, contentKey: "a", reason, now: 100)
        #expect(await self.memory().all.count == 1)
    }

    @Test func `numbers and texts are bounded`() {
        let long = String(repeating: "é", count: 50_000)
        let reason = FailureRecord.Reason(
            code: long, BuildError(.step, long, place: long, cause: "a" + long + "z", hint: long))
        #expect(reason.cause?.hasPrefix("aé") == true && reason.cause?.hasSuffix("éz") == true)
        for text in [reason.code, reason.summary, reason.place ?? "", reason.cause ?? "", reason.hint ?? ""] {
            #expect(!text.isEmpty && text.utf8.count < 4_100)
        }
        var ledger = FailureLedger(version: "1")
        for index in 0..<(FailureLedger.limit + 50) {
            ledger.record(
                .world, of: PipelineKey(repository: "r\(index)", pipeline: "p"), contentKey: "a", reason,
                now: Int64(index), random: 0)
        }
        #expect(ledger.records.count == FailureLedger.limit)
        #expect(ledger.all.map(\.lastAt).min() == 50)
    }

    @Test func `a directory that cannot be written to is a problem, and no more`() async throws {
        try Data().write(to: URL(fileURLWithPath: scratch.file("state")))
        let memory = await memory()
        let record = await memory.record(.input, of: key, contentKey: "a", reason, now: 1)
        #expect(await memory.problem != nil)
        #expect(await memory.verdict(for: key, contentKey: "a", now: 2) == .stalled(record))
    }
}
