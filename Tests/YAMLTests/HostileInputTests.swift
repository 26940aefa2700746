import Diagnostics
import TestSupport
import Testing
import YAML

/// Whatever the bytes are: an answer or an error, never a trap, at bounded cost.
@Suite(.tags(.unit))
struct HostileInputTests {
    private func failure(_ bytes: [UInt8], limits: YAMLLimits = .standard) -> YAMLError? {
        #expect(throws: YAMLError.self) { try YAMLStream.parse(bytes, file: "f.yaml", limits: limits) }
    }

    private func failure(_ text: String) -> YAMLError? { failure(Array(text.utf8)) }

    @Test func errorsNameTheirPlace() throws {
        let error = try #require(failure("é: 1\nb: [漢, :\n  c: }\n"))
        #expect(error.code == .syntax)
        #expect(error.location == SourceLocation(file: "f.yaml", line: 2, column: 10))
        #expect(error.description.hasPrefix("f.yaml:2:10: not YAML: "))
        #expect(error.excerpt?.contains("^") == true)
    }

    @Test func aTabIsExplained() throws {
        let error = try #require(failure("a:\n\tb: c\n"))
        #expect(error.location == SourceLocation(file: "f.yaml", line: 2, column: 1))
        #expect(error.hint?.contains("tab") == true)
    }

    @Test func linesWithSecretsAreNotShown() throws {
        let error = try #require(failure("a: 1\npassword: hunter2: x\n"))
        #expect(error.location?.line == 2)
        #expect(!error.description.contains("hunter2"))
    }

    @Test func otherEncodingsAreRefused() throws {
        for bytes: [UInt8] in [[0xFF, 0xFE, 0x61, 0x00], [0xFE, 0xFF, 0x00, 0x61]] {
            let error = try #require(failure(bytes))
            #expect(error.code == .encoding)
            #expect(error.summary.contains("UTF-16"))
        }
        #expect(failure([0x61, 0x00, 0x3A, 0x00])?.code == .encoding)
    }

    @Test(
        arguments: [
            [0x61, 0x3A, 0x20, 0xFF], [0x61, 0x3A, 0x20, 0xC3], [0x61, 0x3A, 0x20, 0xC0, 0x80],
            [0x61, 0x3A, 0x20, 0xED, 0xA0, 0x80],
            [0x61, 0x3A, 0x20, 0xF8, 0x88, 0x80, 0x80, 0x80], [0x61, 0x3A, 0x20, 0x80], [0x61, 0x3A, 0x20, 0x00],
            [0x61, 0x3A, 0x20, 0x07],
        ] as [[UInt8]])
    func invalidBytesAreRefused(_ bytes: [UInt8]) throws {
        let error = try #require(failure(bytes))
        #expect(error.code == .encoding)
        #expect(error.location == SourceLocation(file: "f.yaml", line: 1, column: 4))
        // Behind a byte order mark and a line the place is right, too.
        let later = try #require(failure([0xEF, 0xBB, 0xBF, 0x23, 0xC3, 0xA9, 0x0A] + bytes))
        #expect(later.location == SourceLocation(file: "f.yaml", line: 2, column: 4))
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "{? "])
    func depthIsBounded(_ opening: String) throws {
        let error = try #require(failure(String(repeating: opening, count: 100_000)))
        #expect(error.code == .limit || error.code == .syntax)
    }

    /// A handle of three letters may stand for a tag of any length.
    @Test func tagsAreBounded() throws {
        let prefix = String(repeating: "x", count: 100_000)
        let text = "%TAG !e! tag:\(prefix)\n---\n" + String(repeating: "- !e!a b\n", count: 10_000)
        let error = try #require(failure(text))
        #expect(error.code == .limit && error.summary.contains("tags"))
    }

    @Test func depthIsExact() throws {
        let limits = YAMLLimits(depth: 4)
        #expect(throws: Never.self) { try YAMLStream.parse(Array("[[[a]]]".utf8), limits: limits) }
        #expect(failure(Array("[[[[a]]]]".utf8), limits: limits)?.code == .limit)
        #expect(failure(Array("a: &a [[x]]\nb: [[*a]]\n".utf8), limits: limits)?.code == .limit)
    }

    @Test func sizeAndCountsAreBounded() throws {
        #expect(failure(Array("abcdefgh".utf8), limits: YAMLLimits(size: 7))?.code == .limit)
        #expect(failure(Array("[a, b, c, d]".utf8), limits: YAMLLimits(nodes: 4))?.code == .limit)
        #expect(failure(Array("[&a b, *a, *a, *a]".utf8), limits: YAMLLimits(aliases: 2))?.code == .limit)
        let million = "{" + String(repeating: "a,", count: 1_000_000) + "}"
        #expect(failure(million)?.code == .limit)
    }

    @Test func aliasBombsAreRefused() throws {
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<12 {
            bomb +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
                + "]\n"
        }
        let error = try #require(failure(bomb))
        #expect(error.code == .limit)
        #expect(error.summary.contains("aliases"))
    }

    @Test func anAliasChainIsBoundedToo() throws {
        var chain = "a0: &a0 x\n"
        for level in 1..<1000 { chain += "a\(level): &a\(level) [*a\(level - 1)]\n" }
        #expect(failure(chain)?.code == .limit)
    }

    @Test func brokenAliasesAreRefused() throws {
        #expect(failure("a: *b\n")?.code == .alias)
        #expect(failure("a: &a [*a]\n")?.code == .alias)
        #expect(failure("a: &a x\nb: &a [*a]\n")?.code == .alias)
        #expect(failure("--- &a x\n--- *a\n")?.code == .alias)
    }

    /// Random bytes, and random pieces of YAML: the parser answers, and every range lies within the text.
    @Test func anythingIsAnswered() throws {
        var generator = SplitMix(state: 7)
        let pieces = [
            "a", ": ", "- ", "\n", "  ", "[", "]", "{", "}", ",", "&x ", "*x", "!!str ", "'", "\"", "|", ">-", "#",
            "\\", "é", "😀",
            "\r\n", "\t", "---\n", "...\n", "? ", "%YAML 1.1\n", "<<", "\u{FEFF}", "\u{2028}", "\u{85}", "~",
        ]
        var parsed = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 0..<24, using: &generator)
            var bytes = (0..<count).flatMap { _ in Array(pieces.randomElement(using: &generator, default: "").utf8) }
            if Int.random(in: 0..<4, using: &generator) == 0, !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            guard let documents = try? YAMLStream.parse(bytes) else { continue }
            parsed += 1
            for document in documents { if let root = document.root { check(root, within: 0..<bytes.count) } }
        }
        #expect(parsed > 1000)
    }

    private func check(_ node: YAMLNode, within range: Range<Int>) {
        #expect(range.lowerBound <= node.range.lowerBound && node.range.upperBound <= range.upperBound)
        switch node.content {
        case .scalar, .alias: break
        case .sequence(let items, _): for item in items { check(item, within: range) }
        case .mapping(let pairs, _):
            for pair in pairs {
                check(pair.key, within: range)
                check(pair.value, within: range)
            }
        }
    }
}

extension Array {
    func randomElement(using generator: inout SplitMix, default value: Element) -> Element {
        isEmpty ? value : self[Int.random(in: 0..<count, using: &generator)]
    }
}
