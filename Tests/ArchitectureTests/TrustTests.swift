import TestSupport
import Testing

/// What reads a repository's content makes places of registries out of it. The forms that may be files of the machine are made
/// from text where an operator speaks: in commands, and in the agent's configuration.
@Suite(.tags(.unit)) struct TrustTests {
    @Test func `readers of repositories make no wide forms from text`() throws {
        let folders = [
            "Sources/ManifestUpdater/", "Sources/Agent/Discover/", "Sources/Agent/Make/", "Sources/Agent/Select/",
            "Sources/Agent/Publish/", "Sources/Agent/Workloads/",
            "Sources/Builder/Plan/", "Sources/Builder/Stage/", "Sources/Builder/Steps/", "Sources/Builder/Execute/",
            "Sources/Dockerfile/",
        ]
        // Opens what a build's caller named: a place of the machine only where an operator wrote it.
        let apart = "Sources/Builder/Plan/PlanContexts.swift"
        var looked = 0
        for file in try SourceTree().files
        where file.path != apart && folders.contains(where: { file.path.hasPrefix($0) }) {
            looked += 1
            for (number, line) in SourceTree.code(file) {
                for type in ["ImageLocation", "RepositoryLocation", "NamedContext", "DirectoryContext"] {
                    // Made from a parsed, narrow value: `ImageLocation(reference)`, `RepositoryLocation($0.repository)`.
                    for call in Self.calls(of: type, in: line) where !Self.isNarrow(call) {
                        Issue.record("\(file.path):\(number): '\(type)(\(call)…' reads text that a repository wrote")
                    }
                }
            }
        }
        #expect(looked > 50)
    }

    /// What writes to git, and where: everything else goes through these.
    @Test func `commits are made and pushed in one place each`() throws {
        let allowed: [String: Set<String>] = [
            "createCommit(": ["Publish/CommitBuilder.swift"],
            "expecting:": ["Publish/Publisher.swift", "Publish/ProposalBranches.swift"],
            ".pushNote(": ["Publish/ProposalBranches.swift"],
            "TrustedHead(commit:": ["Publish/TrustedHead.swift"],
            "ProposedCommit(id:": ["Publish/CommitBuilder.swift"],
        ]
        // The seam itself hands on to the mirror.
        let apart = ["Remote/GitRemote.swift", "Remote/MirrorRemote.swift"]
        var seen: [String: Set<String>] = [:]
        for file in try SourceTree().files
        where ["Agent", "CommandLine", "Server"].contains(file.module)
            && !apart.contains(where: { file.path.hasPrefix("Sources/Agent/\($0)") })
        {
            for (number, line) in SourceTree.code(file) {
                for (call, places) in allowed where line.contains(call) && !line.contains("func ") {
                    let place = String(file.path.dropFirst("Sources/Agent/".count))
                    #expect(places.contains(place), "\(file.path):\(number): \(line)")
                    if places.contains(place) { seen[call, default: []].insert(place) }
                }
            }
        }
        #expect(seen == allowed)
    }

    private static func calls(of type: String, in line: Substring) -> [Substring] {
        var calls: [Substring] = []
        var rest = line
        while let range = rest.firstRange(of: type + "(") {
            let before = rest[..<range.lowerBound].last
            if before.map({ !$0.isLetter }) ?? true { calls.append(rest[range.upperBound...].prefix(60)) }
            rest = rest[range.upperBound...]
        }
        return calls
    }

    private static func isNarrow(_ argument: Substring) -> Bool {
        ["repository:", "reference)", "image)", "$0)", "$0.repository)", "try Reference("].contains {
            argument.hasPrefix($0)
        }
            || argument.allSatisfy(\.isWhitespace)
    }
}
