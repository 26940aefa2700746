import AgentFakes
import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// An agent that is killed, and the one that comes after it.
@Suite(.tags(.unit)) struct JobAdoptionTests {
    /// Ends an agent at one of its requests: nothing of it reaches the cluster any more.
    private final class Death: Sendable {
        private struct State {
            var left: Int
            var isDead = false
        }

        private let state: Mutex<State>
        private let death: Case
        private let died: AsyncStream<Void>.Continuation

        init(_ death: Case, _ died: AsyncStream<Void>.Continuation) {
            state = Mutex(State(left: death.request))
            self.death = death
            self.died = died
        }

        func fault(_ request: StubRequest, _ when: FakeCluster.Moment) -> StubReply? {
            // The log of a container that goes on is the last that is asked for.
            let isLast = !death.isQuick && request.path.hasSuffix("/log")
            let isDead = state.withLock { state -> Bool in
                if !state.isDead, when == death.moment || isLast {
                    state.left -= 1
                    state.isDead = state.left <= 0 || isLast
                }
                return state.isDead
            }
            if isDead { died.yield() }
            return isDead ? .reset([]) : nil
        }
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let request: Int
        let moment: FakeCluster.Moment
        /// Whether the container ends at once, or only under the second agent.
        let isQuick: Bool

        var testDescription: String { "request \(request), \(moment) it is served, \(isQuick ? "quick" : "slow")" }
    }

    static let cases = (1...14).flatMap { request in
        [FakeCluster.Moment.before, .after].flatMap { moment in
            [true, false].map { Case(request: request, moment: moment, isQuick: $0) }
        }
    }

    @Test(arguments: cases) func `killed at any request, nothing is built twice`(_ death: Case) async throws {
        let (news, tell) = AsyncStream.makeStream(of: Void.self)
        let first = try await JobWorld(isLeaving: true)
        let registry = first.world.registry
        let gate = DispatchSemaphore(value: death.isQuick ? 1 : 0)
        first.cluster.setKubelet { pod in
            if !death.isQuick { pod.run() }
            gate.wait()
            JobWorld.succeed(pod, registry)
        }
        let killer = Death(death, tell)
        first.cluster.setFault(killer.fault)
        let reconciler = first.world.reconciler()
        let task = Task {
            _ = await reconciler.cycle(.complete) { _ in }
            tell.yield()
        }
        for await _ in news { break }
        task.cancel()
        await task.value
        first.cluster.setFault(nil)
        gate.signal()

        let second = try await JobWorld(over: first)
        let report = await second.cycle()
        #expect(report.failures.map(\.message) == [])
        #expect(second.tags == ["v1"])
        #expect(second.cluster.started == 1)
    }

    @Test func `a Job that ended unseen is counted, by its termination message alone`() async throws {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let gate = DispatchSemaphore(value: 0)
        let first = try await JobWorld(isLeaving: true)
        let registry = first.world.registry
        let done = DispatchSemaphore(value: 0)
        first.cluster.setKubelet { pod in
            pod.run()
            begin.yield()
            gate.wait()
            let digest = JobWorld.push(pod, registry, contentKey: pod.contentKey)
            pod.end(message: #"{"digest":"\#(digest)","seconds":0.3}"#)
            done.signal()
        }
        let reconciler = first.world.reconciler()
        let task = Task { await reconciler.cycle(.complete) { _ in } }
        for await _ in begun { break }
        task.cancel()
        _ = await task.value
        gate.signal()
        _ = done.wait(timeout: .now() + 10)
        let second = try await JobWorld(over: first)
        #expect(await second.cycle().failures.map(\.message) == [])
        #expect(second.tags == ["v1"])
        #expect(second.cluster.started == 1)
    }

    @Test func `a Job whose result is gone with its pod is made again`() async throws {
        let first = try await JobWorld()
        #expect(await first.cycle().failures.isEmpty)
        let pod = try #require(first.cluster.all("pods").first?["metadata"]["name"].text)
        first.cluster.remove("pods", pod)
        // Somebody took the image's name away.
        first.world.registry.delete("registry.example.com/acme/web", "v1")
        let second = try await JobWorld(over: first)
        #expect(await second.cycle().failures.map(\.message) == [])
        #expect(second.tags == ["v1"])
        #expect(second.cluster.started == 2)
    }

    @Test func `an outage of the API server harms nothing`() async throws {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let gate = DispatchSemaphore(value: 0)
        let world = try await JobWorld()
        let registry = world.world.registry
        world.cluster.setKubelet { pod in
            pod.run()
            begin.yield()
            gate.wait()
            JobWorld.succeed(pod, registry)
        }
        let lines = world.lines
        let reconciler = world.world.reconciler()
        let task = Task { await reconciler.cycle(.complete) { lines.add($0.text) } }
        for await _ in begun { break }
        let left = Mutex(5)
        world.cluster.setFault { _, moment in
            guard moment == .before else { return nil }
            return left.withLock { left in
                left -= 1
                return left >= 0 ? .reset([]) : nil
            }
        }
        gate.signal()
        #expect(await task.value.failures.map(\.message) == [])
        #expect(world.tags == ["v1"])
        #expect(world.lines.count("| hello") == 1)
    }

    private static func line(_ number: Int) -> String {
        #"{"event":"note","level":"warning","text":"line \#(number) of nine","time":""}"#
    }

    @Test func `a pod that was deleted has a successor, whose log is the build's`() async throws {
        let world = try await JobWorld()
        let registry = world.world.registry
        world.cluster.setKubelet { pod in
            pod.run()
            pod.cluster.waitForReader(of: pod.name)
            pod.cluster.remove("pods", pod.name)
            let next = FakePod(cluster: pod.cluster, job: pod.job, name: "\(pod.name)-next")
            JobWorld.succeed(next, registry)
        }
        #expect(await world.cycle().failures.map(\.message) == [])
        #expect(world.tags == ["v1"])
        #expect(world.lines.count("| hello") == 1)
    }

    @Test func `a log that is cut goes on where it was, no line twice and none lost`() async throws {
        let world = try await JobWorld()
        let registry = world.world.registry
        world.cluster.setKubelet { pod in
            pod.run()
            for number in 1...9 { pod.log(Self.line(number)) }
            JobWorld.succeed(pod, registry)
        }
        let cuts = Mutex(3)
        world.cluster.setFault { request, moment in
            guard moment == .after, request.path.hasSuffix("/log"), request.target.contains("follow=true") else {
                return nil
            }
            let number = cuts.withLock { cuts -> Int in
                cuts -= 1
                return cuts
            }
            guard number >= 0 else { return nil }
            let lines = (1...(9 - number * 2)).map { "2026-12-01T03:00:00.00\($0 - 1)Z \(Self.line($0))\n" }.joined()
            return .reset(Array("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n\(lines)".utf8))
        }
        #expect(await world.cycle().failures.map(\.message) == [])
        for number in 1...9 { #expect(world.lines.count("line \(number) of nine") == 1) }
        #expect(world.lines.count("| hello") == 1)
    }
}
