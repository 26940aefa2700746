import Foundation
import TestSupport
import Testing

/// `slipway cache`: what builds keep, and its end.
@Suite("The cache command", .tags(.endToEnd)) struct CacheCommandTests {
    private struct Listing: Decodable {
        struct Item: Decodable {
            let kind: String
            let name: String
            let size: Int64
            let lastUsed: String
            let inUse: Bool
        }
        let items: [Item]
        let size: Int64
    }

    private struct Removed: Decodable {
        let removed: Int
        let bytes: Int64
    }

    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("cache-command") }

    private func slipway(_ arguments: String..., failing: Bool = false) throws -> Shell.Output {
        let output = try Shell.run(
            [try Loop.binary] + arguments + ["--state-dir", scratch.file("state")], in: scratch.path, allowFailure: true
        )
        #expect((output.status != 0) == failing, "\(output.stderr)")
        return output
    }

    private func list() throws -> Listing {
        try JSONDecoder().decode(
            Listing.self, from: Data(try slipway("cache", "list", "--output", "json").stdout.utf8))
    }

    @Test func `what a build keeps is listed, and removed as it is asked for`() throws {
        #expect(try list().items.isEmpty)
        try Data("FROM scratch\nCOPY f /\nCOPY f /g\n".utf8).write(to: URL(fileURLWithPath: scratch.file("Dockerfile")))
        try Data(repeating: 0x61, count: 100_000).write(to: URL(fileURLWithPath: scratch.file("f")))
        _ = try slipway("build", "--context", ".", "--no-push")
        let listing = try list()
        #expect(Set(listing.items.map(\.kind)).isSuperset(of: ["layer", "blob"]))
        #expect(listing.items.allSatisfy { !$0.inUse && $0.lastUsed.hasSuffix("Z") })
        #expect(listing.size == listing.items.reduce(0) { $0 + $1.size } && listing.size > 100_000)
        for item in listing.items {
            #expect(FileManager.default.fileExists(atPath: scratch.file("state/" + item.name)))
        }
        let text = try slipway("cache", "list").stdout.split(separator: "\n")
        #expect(text.first?.hasPrefix("KIND") == true && text.count == listing.items.count + 2)

        #expect(try slipway("cache", "prune", "--older-than", "1h").stdout.hasPrefix("removed 0 items"))
        for wrong in [[], ["--all", "--older-than", "1h"], ["--older-than", "soon"], ["--max-size", "much"]] {
            let output = try Shell.run([try Loop.binary, "cache", "prune"] + wrong, allowFailure: true)
            #expect(output.status == 64)
        }
        let half = try slipway("cache", "prune", "--max-size", "100k", "--output", "json").stdout
        let removed = try JSONDecoder().decode(Removed.self, from: Data(half.utf8))
        let rest = try list()
        #expect(removed.removed > 0 && rest.items.count == listing.items.count - removed.removed)
        #expect(rest.size <= 100 << 10 && rest.size == listing.size - removed.bytes)
        _ = try slipway("cache", "prune", "--all")
        #expect(try list().items.isEmpty)
        // And all is made again.
        _ = try slipway("build", "--context", ".", "--no-push")
        #expect(try list().items.count == listing.items.count)
    }

    private func writeContext(_ round: Int) throws {
        let steps = (0..<8).map { "COPY f\($0) /f\($0)\n" }.joined()
        try Data("FROM scratch\n\(steps)".utf8).write(to: URL(fileURLWithPath: scratch.file("Dockerfile")))
        for number in 0..<8 {
            let text = String(repeating: "\(round) \(number) ", count: 2_000)
            try Data(text.utf8).write(to: URL(fileURLWithPath: scratch.file("f\(number)")))
        }
    }

    @Test func `a prune that is killed leaves nothing that a build trusts`() throws {
        try writeContext(0)
        let expected = try slipway("build", "--context", ".", "--no-push", "--reproducible").stdout
        for milliseconds in stride(from: 10, through: 115, by: 15) {
            _ = try Shell.run(
                [
                    "timeout", "-s", "KILL", "0.\(String(format: "%03d", milliseconds))", try Loop.binary, "cache",
                    "prune", "--all", "--state-dir", scratch.file("state"),
                ], allowFailure: true)
            let built = try slipway("build", "--context", ".", "--no-push", "--reproducible")
            #expect(built.stdout == expected, "killed after \(milliseconds) ms: \(built.stderr)")
        }
        _ = try slipway("cache", "prune", "--all")
        #expect(try list().items.isEmpty)
        #expect(
            try Shell.run(["sh", "-c", "ls -A \(scratch.file("state"))/builds* \(scratch.file("state"))/uses"])
                .stdout.split(separator: "\n").allSatisfy { $0.hasSuffix(":") })
    }

    @Test func `builds do not notice those who prune beside them`() async throws {
        let flag = scratch.file("done")
        let binary = try Loop.binary
        let state = scratch.file("state")
        let pruning = Task.detached {
            try Shell.run(
                [
                    "sh", "-c",
                    "while [ ! -e '\(flag)' ]; do '\(binary)' cache prune --all --state-dir '\(state)' || exit 1; done",
                ],
                allowFailure: true)
        }
        for round in 0..<6 {
            try writeContext(round)
            for _ in 0..<2 {
                let built = try slipway(
                    "build", "--context", ".", "--oci-layout-path", scratch.file("out"), "--no-push")
                #expect(built.status == 0, "\(built.stderr)")
            }
        }
        try Data().write(to: URL(fileURLWithPath: flag))
        let pruned = try await pruning.value
        #expect(pruned.status == 0, "\(pruned.stderr)")
    }
}
