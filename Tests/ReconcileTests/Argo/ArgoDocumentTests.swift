import Agent
import AgentFakes
import Foundation
import TestSupport
import Testing

/// The examples of docs/argocd.md: what is shown is what happens.
///
/// A block of YAML whose first line is a comment with a path is a file, a block of `diff` is what becomes of the files above it.
@Suite(.tags(.unit)) struct ArgoDocumentTests {
    struct Example: Sendable, CustomTestStringConvertible {
        var line = 0
        var files: [String: String] = [:]
        var removed: [String] = []
        var added: [String] = []

        var testDescription: String { "docs/argocd.md:\(line)" }
    }

    static let examples: [Example] = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().path
        let text = (try? String(contentsOfFile: "\(root)/docs/argocd.md", encoding: .utf8)) ?? ""
        var (examples, current): ([Example], Example) = ([], Example())
        var (language, block): (String?, [String]) = (nil, [])
        for (number, line) in text.components(separatedBy: "\n").enumerated() {
            if line.hasPrefix("```"), language == nil {
                (language, block) = (String(line.dropFirst(3)), [])
            } else if line == "```" {
                if language == "yaml", let path = block.first, path.hasPrefix("# ") {
                    if current.files.isEmpty { current.line = number + 1 }
                    current.files[String(path.dropFirst(2))] = block.dropFirst().joined(separator: "\n") + "\n"
                } else if language == "diff" {
                    current.removed = block.filter { $0.hasPrefix("-") }.map { String($0.dropFirst()) }
                    current.added = block.filter { $0.hasPrefix("+") }.map { String($0.dropFirst()) }
                    examples.append(current)
                    current = Example()
                }
                language = nil
            } else {
                block.append(line)
            }
        }
        return examples
    }()

    @Test func `the page has examples`() { #expect(Self.examples.count >= 3) }

    @Test(arguments: examples) func `an example gives what the page says`(_ example: Example) async throws {
        let world = try await ArgoCase(name: "example", files: example.files).world()
        let report = await world.cycle()
        let before = example.files.values.joined().components(separatedBy: "\n")
        let after = example.files.keys.compactMap { world.host.text($0) }.joined().components(separatedBy: "\n")
        #expect(Set(before).subtracting(after) == Set(example.removed), "\(ArgoCase.words(of: report))")
        #expect(Set(after).subtracting(before) == Set(example.added), "\(ArgoCase.words(of: report))")
    }
}
