import Foundation
import TestSupport
import Testing

/// The state directory, or the manifests, on a disk without a free byte: every command says so, and goes on where it was
/// when there is space again.
@Suite(.tags(.endToEnd)) struct FullDiskTests {
    @Test func `a full state directory loses no update`() throws {
        let loop = try GitLoop("full-disk")
        try loop.standard()
        guard let disk = try SmallDisk(at: loop.scratch.file("state"), megabytes: 16) else { return }
        let old = try loop.repository.head()
        try disk.fill()
        let first = try loop.sync(allowFailure: true)
        #expect(first.status == 1 && first.stderr.contains("No space left on device"), "\(first)")
        try disk.free()
        try loop.sync()
        #expect(try loop.log("main", "%s").first == "Auto-release multiple (2) images")
        // Everything is known; now the commit itself does not fit.
        try loop.publish("acme/web", ["1.2.0"])
        try disk.fill()
        let head = try loop.repository.head()
        #expect(head != old)
        let second = try loop.sync(allowFailure: true)
        #expect(second.status == 1 && second.stderr.contains("No space left on device"), "\(second)")
        #expect(try loop.repository.head() == head)
        try disk.free()
        try loop.sync()
        #expect(try loop.log("main", "%s").first == "Auto-release acme/web:1.2.0")
        #expect(try loop.sync().stdout.contains("nothing to do"))
        try loop.repository.checkIntegrity()
        let mirrors = try Shell.run(["find", disk.path + "/git", "-name", "HEAD", "-maxdepth", "2"]).stdout
        let mirror = try #require(mirrors.split(separator: "\n").first)
        try Shell.run([
            "git", "-C", (String(mirror) as NSString).deletingLastPathComponent, "fsck", "--strict", "--full",
            "--no-dangling",
        ])
        let remains = try Shell.run(["find", disk.path, "-name", "*.tmp"]).stdout
        #expect(remains == "")
    }

    /// Files that are copied first, one that is copied and compressed at the same time, and many that several threads copy.
    @Test(arguments: [
        (2, 12, "cannot write the layer", "free space there"), (1, 12, "cannot write the", "the state directory"),
        (600, 12, "cannot write the layer", "free space there"), (600, 24, "cannot write the file", "free space there"),
    ])
    func `a layer that does not fit leaves nothing`(
        _ files: Int, _ megabytes: Int, _ failure: String, _ hint: String
    ) throws {
        let scratch = try TemporaryDirectory("full-layer")
        guard let disk = try SmallDisk(at: scratch.file("state"), megabytes: 16) else { return }
        try Shell.run(["mkdir", "-p", scratch.file("context/folder")])
        // 12 MB fit as files, and not once more as a layer.
        for number in 1...files {
            let file = scratch.file("context/folder") + "/data\(number)"
            try Shell.run(["sh", "-c", "head -c \(megabytes * 1_000_000 / files) /dev/urandom > '\(file)'"])
        }
        try Data("FROM scratch\nCOPY folder /folder\n".utf8).write(
            to: URL(fileURLWithPath: scratch.file("context/Dockerfile")))
        func build() throws -> Shell.Output {
            try Shell.run(
                [
                    try Loop.binary, "build", "--context", scratch.file("context"), "--state-dir", disk.path,
                    "--no-push",
                ], allowFailure: true)
        }
        let failed = try build()
        #expect(failed.status == 1 && failed.stderr.contains(failure), "\(failed)")
        #expect(failed.stderr.contains("No space left on device") && failed.stderr.contains(hint), "\(failed)")
        #expect(try Shell.run(["find", disk.path, "-name", ".ingest-*"]).stdout == "")
        #expect(try Shell.run(["find", disk.path + "/builds", "-mindepth", "1"]).stdout == "")
        try disk.grow(toMegabytes: 64)
        let whole = try build()
        #expect(whole.status == 0, "\(whole)")
    }

    @Test func `manifests on a full disk stay as they are`() throws {
        let scratch = try TemporaryDirectory("full-update")
        guard let disk = try SmallDisk(at: scratch.file("deploy"), megabytes: 1) else { return }
        let text = GitLoop.deployment("web", image: "acme/web:1.0.0")
        try Data(text.utf8).write(to: URL(fileURLWithPath: disk.path + "/web.yaml"))
        try disk.fill()
        func update(_ tag: String) throws -> Shell.Output {
            try Shell.run(
                [
                    try Loop.binary, "update", disk.path, "--workload", "shop:deployment/web", "--image",
                    "acme/web:\(tag)",
                ], allowFailure: true)
        }
        let longer = try update("1.10.0-rc.1")
        #expect(longer.status == 1 && longer.stderr.contains("No space left on device"), "\(longer)")
        func now() throws -> String { try String(contentsOfFile: disk.path + "/web.yaml", encoding: .utf8) }
        #expect(try now() == text)
        #expect(try Shell.run(["ls", "-A", disk.path]).stdout == "filler\nweb.yaml\n")
        // A change that moves nothing needs no space.
        #expect(try update("1.1.0").status == 0)
        try disk.free()
        #expect(try update("1.10.0-rc.1").status == 0)
        #expect(try now() == text.replacingOccurrences(of: "web:1.0.0", with: "web:1.10.0-rc.1"))
    }
}
