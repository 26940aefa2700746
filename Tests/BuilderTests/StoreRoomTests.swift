import Foundation
import OCI
import TestSupport
import Testing

@testable import Builder
@testable import ContentStore

/// What is removed to make room while builds run, and what is not.
@Suite("Room in the store", .tags(.integration)) struct StoreRoomTests {
    private func layers(_ bench: Workbench) throws -> Set<String> {
        Set(
            try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/layers"))
                .filter { !$0.hasSuffix(".lock") })
    }

    private func age(
        _ bench: Workbench, _ folder: String, by seconds: Int = 7_200, where isOld: (String) -> Bool = { _ in true }
    ) throws {
        let path = bench.directory.file("state/" + folder)
        for name in try FileManager.default.contentsOfDirectory(atPath: path)
        where !name.hasSuffix(".lock") && isOld(path + "/" + name) {
            try Shell.run(["touch", "-d", "@\(Int(Date().timeIntervalSince1970) - seconds)", path + "/" + name])
        }
    }

    private static let blobs = "content/blobs/sha256"

    @Test func `while a build's image is in use, what it needs stays and the rest goes`() async throws {
        let bench = try await Workbench()
        let builder = try bench.builder()
        _ = try await builder.build(bench.request("FROM busybox\nRUN echo old > /f\n")) { _ in }
        try age(bench, "layers")
        try age(bench, Self.blobs)
        let old = try layers(bench)
        #expect(old.count == 2)
        // The second build takes the base, and makes another layer.
        let image = try await builder.build(bench.request("FROM busybox\nRUN echo new > /f\n")) { _ in }
        let now = Int64(Date().timeIntervalSince1970)
        #expect(try await builder.collect(StoreLimits(size: 0), now: now) > 0)
        let left = try layers(bench)
        #expect(left.count == 2 && left.intersection(old).count == 1)
        // All of the image is still there to be pushed.
        let location = try ImageLocation("oci:\(bench.directory.file("out")):used")
        _ = try await builder.push(image, to: [location]) { _ in }
        // Its steps are found again; those of the other are made again.
        let log = EventLog()
        _ = try await builder.build(bench.request("FROM busybox\nRUN echo new > /f\n")) { log.append($0) }
        #expect(log.all.contains { if case .stepCached = $0 { true } else { false } })
        withExtendedLifetime(image) {}
    }

    @Test func `another process's build keeps what it uses`() async throws {
        let bench = try await Workbench()
        // As of two processes: each has a lease of its own on the same files.
        let (first, second) = (try bench.builder(), try bench.builder())
        let image = try await first.build(bench.request("FROM busybox\nRUN echo a > /f\n")) { _ in }
        let now = Int64(Date().timeIntervalSince1970)
        #expect(try await second.collect(StoreLimits(size: 0), now: now) == 0)
        #expect(try layers(bench).count == 2)
        #expect(try await LocalCache(of: second).items().allSatisfy(\.isInUse))
        withExtendedLifetime(image) {}
    }

    @Test func `what a killed process left does not keep anything`() async throws {
        let bench = try await Workbench()
        let builder = try bench.builder()
        _ = try await builder.build(bench.request("FROM busybox\nRUN echo a > /f\n")) { _ in }
        // The file stays, the lock does not.
        let dead = bench.directory.file("state/uses/dead")
        try Data().write(to: URL(fileURLWithPath: dead))
        try Shell.run(["touch", "-d", "2001-01-01", dead])
        try age(bench, "layers")
        let use = try builder.store.lease.use()
        let since = try builder.store.lease.usedSince()
        #expect(abs(since + 2 * RecentUse.precision - Int64(Date().timeIntervalSince1970)) < 60)
        #expect(!FileManager.default.fileExists(atPath: dead))
        _ = try await builder.collect(StoreLimits(size: 0), now: Int64(Date().timeIntervalSince1970))
        #expect(try layers(bench).isEmpty)
        withExtendedLifetime(use) {}
    }

    @Test func `a mark that comes before the taking keeps it, and one that comes after finds nothing`() throws {
        let directory = try TemporaryDirectory("recent-use")
        let use = RecentUse(lock: directory.file("lock"))
        let file = directory.file("f")
        #expect(!use.mark(file))
        try Data("x".utf8).write(to: URL(fileURLWithPath: file))
        let old = Date(timeIntervalSinceNow: -3_600)
        for moment in [old, Date(timeIntervalSinceNow: 3_600)] {
            try FileManager.default.setAttributes([.modificationDate: moment], ofItemAtPath: file)
            #expect(use.mark(file))
            let marked = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
            #expect(abs(try #require(marked).timeIntervalSinceNow) < 60)
        }
        // A mark of the last minute is not set again.
        let recent = Date(timeIntervalSinceNow: -20)
        try FileManager.default.setAttributes([.modificationDate: recent], ofItemAtPath: file)
        #expect(use.mark(file))
        let kept = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
        #expect(abs(try #require(kept).timeIntervalSince(recent)) < 1)
        _ = use.withoutMarks { unlink(file) }
        #expect(!use.mark(file))
    }

    @Test func `cache mounts are removed as the least recently used, unless a step has them`() async throws {
        let bench = try await Workbench()
        guard bench.hasOwners else { return }
        let builder = try bench.builder()
        for name in ["a", "b"] {
            _ = try await builder.build(
                bench.request("FROM busybox\nRUN --mount=type=cache,id=\(name),target=/c echo \(name) > /c/f\n")
            ) { _ in }
        }
        let cache = LocalCache(of: builder)
        let mounts = try await cache.items().filter { $0.kind == "cache-mount" }
        #expect(mounts.count == 2 && mounts.allSatisfy { $0.size > 0 && !$0.isInUse })
        let held = try #require(mounts.first).name
        let lock = FileLock.hold(HostPath(bench.directory.file("state/\(held).lock")), blocking: false)
        _ = try await cache.prune(.everything, now: Int64(Date().timeIntervalSince1970))
        #expect(try await cache.items().map(\.name) == [held])
        close(try #require(lock))
        let outcome = try await cache.prune(.everything, now: Int64(Date().timeIntervalSince1970))
        #expect(outcome.count == 1)
        #expect(try await cache.items().isEmpty)
        // And they are made anew.
        let log = EventLog()
        _ = try await builder.build(
            bench.request("FROM busybox\nRUN --mount=type=cache,id=a,target=/c ls /c | wc -l\n")
        ) { log.append($0) }
        #expect(log.output.trimmingCharacters(in: .whitespacesAndNewlines) == "0")
    }

    @Test func `prune goes by age and by size`() async throws {
        let bench = try await Workbench()
        let builder = try bench.builder()
        for number in 1...3 {
            _ = try await builder.build(bench.request("FROM busybox\nRUN echo \(number) > /f\n")) { _ in }
        }
        let cache = LocalCache(of: builder)
        let now = Int64(Date().timeIntervalSince1970)
        #expect(try await cache.prune(.init(olderThan: .seconds(3_600)), now: now).count == 0)
        try age(bench, "layers") { FileManager.default.fileExists(atPath: $0 + "/fs/f") }
        let old = try await cache.prune(.init(olderThan: .seconds(3_600)), now: now)
        #expect(old.count == 3)
        #expect(try layers(bench).count == 1)
        let total = try await cache.items().reduce(0) { $0 + $1.size }
        _ = try await cache.prune(.init(maxSize: total - 1), now: now)
        let left = try await cache.items()
        #expect(left.reduce(0) { $0 + $1.size } < total && !left.isEmpty)
    }

    /// A layer of many small files, and one of many names for a file.
    @Test func `sizes are those of the disk`() async throws {
        let bench = try await Workbench()
        let tree = bench.directory.file("context/tree")
        try Shell.run([
            "sh", "-c", "mkdir '\(tree)' && cd '\(tree)' && for n in $(seq 200); do echo $n > s$n; ln s1 l$n; done",
        ])
        let builder = try bench.builder()
        _ = try await builder.build(bench.request("FROM scratch\nCOPY tree /\n")) { _ in }
        let cache = LocalCache(of: builder)
        func sizes() async throws -> [String: Int64] {
            Dictionary(uniqueKeysWithValues: try await cache.items().map { ($0.name, $0.size) })
        }
        let first = try await sizes()
        for (name, size) in first {
            let told = try Shell.run(["du", "-s", "-B1", bench.directory.file("state/" + name)]).stdout
            #expect(Int64(told.prefix { $0.isNumber }) == size, "\(name)")
        }
        #expect(first.values.contains { $0 >= 200 * 4_096 })
        // Counted once, and the layers are what they were.
        #expect(try await sizes() == first)
        let log = EventLog()
        _ = try await bench.builder().build(bench.request("FROM scratch\nCOPY tree /\n")) { log.append($0) }
        #expect(log.all.contains { if case .stepCached = $0 { true } else { false } })
    }

    @Test func `of notes the newest are kept`() async throws {
        let bench = try await Workbench()
        let builder = try bench.builder()
        _ = try await builder.build(bench.request("FROM busybox\nRUN echo a > /f\n")) { _ in }
        let folder = bench.directory.file("state/records")
        let kept = try FileManager.default.contentsOfDirectory(atPath: folder)
        try Shell.run([
            "sh", "-c",
            "cd '\(folder)' && for n in $(seq 200); do : > old$n; done && touch -d '1 hour ago' old*",
        ])
        _ = try await builder.collect(StoreLimits(size: 4 << 20), now: Int64(Date().timeIntervalSince1970))
        let left = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(left.count == 128)
        #expect(Set(kept).isSubset(of: left))
    }

    /// A disk of its own, so that it can be full.
    @Test func `a full disk makes room by itself, once, and says so`() async throws {
        let bench = try await Workbench()
        guard geteuid() == 0, let disk = try SmallDisk(at: bench.directory.file("disk"), megabytes: 64) else { return }
        let state = disk.path + "/state"
        func builder() throws -> Builder {
            try Builder(stateDirectory: state, registry: bench.registry, report: bench.report)
                .with(limits: StoreLimits(minFree: 0, minFreeInodes: 0))
        }
        try Shell.run([
            "dd", "if=/dev/urandom", "of=\(bench.directory.file("context/large"))", "bs=1M", "count=14", "status=none",
        ])
        var notes = 0
        for number in 0..<6 {
            try bench.write("n", "\(number)")
            let log = EventLog()
            // Layer, and blob: each is as large as the file, and nothing is shared between the rounds.
            try Shell.run([
                "sh", "-c", "printf \(number) >> '\(bench.directory.file("context/large"))'",
            ])
            var request = try bench.request("FROM scratch\nCOPY large n /\n")
            request.compression = .gzip(level: 1)
            _ = try await builder().build(request) { log.append($0) }
            notes += log.all.count { if case .note(let text) = $0 { text.contains("tried once more") } else { false } }
        }
        #expect(notes > 0)
    }

    /// Many small files: bytes are free, and no file can be made.
    @Test func `a disk without inodes makes room by itself, and says what it lacked`() async throws {
        let bench = try await Workbench()
        guard geteuid() == 0,
            let disk = try SmallDisk(at: bench.directory.file("disk"), megabytes: 64, inodes: 1_500)
        else { return }
        func builder() throws -> Builder {
            try Builder(stateDirectory: disk.path + "/state", registry: bench.registry, report: bench.report)
                .with(limits: StoreLimits(minFree: 0, minFreeInodes: 0))
        }
        let tree = bench.directory.file("context/tree")
        let log = EventLog()
        for round in 0..<6 {
            try Shell.run([
                "sh", "-c", "mkdir -p '\(tree)' && cd '\(tree)' && for n in $(seq 400); do echo \(round) > $n; done",
            ])
            _ = try await builder().build(try bench.request("FROM scratch\nCOPY tree /\n")) { log.append($0) }
        }
        let notes = log.all.compactMap { event -> String? in
            if case .note(let text) = event, text.contains("tried once more") { text } else { nil }
        }
        #expect(!notes.isEmpty)
        #expect(notes.allSatisfy { $0.contains("all inodes are used") }, "\(notes)")
        // What is larger than the disk cannot be helped, and the remedy is told.
        try Shell.run(["sh", "-c", "cd '\(tree)' && for n in $(seq 2000); do echo x > $n; done"])
        let error = await #expect(throws: BuildError.self) {
            _ = try await builder().build(try bench.request("FROM scratch\nCOPY tree /\n")) { _ in }
        }
        #expect(error?.cause?.contains("all inodes are used") == true, "\(String(describing: error))")
        #expect(error?.hint?.contains("more inodes") == true)
    }
}
