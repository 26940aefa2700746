import Builder
import Foundation
import OCI
import TestSupport
import Testing

@Suite(.tags(.integration), .thorough) struct StoreTests {
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
        // The base, then COPY and RUN of each build that did them: their files have other times.
        #expect((3...13).contains(layers.filter { !$0.hasSuffix(".lock") }.count))
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

    /// After a power cut a file can be empty that was full. Only blobs are written to the disk before they are used.
    @Test func whatThePowerTookIsMadeAgain() async throws {
        let bench = try await Workbench()
        try bench.write("f", "content")
        let steps = "FROM busybox\nCOPY f /f\nRUN cp /f /g\n"
        _ = try await bench.build(steps)
        let folder = bench.directory.file("state/layers")
        let layers = try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasSuffix(".lock") }
        #expect(layers.count == 3)
        for layer in layers {
            try Shell.run(["find", "\(folder)/\(layer)/fs", "-type", "f", "-exec", "truncate", "-s", "0", "{}", "+"])
            try Data("1 before-the-machine-started".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(layer)/size"))
        }
        let again = try await bench.build(steps + "RUN cat /f /g > /h\n")
        let cached = again.log.all.filter { if case .stepCached = $0 { true } else { false } }
        #expect(cached.count == 2)
        #expect(try again.text("h") == "contentcontent")
        // What stood there made room, and nothing else was left.
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasSuffix(".lock") }.count == 4)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/builds")).isEmpty)
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

    @Test func collectsWhatWasNotUsedForLongest() async throws {
        let bench = try await Workbench()
        let builder = try bench.builder()
        for number in 1...3 {
            let image = try await builder.build(bench.request("FROM busybox\nRUN echo \(number) > /f\n")) { _ in }
            // While its image is in use nothing is taken from under it.
            #expect(try await builder.collect(StoreLimits(size: 0), now: 1 << 40) == 0)
            #expect(image.layers.count == 2)
        }
        func layers() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/layers"))
                .filter { !$0.hasSuffix(".lock") }
        }
        func blobs() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/content/blobs/sha256"))
                .count
        }
        #expect(try layers().count == 4)
        let now = Int64(Date().timeIntervalSince1970)
        #expect(try await builder.collect(StoreLimits(), now: now) == 0)
        #expect(try layers().count == 4)
        // All but the base were last used long ago.
        let used = try bench.builder()
        for name in try layers() + [] {
            let path = bench.directory.file("state/layers/\(name)")
            guard !FileManager.default.fileExists(atPath: path + "/fs/bin") else { continue }
            try Shell.run(["touch", "-d", "2001-01-01", path])
        }
        #expect(try await used.collect(StoreLimits(), now: now) > 0)
        #expect(try layers().count == 1)
        #expect(try await used.collect(StoreLimits(size: 0), now: now) > 0)
        #expect(try layers().isEmpty)
        #expect(try blobs() == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/steps")).isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/builds")).isEmpty)
        // And everything is made again.
        let again = try await bench.build("FROM busybox\nRUN echo 1 > /f\n")
        #expect(try again.text("f") == "1\n")
    }
}
