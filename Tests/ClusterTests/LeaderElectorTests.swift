import Cluster
import JSON
import Synchronization
import TestSupport
import Testing

/// The election by a Lease, with a clock and an API server in memory.
@Suite(.tags(.unit)) struct LeaderElectorTests {
    private let clock = FakeElectionClock()
    private let server = FakeLeaseServer()

    /// A process that wants to lead, and does as soon as it may.
    private final class Process: Sendable {
        let link: FakeLeaseLink
        let elector: LeaderElector
        private let state = Mutex<(term: LeadershipTerm?, loss: String?)>((nil, nil))
        private let task = Mutex<Task<Void, Never>?>(nil)

        init(_ name: String, _ server: FakeLeaseServer, _ clock: FakeElectionClock, as own: (any ElectionClock)? = nil)
        {
            link = FakeLeaseLink(server, clock)
            elector = LeaderElector(
                link, candidate: LeaseCandidate(identity: name, annotations: ["slipway.dev/address": "http://\(name)"]),
                timing: ElectionTiming(), clock: own ?? clock, random: { 0.5 })
        }

        func begin() {
            let running = Task {
                guard let term = await elector.acquire() else { return }
                state.withLock { $0.term = term }
                let loss = await elector.keep(term)
                let word: String =
                    switch loss {
                    case nil: "ended"
                    case .notRenewed: "not renewed"
                    case .taken(let holder): "taken by \(holder ?? "nobody")"
                    }
                state.withLock { $0.loss = word }
            }
            task.withLock { $0 = running }
        }

        func stop() async {
            let running = task.withLock(\.self)
            running?.cancel()
            await running?.value
        }

        var hasLed: Bool { state.withLock { $0.term != nil } }
        var leads: Bool { state.withLock { $0.term?.allowsWrites == true } }
        var loss: String? { state.withLock(\.loss) }
        var term: LeadershipTerm? { state.withLock(\.term) }
    }

    /// Lets time pass in steps, with room for everybody to do what is due.
    ///
    /// - Parameter isHasty: whether it does not matter if somebody comes late.
    private func pass(
        _ seconds: Double, step: Duration = .milliseconds(250), isHasty: Bool = false, _ check: () throws -> Void = {}
    ) async throws {
        var left = Duration.seconds(seconds)
        while left > .zero {
            clock.advance(by: min(step, left))
            left -= step
            if !isHasty { try await Task.sleep(for: .milliseconds(1)) }
            for _ in 0..<20 { await Task.yield() }
            try check()
        }
    }

    /// Lets time pass until something is so.
    private func pass(until what: String, atMost seconds: Double, _ condition: () -> Bool) async throws {
        let end = clock.uptime + .seconds(seconds)
        try await waitUntil(what, every: .milliseconds(1)) {
            if condition() { return true }
            if clock.uptime < end { clock.advance(by: .milliseconds(100)) }
            return false
        }
    }

    @Test func `a Lease that is not there is made, and says who leads and where`() async throws {
        let one = Process("one", server, clock)
        one.begin()
        try await waitUntil("it leads") { one.leads }
        let lease = try #require(server.lease)
        #expect(lease.holder == "one")
        #expect(lease.transitions == 0)
        #expect(lease.duration == .seconds(15))
        #expect(lease.annotation("slipway.dev/address") == "http://one")
        #expect(lease.object["spec"]["renewTime"].text == "2023-11-14T22:30:00.000000Z")
        await one.stop()
    }

    @Test(arguments: ["2001-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"])
    func `what the holder's clock says does not matter`(_ time: String) async throws {
        server.put([
            "metadata": ["name": "slipway", "labels": ["team": "a"]],
            "spec": [
                "holderIdentity": "gone", "leaseDurationSeconds": 15, "leaseTransitions": 3, "renewTime": .string(time),
            ],
        ])
        let one = Process("one", server, clock)
        one.begin()
        try await waitUntil("it has looked") { clock.asleep == 1 }
        try await pass(14.5) { #expect(!one.hasLed) }
        try await pass(until: "it leads", atMost: 4) { one.leads }
        #expect(server.lease?.transitions == 4)
        #expect(server.lease?.object["metadata"]["labels"] == ["team": "a"])
        await one.stop()
    }

    @Test(arguments: [FakeLeaseLink.Network.silent, .refuses])
    func `a leader that is cut off stops writing before another one may`(_ cut: FakeLeaseLink.Network) async throws {
        let (one, two) = (Process("one", server, clock), Process("two", server, clock))
        one.begin()
        try await waitUntil("one leads") { one.leads }
        two.begin()
        try await pass(30) { #expect(one.leads && !two.hasLed) }
        one.link.set(cut)
        try await pass(until: "one knows that it does not lead any more", atMost: 11) { one.loss == "not renewed" }
        #expect(!one.leads)
        #expect(!two.hasLed)
        let term = try #require(one.term)
        // What one has under way has time to end, and then is ended.
        #expect(term.timeToEnd > .seconds(2))
        try await pass(until: "two leads", atMost: 10) { two.leads }
        #expect(term.timeToEnd < .zero)
        await two.stop()
    }

    @Test func `a Lease that is given back is taken at the next look`() async throws {
        let (one, two) = (Process("one", server, clock), Process("two", server, clock))
        one.begin()
        try await waitUntil("one leads") { one.leads }
        two.begin()
        try await pass(10)
        await one.stop()
        one.term?.end()
        #expect(await one.elector.release())
        #expect(server.lease?.holder == nil)
        let released = clock.uptime
        try await pass(until: "two leads", atMost: 3) { two.leads }
        #expect(clock.uptime - released < .seconds(2.5))
        await two.stop()
    }

    @Test func `who does not lead gives nothing back`() async throws {
        let (one, two) = (Process("one", server, clock), Process("two", server, clock))
        one.begin()
        try await waitUntil("one leads") { one.leads }
        two.begin()
        try await pass(5)
        await two.stop()
        #expect(await two.elector.release() == false)
        #expect(server.lease?.holder == "one")
        await one.stop()
    }

    @Test func `a person who annotates the Lease changes nothing, and one who takes it away does`() async throws {
        let one = Process("one", server, clock)
        one.begin()
        try await waitUntil("one leads") { one.leads }
        var object = try #require(server.lease).object
        var metadata = object["metadata"]
        metadata["annotations"] = ["note": "seen"]
        object["metadata"] = metadata
        server.put(object)
        try await pass(20) { #expect(one.leads) }
        #expect(server.lease?.annotation("note") == "seen")
        object = try #require(server.lease).object
        object["spec"] = ["holderIdentity": "other", "leaseDurationSeconds": 15]
        server.put(object)
        try await pass(until: "one knows", atMost: 3) { one.loss == "taken by other" }
        #expect(!one.leads)
    }

    @Test func `a Lease that was taken without hearing of it is held all the same`() async throws {
        let one = Process("one", server, clock)
        one.link.set(.losesAnswers)
        one.begin()
        try await waitUntil("the Lease is taken") { server.lease?.holder == "one" }
        #expect(!one.hasLed)
        one.link.set(.works)
        try await pass(until: "one leads", atMost: 3) { one.leads }
        #expect(server.lease?.transitions == 0)
        await one.stop()
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func `never do two write, whatever the network and the clocks do`(_ seed: UInt64) async throws {
        var random = SplitMix(state: seed)
        var count = 0
        func start() -> Process {
            count += 1
            let own = SkewedClock(
                clock: clock, offset: .seconds(Int.random(in: 0...1_000_000, using: &random)),
                skew: Int64.random(in: -4_000_000_000...4_000_000_000, using: &random))
            let process = Process("p\(count)", server, clock, as: own)
            process.begin()
            return process
        }
        var processes = (0..<3).map { _ in start() }
        var leaders: Set<String> = []
        for _ in 0..<40 {
            let index = Int.random(in: 0..<3, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: processes[index].link.set(.silent)
            case 1: processes[index].link.set(.refuses)
            case 2: processes[index].link.set(.losesAnswers)
            case 3: processes[index].link.set(.works, delay: .milliseconds(Int.random(in: 100...4_000, using: &random)))
            case 4:
                // A process that ends, well or badly.
                await processes[index].stop()
                processes[index].term?.end()
                if Bool.random(using: &random) {
                    processes[index].link.set(.works)
                    _ = await processes[index].elector.release()
                }
                processes[index] = start()
            default: processes[index].link.set(.works)
            }
            try await pass(Double.random(in: 0.5...12, using: &random), isHasty: true) {
                let writing = processes.filter(\.leads)
                #expect(writing.count <= 1)
            }
            for index in processes.indices where processes[index].loss != nil { processes[index] = start() }
            if let holder = server.lease?.holder { leaders.insert(holder) }
        }
        for process in processes { process.link.set(.works) }
        try await pass(until: "one of them leads in the end", atMost: 60) { processes.contains(where: \.leads) }
        #expect(leaders.count > 1)
        for process in processes { await process.stop() }
    }

    @Test(arguments: [
        (15, 15, 2, "longer than renewDeadline"), (15, 2, 2, "times retryPeriod"), (0, 10, 2, "whole number"),
        (15, 10, 0, "at least 100ms"),
    ]) func `times that cannot work are refused`(_ lease: Int, _ deadline: Int, _ retry: Int, _ words: String) {
        var timing = ElectionTiming()
        timing.leaseDuration = .seconds(lease)
        timing.renewDeadline = .seconds(deadline)
        timing.retryPeriod = .seconds(retry)
        #expect(timing.problem?.contains(words) == true, "\(timing.problem ?? "")")
        #expect(ElectionTiming().problem == nil)
    }
}
