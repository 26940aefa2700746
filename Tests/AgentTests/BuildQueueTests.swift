import Synchronization
import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct BuildQueueTests {
    private struct Failed: Error, Equatable { var reason: String }

    /// A clock that the test sets.
    private final class SetClock: AgentClock {
        private let time = Mutex<Int64>(100)
        var now: Int64 { time.withLock { $0 } }
        func advance() { time.withLock { $0 += 1 } }
        func sleep(for duration: Duration) async throws {}
    }

    /// Builds that end when the test says so.
    private actor Builds {
        private(set) var started: [String] = []
        private var gates: [String: CheckedContinuation<Void, Never>] = [:]
        private var waiters: [(count: Int, CheckedContinuation<Void, Never>)] = []

        func build(_ name: String) async {
            started.append(name)
            await withCheckedContinuation { gate in
                gates[name] = gate
                for waiter in waiters where waiter.count <= started.count { waiter.1.resume() }
                waiters.removeAll { $0.count <= started.count }
            }
        }

        func end(_ name: String) { gates.removeValue(forKey: name)?.resume() }

        /// Waits until this many builds have started.
        func reached(_ count: Int) async {
            if started.count >= count { return }
            await withCheckedContinuation { waiters.append((count, $0)) }
        }
    }

    /// A queue with builds `A1`, `B2`, …: the letter is the repository.
    private struct Bench {
        let clock = SetClock()
        let queue: BuildQueue
        let builds = Builds()

        init(concurrency: Int) { queue = BuildQueue(concurrency: concurrency, clock: clock) }

        /// Starts a task for a build and returns when it is in the queue.
        func add(_ name: String) async -> Task<String, any Error> {
            let before = await queue.state.count
            let task = Task { [queue, builds] in
                try await queue.run(
                    PipelineKey(repository: String(name.prefix(1)), pipeline: name),
                    ifCancelled: Failed(reason: "left")
                ) { () async throws(Failed) -> String in
                    await builds.build(name)
                    return name
                }
            }
            while await queue.state.count == before { await Task.yield() }
            return task
        }

        func names(_ state: QueuedBuild.State) async -> [String] {
            await queue.state.filter { $0.state == state }.map(\.pipeline.pipeline)
        }
    }

    @Test func `repositories take turns, and within one the first comes first`() async throws {
        let bench = Bench(concurrency: 1)
        var tasks: [Task<String, any Error>] = []
        for name in ["A1", "A2", "A3", "A4", "B1", "B2", "A5", "C1"] { tasks.append(await bench.add(name)) }
        await bench.builds.reached(1)
        let order = ["A1", "A2", "B1", "C1", "A3", "B2", "A4", "A5"]
        #expect(await bench.names(.waiting) == Array(order.dropFirst()))
        for (index, name) in order.enumerated() {
            await bench.builds.reached(index + 1)
            #expect(await bench.builds.started == Array(order.prefix(index + 1)))
            await bench.builds.end(name)
        }
        for task in tasks { _ = try await task.value }
        #expect(await bench.queue.state.isEmpty)
    }

    @Test func `who comes later than others of other repositories goes behind them`() async throws {
        let bench = Bench(concurrency: 1)
        _ = await bench.add("A1")
        _ = await bench.add("B1")
        _ = await bench.add("A2")
        _ = await bench.add("C1")
        await bench.builds.reached(1)
        await bench.builds.end("A1")
        await bench.builds.reached(2)
        // B runs; another of its builds waits behind A and C, which have waited longer.
        _ = await bench.add("B2")
        #expect(await bench.names(.waiting) == ["A2", "C1", "B2"])
        for name in ["B1", "A2", "C1", "B2"] {
            await bench.builds.end(name)
            if name != "B2" { await bench.builds.reached(["B1": 3, "A2": 4, "C1": 5][name] ?? 0) }
        }
    }

    @Test(arguments: [1, 2, 3, 5]) func `never more than the bound`(concurrency: Int) async throws {
        let bench = Bench(concurrency: concurrency)
        let names = ["A", "B", "C"].flatMap { repository in (1...4).map { "\(repository)\($0)" } }
        var tasks: [Task<String, any Error>] = []
        for name in names { tasks.append(await bench.add(name)) }
        var ended = 0
        while ended < names.count {
            let expected = min(names.count, ended + concurrency)
            await bench.builds.reached(expected)
            #expect(await bench.names(.running).count == expected - ended)
            #expect(await bench.builds.started.count == expected)
            await bench.builds.end(await bench.builds.started[ended])
            ended += 1
            // The place is free when the build has left.
            while await bench.names(.running).count > min(concurrency, names.count - ended) { await Task.yield() }
        }
        for task in tasks { _ = try await task.value }
    }

    @Test func `who is cancelled while it waits leaves at once`() async throws {
        let bench = Bench(concurrency: 1)
        let first = await bench.add("A1")
        let second = await bench.add("A2")
        let only = await bench.add("B1")
        let third = await bench.add("A3")
        await bench.builds.reached(1)
        second.cancel()
        only.cancel()
        await #expect(throws: Failed(reason: "left")) { try await second.value }
        await #expect(throws: Failed(reason: "left")) { try await only.value }
        #expect(await bench.names(.waiting) == ["A3"])
        await bench.builds.end("A1")
        await bench.builds.reached(2)
        #expect(await bench.builds.started == ["A1", "A3"])
        await bench.builds.end("A3")
        #expect(try await [first.value, third.value] == ["A1", "A3"])
    }

    @Test func `who is cancelled before it comes never waits`() async {
        let queue = BuildQueue(concurrency: 1)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await queue.run(PipelineKey(repository: "A", pipeline: "1"), ifCancelled: Failed(reason: "left")) {
                () async throws(Failed) -> Void in Issue.record("it ran")
            }
        }
        await #expect(throws: Failed(reason: "left")) { try await task.value }
        #expect(await queue.state.isEmpty)
    }

    @Test func `a build that fails, or is cancelled while it runs, gives its place back`() async throws {
        let bench = Bench(concurrency: 1)
        let key = PipelineKey(repository: "A", pipeline: "x")
        for _ in 0..<3 {
            await #expect(throws: Failed(reason: "step")) {
                try await bench.queue.run(key, ifCancelled: Failed(reason: "left")) { () async throws(Failed) in
                    throw Failed(reason: "step")
                }
            }
        }
        let running = await bench.add("A1")
        await bench.builds.reached(1)
        let next = await bench.add("B1")
        running.cancel()
        #expect(await bench.names(.running) == ["A1"])
        await bench.builds.end("A1")
        #expect(try await running.value == "A1")
        await bench.builds.reached(2)
        await bench.builds.end("B1")
        #expect(try await next.value == "B1")
    }

    @Test func `times, and a bound that changes`() async throws {
        let bench = Bench(concurrency: 0)
        _ = await bench.add("A1")
        bench.clock.advance()
        _ = await bench.add("B1")
        bench.clock.advance()
        _ = await bench.add("C1")
        await bench.builds.reached(1)
        #expect(await bench.queue.state.map(\.since) == [100, 101, 102])
        bench.clock.advance()
        await bench.queue.setConcurrency(2)
        await bench.builds.reached(2)
        #expect(await bench.queue.state.map(\.since) == [100, 103, 102])
        #expect(await bench.queue.state.map(\.state) == [.running, .running, .waiting])
        for name in ["A1", "B1"] { await bench.builds.end(name) }
        await bench.builds.reached(3)
        await bench.builds.end("C1")
    }
}
