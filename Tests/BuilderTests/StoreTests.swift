import Builder
import Foundation
import OCI
import TestSupport
import Testing

@Suite(.tags(.integration)) struct StoreTests {
    @Test func concurrentBuildsShareTheStore() async throws {
        let bench = try await Workbench()
        try bench.write("f", "x")
        let text = "FROM busybox\nCOPY f /f\nRUN echo a > /a\n"
        let digests = try await withThrowingTaskGroup(of: Digest.self) { group in
            for _ in 0..<6 {
                // Each with a builder of its own, as processes would have.
                group.addTask {
                    try await bench.builder().build(bench.request(text)) { _ in }.manifestDigest
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(digests.count == 1)
        let layers = try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/layers"))
        // The base, COPY and RUN.
        #expect(layers.filter { !$0.hasSuffix(".lock") }.count == 3)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/builds")).isEmpty)
    }

    @Test func clearsWhatKilledBuildsLeft() async throws {
        let bench = try await Workbench()
        _ = try bench.builder()
        let builds = bench.directory.file("state/builds")
        try FileManager.default.createDirectory(atPath: builds + "/dead/1", withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: builds + "/dead.lock"))
        try Data("x".utf8).write(to: URL(fileURLWithPath: builds + "/dead/1/file"))
        _ = try bench.builder()
        #expect(try FileManager.default.contentsOfDirectory(atPath: builds).isEmpty)
    }

    @Test func refusesADamagedBase() async throws {
        let bench = try await Workbench(ownsBase: true)
        let blobs = bench.directory.file("base/blobs/sha256")
        let largest = try #require(
            try Shell.run(["sh", "-c", "ls -S \(blobs) | head -1"]).stdout.split(separator: "\n").first)
        try Shell.run(["sh", "-c", "printf x | dd of=\(blobs)/\(largest) bs=1 seek=1000 conv=notrunc 2>/dev/null"])
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nRUN true\n")
        }
        #expect(error?.code == .registry || error?.code == .baseImage)
        let layers = try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/layers"))
        #expect(layers.allSatisfy { $0.hasSuffix(".lock") })
    }
}
