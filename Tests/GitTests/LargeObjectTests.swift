import Foundation
import TestSupport
import Testing

@testable import Git

/// Large blobs are read piece by piece: out of packs as git writes them, with deltas of both kinds, and out of files of their own.
@Suite("Large objects", .tags(.integration), .thorough) struct LargeObjectTests {
    let directory: TemporaryDirectory
    let remote: GitRepositoryFixture

    init() throws {
        directory = try TemporaryDirectory("git-large")
        remote = try GitRepositoryFixture(in: directory.path)
    }

    /// Lines that differ from each other and from those of other seeds.
    static func text(bytes: Int, seed: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes + 64)
        var line = 0
        while result.count < bytes {
            result += Array("\(seed) line \(line &* 7919 % 99_991) of a text\n".utf8)
            line += 1
        }
        return Array(result[..<bytes])
    }

    /// Versions of one file, each a change of the last one in some places.
    private func commitVersions(_ count: Int, bytes: Int) throws {
        var content = Self.text(bytes: bytes, seed: 1)
        try remote.checkOut()
        for version in 0..<count {
            for place in stride(from: 1_000 + version, to: content.count - 8, by: 500_000 + version) {
                content.replaceSubrange(place..<place + 4, with: Array("v\(100 + version)".utf8))
            }
            content += Self.text(bytes: 10_000, seed: 50 + version)
            try Data(content).write(to: URL(fileURLWithPath: remote.workTree + "/large"))
            try Data("small \(version)\n".utf8).write(to: URL(fileURLWithPath: remote.workTree + "/small"))
            _ = try remote.commitWorkTree(message: "\(version)", date: 1_700_000_000 + version)
        }
    }

    private func blobs() throws -> [ObjectID] {
        try remote.git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)")
            .split(separator: "\n").filter { $0.hasPrefix("blob ") }.map { try ObjectID(hex: String($0.dropFirst(5))) }
    }

    /// What git says that the blob is, by the hash that it makes of what is given to it.
    private func gitHash(_ bytes: [UInt8]) throws -> String {
        let output = try Shell.run(["git", "hash-object", "--stdin"], input: bytes)
        return output.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    enum Packing: String, CaseIterable { case loose, whole, offsetDeltas, referenceDeltas, deepChains }

    @Test(arguments: Packing.allCases) func `every version comes as git has it`(packing: Packing) throws {
        try commitVersions(packing == .deepChains ? 12 : 6, bytes: 5 << 20)
        switch packing {
        case .loose:
            let packs = try Shell.run(["sh", "-c", "ls \(remote.path)/objects/pack/*.pack"], allowFailure: true)
            for pack in packs.stdout.split(separator: "\n") {
                try Shell.run([
                    "sh", "-c",
                    "mv \(pack) \(directory.path)/p && rm -f \(pack.dropLast(5)).* && git -C \(remote.path) unpack-objects -q < \(directory.path)/p",
                ])
            }
        case .whole: try remote.git("repack", "-q", "-a", "-d", "-f", "--window=0")
        case .offsetDeltas: try remote.git("repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=10")
        case .referenceDeltas:
            try remote.git(
                "-c", "repack.useDeltaBaseOffset=false", "repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=10")
        case .deepChains: try remote.git("repack", "-q", "-a", "-d", "-f", "--depth=4000", "--window=2")
        }
        let reader = try ObjectReader(path: remote.path)
        var pieces = 0
        var large = 0
        for id in try blobs() {
            var content: [UInt8] = []
            let isTaken = try reader.stream(id) { bytes in
                content += bytes
                pieces += 1
                #expect(bytes.count <= 4 << 20)
                return true
            }
            #expect(isTaken)
            #expect(try gitHash(content) == id.description)
            if content.count > 4 << 20 { large += 1 }
        }
        #expect(large == (packing == .deepChains ? 12 : 6))
        #expect(pieces > 10 * large)
        let depth = try remote.git("cat-file", "--batch-all-objects", "--batch-check=%(deltabase)")
            .split(separator: "\n").count { !$0.allSatisfy { $0 == "0" } }
        #expect((depth > 0) == (packing != .loose && packing != .whole))
        #expect(Storage.names(in: remote.path + "/objects").allSatisfy { !$0.hasPrefix(".spool") })
    }

    @Test func `a taker that has enough ends the reading, and a limit holds for what a blob is made from`() throws {
        try commitVersions(3, bytes: 5 << 20)
        try remote.git("repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=10")
        let reader = try ObjectReader(path: remote.path)
        for id in try blobs() where try reader.size(of: id) > 1_000 {
            var pieces = 0
            let isTaken = try reader.stream(id) { _ in
                pieces += 1
                return false
            }
            #expect(!isTaken && pieces == 1)
            let error = #expect(throws: GitError.self) { try reader.stream(id, limit: 5 << 20) { _ in true } }
            #expect(error?.code == .tooLarge)
        }
    }

    /// Whatever is wrong with the files: what comes is right, or an error.
    @Test(arguments: ["pack", "idx", "loose"]) func `damage is an error, never other content`(kind: String) throws {
        try commitVersions(3, bytes: (4 << 20) + 100_000)
        if kind != "loose" { try remote.git("repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=10") }
        let reader = try ObjectReader(path: remote.path)
        let large = try blobs().filter { try reader.size(of: $0) > 4 << 20 }
        #expect(large.count == 3)
        var random = SplitMix(state: 77)
        for round in 0..<60 {
            let id = large[round % large.count]
            let file: String
            if kind == "loose" {
                file = "\(remote.path)/objects/\(id.description.prefix(2))/\(id.description.dropFirst(2))"
                guard FileManager.default.fileExists(atPath: file) else { continue }
            } else {
                let names = Storage.names(in: remote.path + "/objects/pack")
                file = remote.path + "/objects/pack/" + (try #require(names.first { $0.hasSuffix("." + kind) }))
            }
            let sound = try Data(contentsOf: URL(fileURLWithPath: file))
            var damaged = [UInt8](sound)
            switch round % 4 {
            case 0: damaged.removeLast(Int.random(in: 1..<damaged.count, using: &random))
            case 1: for _ in 0..<4 { damaged[Int.random(in: 0..<damaged.count, using: &random)] ^= 0x55 }
            case 2: damaged[Int.random(in: 0..<min(1_200, damaged.count), using: &random)] &+= 1
            default: damaged[damaged.count - 1 - Int.random(in: 20..<200, using: &random)] ^= 0xff
            }
            try Self.replace(file, damaged)
            var content: [UInt8] = []
            let outcome = Result { () throws(GitError) in
                try reader.stream(id) { bytes in
                    content += bytes
                    return true
                }
            }
            switch outcome {
            case .success(let isTaken):
                #expect(isTaken)
                #expect(try gitHash(content) == id.description, "round \(round)")
            case .failure(let error):
                #expect([.corrupt, .notFound, .tooLarge, .invalid].contains(error.code), "\(error)")
            }
            try Self.replace(file, [UInt8](sound))
        }
    }

    private static func replace(_ file: String, _ bytes: [UInt8]) throws {
        try FileManager.default.removeItem(atPath: file)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
    }
}
