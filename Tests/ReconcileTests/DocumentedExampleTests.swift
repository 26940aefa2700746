import Agent
import AgentFakes
import Foundation
import TestSupport
import Testing

/// The examples of the pages for those who come from another tool: what is shown is what happens.
///
/// A block of YAML whose first line is a comment with a path is a file, a block of `diff` is what becomes of the files above it.
@Suite(.tags(.unit)) struct DocumentedExampleTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    struct Example: Sendable, CustomTestStringConvertible {
        let page: String
        let line: Int
        var files: [String: String] = [:]
        var removed: [String] = []
        var added: [String] = []

        var testDescription: String { "\(page):\(line)" }
    }

    private static func examples(of page: String) -> [Example] {
        let text = (try? String(contentsOfFile: "\(root)/docs/\(page)", encoding: .utf8)) ?? ""
        var examples: [Example] = []
        var current = Example(page: page, line: 1)
        var language: String?
        var block: [String] = []
        for (number, line) in text.components(separatedBy: "\n").enumerated() {
            if line.hasPrefix("```"), language == nil {
                language = String(line.dropFirst(3))
                block = []
            } else if line == "```" {
                if language == "yaml", let path = block.first, path.hasPrefix("# ") {
                    if current.files.isEmpty { current = Example(page: page, line: number + 1) }
                    current.files[String(path.dropFirst(2))] = block.dropFirst().joined(separator: "\n") + "\n"
                } else if language == "diff" {
                    current.removed = block.filter { $0.hasPrefix("-") }.map { String($0.dropFirst()) }
                    current.added = block.filter { $0.hasPrefix("+") }.map { String($0.dropFirst()) }
                    examples.append(current)
                    current = Example(page: page, line: number + 1)
                }
                language = nil
            } else {
                block.append(line)
            }
        }
        return examples
    }

    static let pages = ["flux1.md", "flux2.md", "keel.md"]

    @Test(arguments: pages.flatMap(examples)) func `an example gives what its page says`(_ example: Example)
        async throws
    {
        let world = try await World.flux(example.files)
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        let before = example.files.values.joined().components(separatedBy: "\n")
        let after = example.files.keys.compactMap { world.host.text($0) }.joined().components(separatedBy: "\n")
        let (gone, new) = (Set(before).subtracting(after), Set(after).subtracting(before))
        #expect(gone == Set(example.removed))
        #expect(new == Set(example.added))
    }

    @Test(arguments: pages) func `each page has examples`(page: String) { #expect(!Self.examples(of: page).isEmpty) }
}
