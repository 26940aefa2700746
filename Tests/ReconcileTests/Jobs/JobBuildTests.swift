import AgentFakes
import Foundation
import JSON
import OCI
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// Builds that Jobs of the cluster make.
@Suite(.tags(.unit)) struct JobBuildTests {
    @Test func `a Job builds, and its image gets its names`() async throws {
        let world = try await JobWorld()
        let report = await world.cycle()
        #expect(report.failures.map(\.message) == [])
        #expect(world.tags == ["v1"])
        #expect(world.world.builder.built == [])
        let image = try #require(report.images.first)
        #expect(image.isolation == "namespaces")
        #expect(image.layers.map(\.size) == [42])
        let job = try #require(world.cluster.all("jobs").first)
        let secret = try #require(world.cluster.all("secrets").first)
        #expect(secret["metadata"]["ownerReferences"].items.map { $0["uid"] } == [job["metadata"]["uid"]])
        // The next cycle finds it in the registry.
        #expect(await world.cycle().didNothing)
        #expect(world.cluster.started == 1)
    }

    @Test func `the Job's log is the build's`() async throws {
        let world = try await JobWorld()
        _ = await world.cycle()
        #expect(world.lines.count("[web 1/1] COPY . /") == 1)
        #expect(world.lines.count("| hello") == 1)
        #expect(world.lines.count("on node node-1") == 1)
    }

    // MARK: Failures

    struct Failing: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let disposition: Disposition
        let words: [String]
        let kubelet: FakeCluster.Kubelet
    }

    private static let failures = [
        Failing(testDescription: "a step", disposition: .stalled, words: ["exit code 7", "web/Dockerfile:3"]) { pod in
            pod.run()
            pod.end(
                code: 1,
                message:
                    #"{"failure":{"code":"step","isTransient":false,"place":"web/Dockerfile:3","summary":"the step failed with exit code 7"}}"#
            )
        },
        Failing(testDescription: "a registry", disposition: .retry, words: ["cannot be reached"]) { pod in
            pod.run()
            pod.end(
                code: 1,
                message:
                    #"{"failure":{"code":"registry","isTransient":false,"summary":"the registry cannot be reached"}}"#)
        },
        Failing(testDescription: "memory", disposition: .stalled, words: ["more memory", "OOMKilled"]) { pod in
            pod.run()
            pod.end(code: 137, reason: "OOMKilled")
        },
        Failing(
            testDescription: "eviction", disposition: .retry, words: ["evicted", "low on resource: ephemeral-storage"]
        ) {
            pod in
            pod.run()
            pod.end(
                code: 137,
                pod: [
                    "reason": "Evicted", "message": "The node was low on resource: ephemeral-storage.",
                ])
        },
        Failing(
            testDescription: "preemption", disposition: .retry, words: ["taken from its node", "PreemptionByScheduler"]
        ) {
            pod in
            pod.run()
            pod.end(
                code: 143,
                pod: [
                    "conditions": [
                        [
                            "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
                            "message": "x",
                        ]
                    ]
                ])
        },
        Failing(
            testDescription: "the deadline, at work", disposition: .stalled, words: ["longer than the Job's deadline"]
        ) {
            pod in
            pod.run()
            pod.end(code: 143, jobReason: "DeadlineExceeded")
        },
        Failing(testDescription: "the deadline, idle", disposition: .retry, words: ["deadline", "0/3 nodes"]) { pod in
            pod.cannotBeScheduled("0/3 nodes are available")
            pod.endJob("Failed", "DeadlineExceeded")
        },
        Failing(
            testDescription: "the image", disposition: .retry, words: ["cannot pull the Job's image", "no such host"]
        ) {
            pod in
            pod.wait("ErrImagePull", "no such host")
            pod.wait("ImagePullBackOff", "no such host")
        },
        Failing(
            testDescription: "a crash", disposition: .retry, words: ["without a result", "exit code 139", "last words"]
        ) {
            pod in
            pod.run()
            pod.end(code: 139, message: "first words\nlast words\n")
        },
        Failing(testDescription: "a pod that is deleted", disposition: .retry, words: ["deleted or lost"]) { pod in
            pod.run()
            pod.cluster.waitForReader(of: pod.name)
            pod.cluster.remove("pods", pod.name)
            pod.endJob("Failed", "BackoffLimitExceeded")
        },
        Failing(testDescription: "a Job that is deleted", disposition: .retry, words: ["the Job was deleted"]) { pod in
            pod.run()
            pod.cluster.remove("jobs", pod.jobName)
        },
        Failing(testDescription: "a result of another version", disposition: .retry, words: ["without a result"]) {
            pod in
            pod.run()
            pod.end(code: 1, message: #"{"state":"odd"}"#)
        },
    ]

    @Test(arguments: failures) func `each failure has its own reason and class`(_ failing: Failing) async throws {
        let world = try await JobWorld(failing.kubelet)
        let report = await world.cycle()
        let failure = try #require(report.failures.first)
        #expect(failure.disposition == failing.disposition, "\(failure.message)")
        for words in failing.words { #expect(failure.message.contains(words), "\(failure.message)") }
        #expect(world.tags == [])
        // Nothing that could still begin is left behind.
        #expect(world.cluster.all("jobs").allSatisfy { !$0["status"]["conditions"].items.isEmpty })
    }

    @Test func `a pod that finds no node is given up in time`() async throws {
        let world = try await JobWorld(startDeadline: .milliseconds(200)) {
            $0.cannotBeScheduled("0/3 nodes are available")
        }
        let report = await world.cycle()
        let failure = try #require(report.failures.first)
        #expect(failure.disposition == .retry)
        #expect(failure.message.contains("no node takes the build's pod"))
        #expect(world.lines.count("the Job's pod waits: Unschedulable: 0/3 nodes") == 1)
        #expect(world.cluster.all("jobs") == [])
    }

    @Test func `another image than was asked for gets no name`() async throws {
        let world = try await JobWorld { _ in }
        let registry = world.world.registry
        world.cluster.setKubelet { JobWorld.succeed($0, registry, contentKey: "sha256:other") }
        let report = await world.cycle()
        #expect(report.failures.first?.message.contains("another image than was asked for") == true)
        #expect(report.failures.first?.disposition == .retry)
        #expect(world.tags == [])
    }

    @Test func `a failure that was counted is tried again by a new Job`() async throws {
        let world = try await JobWorld { pod in
            pod.run()
            pod.end(code: 137, reason: "OOMKilled")
        }
        #expect(await world.cycle().failures.count == 1)
        let first = try #require(world.cluster.all("jobs").first)
        // Remembered: not tried.
        #expect(await world.cycle().failures.first?.isRemembered == true)
        #expect(world.cluster.started == 1)
        let registry = world.world.registry
        world.cluster.setKubelet { JobWorld.succeed($0, registry) }
        // Another process, that remembers nothing.
        let next = try await JobWorld(over: world)
        #expect(await next.cycle().failures.map(\.message) == [])
        #expect(next.tags == ["v1"])
        #expect(next.cluster.all("jobs").map { $0["metadata"]["uid"] } != [first["metadata"]["uid"]])
    }

    // MARK: Giving up

    @Test(arguments: [false, true]) func `a cancelled build's Job goes, a leaving agent's stays`(isLeaving: Bool)
        async throws
    {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let world = try await JobWorld(isLeaving: isLeaving) { pod in
            pod.run()
            begin.yield()
        }
        let reconciler = world.world.reconciler()
        let task = Task { await reconciler.cycle(.complete) { _ in } }
        for await _ in begun { break }
        task.cancel()
        _ = await task.value
        #expect(world.cluster.all("jobs").count == (isLeaving ? 1 : 0))
        #expect(world.cluster.all("secrets").count == (isLeaving ? 1 : 0))
    }

    @Test func `Jobs of older revisions go, those of others stay`() async throws {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let world = try await JobWorld(isLeaving: true) { pod in
            pod.run()
            begin.yield()
        }
        let reconciler = world.world.reconciler()
        let task = Task { await reconciler.cycle(.complete) { _ in } }
        for await _ in begun { break }
        task.cancel()
        _ = await task.value
        let old = try #require(world.cluster.all("jobs").first)
        world.cluster.put("jobs", ["metadata": ["name": "other", "uid": "x", "labels": ["slipway.dev/pipeline": "y"]]])
        world.world.host.commit(["web/Dockerfile": "FROM scratch\nLABEL a=b"])
        let next = try await JobWorld(over: world)
        let registry = next.world.registry
        next.cluster.setKubelet { JobWorld.succeed($0, registry) }
        #expect(await next.cycle().failures.map(\.message) == [])
        let names = next.cluster.all("jobs").compactMap { $0["metadata"]["name"].text }
        #expect(names.count == 2)
        #expect(names.contains("other"))
        #expect(!names.contains(old["metadata"]["name"].text ?? ""))
        #expect(next.lines.count("it builds an older revision") == 1)
    }
}
