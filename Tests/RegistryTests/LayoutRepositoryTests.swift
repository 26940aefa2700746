import ContentStore
import Diagnostics
import OCI
import TestSupport
import Testing

@testable import Registry

@Suite(.tags(.integration)) struct LayoutRepositoryTests {
    @Test func anUnnamedImageIsTheDefault() async throws {
        let fixture = try await RepositoryFixture(.layout)
        let repository = LayoutRepository(path: fixture.scratch.file("layout"))
        let digest = try await fixture.push("only", to: repository, tag: nil)
        #expect(try await repository.defaultManifest()?.digest == digest)
        #expect(try await repository.manifest(.tag("latest")) == nil)
        #expect(try await repository.tags() == [])
        try await fixture.push("only", to: repository, tag: "v1")
        #expect(try await repository.defaultManifest()?.digest == digest)
        try await fixture.push("second", to: repository, tag: "v2")
        let error = await #expect(throws: RegistryError.self) { _ = try await repository.defaultManifest() }
        #expect(error?.code == .ambiguous)
        #expect(error?.cause == "its tags are v1, v2")
        let latest = try await fixture.push("third", to: repository, tag: "latest")
        #expect(try await repository.defaultManifest()?.digest == latest)
    }

    @Test func nothingAppearsOnReadingAndNothingForeignOnWriting() async throws {
        let fixture = try await RepositoryFixture(.layout)
        let path = fixture.scratch.file("layout")
        let repository = LayoutRepository(path: path)
        #expect(try await repository.tags() == [])
        #expect(try Shell.run(["test", "-e", path], allowFailure: true).status == 1)
        try await fixture.push("x", to: repository, tag: "v1")
        let entries = try Shell.run(["ls", "-A", path]).stdout.split(separator: "\n")
        #expect(entries == ["blobs", "index.json", "oci-layout"])
    }

    @Test func umociAndBuildahReadIt() async throws {
        let fixture = try await RepositoryFixture(.layout)
        let repository = LayoutRepository(path: fixture.scratch.file("layout"))
        try await fixture.push("content", to: repository, tag: "v1")
        try Shell.run([
            "umoci", "unpack", "--rootless", "--image", "\(repository.path):v1", fixture.scratch.file("bundle"),
        ])
        #expect(try Shell.run(["cat", fixture.scratch.file("bundle/rootfs/file")]).stdout == "content")
        // What umoci writes is read: a new tag, and an image of its own making.
        try Shell.run(["umoci", "tag", "--image", "\(repository.path):v1", "v2"])
        try Shell.run(["umoci", "new", "--image", "\(repository.path):blank"])
        #expect(try await repository.tags() == ["blank", "v1", "v2"])
        #expect(try await repository.resolve(tag: "blank", digest: nil, .host)?.manifest.layers.isEmpty == true)
    }

    @Test func fullNamesCountAsTags() async throws {
        let fixture = try await RepositoryFixture(.layout)
        let repository = LayoutRepository(path: fixture.scratch.file("layout"))
        let digest = try await fixture.push("x", to: repository, tag: "v1")
        let index = "\(repository.path)/index.json"
        try Shell.run(["sed", "-i", "s|\"v1\"|\"docker.io/library/app:v9\"|", index])
        #expect(try await repository.tags() == ["v9"])
        #expect(try await repository.digest(ofTag: "v9") == digest)
    }

    @Test func damageIsReportedAndNotRepaired() async throws {
        let fixture = try await RepositoryFixture(.layout)
        let repository = LayoutRepository(path: fixture.scratch.file("layout"))
        let digest = try await fixture.push("x", to: repository, tag: "v1")
        let blob = "\(repository.path)/blobs/sha256/\(digest.encoded)"
        try Shell.run(["sh", "-c", "echo >> '\(blob)'"])
        let damaged = await #expect(throws: RegistryError.self) { _ = try await repository.manifest(.tag("v1")) }
        #expect(damaged?.code == .digestMismatch)
        try Shell.run(["rm", blob])
        let missing = await #expect(throws: RegistryError.self) { _ = try await repository.manifest(.tag("v1")) }
        #expect(missing?.code == .notFound)
        try Shell.run(["sh", "-c", "echo '{' > index.json"], in: repository.path)
        let broken = await #expect(throws: RegistryError.self) { _ = try await repository.tags() }
        #expect(broken?.code == .invalidContent)
        await #expect(throws: RegistryError.self) { try await fixture.push("y", to: repository, tag: "v2") }
        #expect(try Shell.run(["cat", "\(repository.path)/index.json"]).stdout == "{\n")
    }

    @Test func foreignEntriesSurviveAPush() async throws {
        let fixture = try await RepositoryFixture(.layout)
        let repository = LayoutRepository(path: fixture.scratch.file("layout"))
        try await fixture.push("x", to: repository, tag: "v1")
        let index = "\(repository.path)/index.json"
        try Shell.run([
            "sed", "-i", "s|\"org.opencontainers.image.ref.name\":\"v1\"|&,\"com.example.note\":\"kept\"|", index,
        ])
        try await fixture.push("y", to: repository, tag: "v2")
        #expect(try Shell.run(["cat", index]).stdout.contains(#""com.example.note":"kept""#))
    }

    /// Processes, not only tasks, exclude each other: flock on the directory.
    @Test func anotherProcessIsWaitedFor() async throws {
        let fixture = try await RepositoryFixture(.layout)
        let repository = LayoutRepository(path: fixture.scratch.file("layout"))
        try await fixture.push("x", to: repository, tag: "v1")
        let (done, seen) = (fixture.scratch.file("done"), fixture.scratch.file("seen"))
        let holder = try Server(
            [
                "flock", repository.path, "sh", "-c",
                "echo held; while [ ! -e '\(done)' ]; do sleep 0.02; done; cat '\(repository.path)/index.json' > '\(seen)'",
            ],
            log: fixture.scratch.file("log"))
        try await waitUntil("the lock is held") { holder.log.contains("held") }
        let push = Task { try await fixture.push("y", to: repository, tag: "v2") }
        #expect(try await repository.tags() == ["v1"], "reading waits for nobody")
        try Shell.run(["touch", done])
        _ = try await push.value
        #expect(try await repository.tags() == ["v1", "v2"])
        // While the lock was held, nothing was written.
        let index = try Shell.run(["cat", seen]).stdout
        #expect(index.contains(#""v1""#) && !index.contains(#""v2""#))
        holder.stop()
    }
}
