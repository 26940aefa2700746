import Foundation
import OCI
import Registry
import Synchronization
import TestSupport
import Testing

@testable import Builder

@Suite(.tags(.unit)) struct TransferMeterTests {
    /// A meter of 10 MiB with a clock of its own.
    private final class Bench: Sendable {
        private let time = Mutex(ContinuousClock.now)
        private let log = EventLog()

        func meter() throws -> TransferMeter {
            TransferMeter(
                .pull, Descriptor(mediaType: .ociLayerGzip, digest: .sha256(of: []), size: 10 << 20),
                try RepositoryLocation("registry.example/app"), tell: { self.log.append($0) },
                now: { self.time.withLock { $0 } })
        }

        func wait(_ milliseconds: Int) { time.withLock { $0 += .milliseconds(milliseconds) } }

        var told: [String] {
            log.transfers.map { "\($0.bytes >> 10)/\($0.total >> 10) \($0.state)" }
        }
    }

    @Test func `many calls make few events`() throws {
        let bench = Bench()
        let meter = try bench.meter()
        meter.begin()
        // 1 KiB a millisecond.
        for part in 1...1_000 {
            bench.wait(1)
            meter.moved(Int64(part) << 10)
        }
        #expect(
            bench.told == ["0/10240 underWay", "256/10240 underWay", "512/10240 underWay", "768/10240 underWay"])
        // As fast as it may be.
        for part in 1_001...9_000 { meter.moved(Int64(part) << 10) }
        #expect(bench.told.dropFirst(4) == ["1024/10240 underWay"])
        bench.wait(99)
        meter.moved(9_001 << 10)
        #expect(bench.told.count == 5)
        bench.wait(1)
        meter.moved(9_002 << 10)
        #expect(bench.told.dropFirst(5) == ["9002/10240 underWay"])
    }

    @Test func `a slow transfer is told of too`() throws {
        let bench = Bench()
        let meter = try bench.meter()
        meter.begin()
        bench.wait(999)
        meter.moved(1 << 10)
        #expect(bench.told.count == 1)
        bench.wait(1)
        meter.moved(2 << 10)
        #expect(bench.told == ["0/10240 underWay", "2/10240 underWay"])
        bench.wait(5_000)
        meter.moved(2 << 10)
        #expect(bench.told.count == 2, "nothing came")
        meter.moved(10 << 20)
        meter.moved(10 << 20)
        #expect(bench.told.dropFirst(2) == ["10240/10240 underWay"], "what comes now is the registry's answer")
    }

    @Test func `what begins anew is not counted twice`() throws {
        let bench = Bench()
        let meter = try bench.meter()
        meter.moved(0)
        bench.wait(100)
        meter.moved(4 << 20)
        bench.wait(100)
        meter.moved(1 << 10)
        bench.wait(100)
        meter.moved(1 << 20)
        meter.end(isDone: true)
        #expect(
            bench.told == [
                "0/10240 underWay", "4096/10240 underWay", "1/10240 underWay", "1024/10240 underWay",
                "10240/10240 done",
            ])
    }

    @Test func `nothing comes behind the end, and no end without a beginning`() throws {
        let bench = Bench()
        try bench.meter().end(isDone: false)
        #expect(bench.told == [])
        let meter = try bench.meter()
        meter.moved(1 << 20)
        meter.end(isDone: false)
        bench.wait(10_000)
        meter.moved(9 << 20)
        meter.end(isDone: true)
        #expect(bench.told == ["1024/10240 underWay", "1024/10240 stopped"])
    }
}

/// What a build tells of blobs on their way between it and a registry.
@Suite(.tags(.integration), .thorough) struct TransferTests {
    private static func text(_ bench: CacheBench) -> String { "FROM \(bench.base)\nRUN : > /x\n" }

    private func check(_ transfers: [BlobTransfer]) {
        for (id, parts) in Dictionary(grouping: transfers, by: \.id) {
            #expect(parts.dropLast().allSatisfy { $0.state == .underWay }, "\(id)")
            #expect(parts.last?.state != .underWay, "\(id)")
            #expect(parts.allSatisfy { (0...$0.total).contains($0.bytes) }, "\(id)")
        }
    }

    @Test func `what is pulled and pushed`() async throws {
        let bench = try await CacheBench()
        let result = try await bench.build(Self.text(bench), state: "one")
        let transfers = result.log.transfers
        check(transfers)
        let pulls = transfers.filter { $0.id.direction == .pull }
        #expect(pulls.first?.bytes == 0)
        let base = result.image.layers[0].descriptor
        #expect(pulls.map(\.id.digest).allSatisfy { $0 == base.digest })
        #expect(pulls.last?.state == .done && pulls.last?.bytes == base.size)
        // What one event says of an image is what the others said of its blobs.
        let told = result.log.all.compactMap { if case .basePulled(_, _, let bytes) = $0 { bytes } else { nil } }
        #expect(told == [base.size])
        // The base's layer is mounted; the others are told of, and end behind the event of the whole blob.
        let pushed = transfers.filter { $0.id.direction == .push && $0.state == .done }.map(\.id.digest)
        #expect(Set(pushed) == [result.image.layers[1].descriptor.digest, result.image.manifest.config.digest])
        #expect(transfers.allSatisfy { $0.id.direction == .pull || $0.id.digest != base.digest })
        let order = result.log.all.compactMap { event -> String? in
            switch event {
            case .blobPushed(result.image.manifest.config.digest, _, _, _): "blob"
            case .transfer(let part) where part.id.digest == result.image.manifest.config.digest: "\(part.state)"
            default: nil
            }
        }
        #expect(order == ["underWay", "blob", "done"])
        // All is there.
        let again = try await bench.build(Self.text(bench), state: "one")
        #expect(again.log.transfers == [])
    }

    /// An image whose base is in one registry, a second registry, and a builder that reaches both.
    private static func elsewhere(
        _ bench: CacheBench
    ) async throws -> (other: RegistryServer, builder: Builder, image: BuiltImage) {
        let other = try await RegistryServer(directory: bench.bench.directory.file("other"))
        var configuration = bench.access.configuration
        configuration.insecureRegistries.insert(other.host)
        let builder = try Builder(
            stateDirectory: bench.bench.directory.file("one"),
            registry: RegistryAccess(configuration: configuration, keychain: .empty), report: bench.bench.report)
        let image = try await builder.build(try bench.bench.request("FROM \(bench.base)\nLABEL a=b\n")) { _ in }
        return (other, builder, image)
    }

    /// A layer of the base that only the destination needs.
    @Test func `a base that is fetched for a push`() async throws {
        let bench = try await CacheBench()
        let (other, builder, image) = try await Self.elsewhere(bench)
        let log = EventLog()
        _ = try await builder.push(image, to: [try ImageLocation("\(other.host)/app:1")]) { log.append($0) }
        check(log.transfers)
        let layer = image.layers[0].descriptor.digest
        let ends = log.transfers.filter { $0.id.digest == layer && $0.state == .done }
        #expect(ends.map(\.id.direction) == [.pull, .push])
        #expect(ends.map { "\($0.id.repository)" } == ["\(bench.proxy.host)/base", "\(other.host)/app"])
    }

    @Test(arguments: [Fault.truncated, .wrongBytes]) func `a download that fails at first`(_ fault: Fault) async throws
    {
        let bench = try await CacheBench()
        let whole = try await bench.build(Self.text(bench), state: "whole", to: nil)
        let layer = whole.image.layers[0].descriptor
        let place = whole.requests.firstIndex { $0.method == "GET" && $0.path.hasSuffix("\(layer.digest)") }
        bench.proxy.spoil(try #require(place) + 1, with: fault)
        let spoiled = try await bench.build(Self.text(bench), state: "spoiled", to: nil)
        #expect(spoiled.requests.count { $0.method == "GET" && $0.path.hasSuffix("\(layer.digest)") } == 2)
        check(spoiled.log.transfers)
        #expect(spoiled.log.transfers.filter { $0.state == .done }.map(\.total) == [layer.size])
    }

    @Test func `transfers that fail`() async throws {
        let bench = try await CacheBench()
        let (other, builder, image) = try await Self.elsewhere(bench)
        let layer = image.layers[0].descriptor.digest
        bench.proxy.fail(1_000) { $0.method == "GET" && $0.path.hasSuffix("\(layer)") ? "download" : nil }
        let pull = EventLog()
        await #expect(throws: BuildError.self) {
            _ = try await builder.push(image, to: [try ImageLocation("\(other.host)/app:1")]) { pull.append($0) }
        }
        check(pull.transfers)
        let missed = pull.transfers.filter { $0.id.digest == layer }
        #expect(missed.map(\.state) == [.underWay, .stopped] && missed.allSatisfy { $0.id.direction == .pull })

        bench.proxy.fail(0) { _ in nil }
        let built = try await bench.build(Self.text(bench), state: "two", to: nil)
        bench.proxy.fail(1_000) { $0.method == "PUT" && $0.target.contains("digest=") ? "upload" : nil }
        let push = EventLog()
        let sender = try Builder(
            stateDirectory: bench.bench.directory.file("two"), registry: bench.access, report: bench.bench.report)
        await #expect(throws: BuildError.self) {
            _ = try await sender.push(built.image, to: [try ImageLocation("\(bench.proxy.host)/app:1")]) {
                push.append($0)
            }
        }
        // The first failure is enough for the push, not for the others that are on their way.
        try await waitUntil("all transfers end") {
            Dictionary(grouping: push.transfers, by: \.id).values.allSatisfy { $0.last?.state != .underWay }
        }
        check(push.transfers)
        #expect(push.transfers.contains { $0.state == .stopped && $0.id.direction == .push })
        #expect(!push.transfers.contains { $0.state == .done })
    }
}

extension EventLog {
    fileprivate var transfers: [BlobTransfer] {
        all.compactMap { if case .transfer(let transfer) = $0 { transfer } else { nil } }
    }
}
