import TestSupport
import Testing

/// What reads a repository's content makes places of registries out of it. The forms that may be files of the machine are made
/// from text where an operator speaks: in commands, and in the agent's configuration.
@Suite(.tags(.unit)) struct TrustTests {
    @Test func `readers of repositories make no wide forms from text`() throws {
        let folders = [
            "Sources/ManifestUpdater/", "Sources/Agent/Discovery/", "Sources/Agent/Reconcile/",
            "Sources/Agent/Workloads/",
            "Sources/Builder/Plan/", "Sources/Builder/Execute/", "Sources/Dockerfile/",
        ]
        var looked = 0
        for file in try SourceTree().files where folders.contains(where: { file.path.hasPrefix($0) }) {
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
