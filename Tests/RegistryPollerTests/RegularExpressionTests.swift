import Diagnostics
import Foundation
import TestSupport
import Testing

@testable import RegistryPoller

/// Rows of a file beside this one.
func golden(_ name: String) throws -> [[String]] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
    return try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        .split(separator: "\n").map { $0.components(separatedBy: "\t") }
}

func unquoted(_ text: String) throws -> String { try JSONDecoder().decode(String.self, from: Data(text.utf8)) }

/// Byte offsets of each group, as Go's `FindStringSubmatchIndex` gives them.
private func offsets(_ expression: RegularExpression, _ text: String) -> String {
    guard let groups = expression.groupRanges(in: text) else { return "-" }
    return groups.map { $0.map { "\($0.lowerBound),\($0.upperBound)" } ?? "-1,-1" }.joined(separator: ",")
}

@Suite(.tags(.unit)) struct RegularExpressionTests {
    /// What Go's `regexp` finds, and what it refuses: 1,400 patterns, some thought of, most made at random.
    @Test func `Go finds the same`() throws {
        var compiled: [String: RegularExpression] = [:]
        var rows = 0
        for row in try golden("regex.tsv") {
            let pattern = try unquoted(row[0])
            rows += 1
            if row[1] == "!" {
                #expect(throws: PolicyError.self, "\(row)") { try RegularExpression(pattern) }
                continue
            }
            do {
                let expression = try compiled[pattern] ?? RegularExpression(pattern)
                compiled[pattern] = expression
                let text = try unquoted(row[1])
                #expect(offsets(expression, text) == row[2], "\(row)")
                #expect(expression.matches(text) == (row[2] != "-"), "\(row)")
            } catch {
                Issue.record("\(row): \(error)")
            }
        }
        #expect(rows > 4_000)
    }

    /// The table and the program find the same, groups included: in Go's rows, whose patterns are bound to the beginning here.
    @Test func `a table finds the same`() throws {
        var tables = 0
        var matches = 0
        for row in try golden("regex.tsv") where row[1] != "!" {
            // An open \Q goes on to the end of the pattern.
            guard let expression = try? RegularExpression("^(?:\(try unquoted(row[0])))"),
                let table = RegexTable(expression.program)
            else { continue }
            defer { table.deallocate() }
            tables += 1
            let text = try unquoted(row[1])
            guard let found = Self.places(table, expression, text) else {
                #expect(text.utf8.contains { $0 >= 128 }, "\(row)")
                continue
            }
            if found != "-" { matches += 1 }
            #expect(found == offsets(expression, text), "\(row)")
        }
        #expect(tables > 500 && matches > 100, "\(tables) tables, \(matches) matches")
    }

    @Test(arguments: [
        ("^main-[a-f0-9]+-(?P<ts>[0-9]+)", "main-0a1b-17x", "0,12,10,12"),
        ("^v(\\d+)\\.(\\d+)(-rc\\d)?$", "v1.20-rc3", "0,9,1,2,3,5,5,9"), ("^(a(b)?)*", "abac", "0,3,2,3,1,2"),
        ("^x(ab)*(c)?", "xababy", "0,5,3,5,-1,-1"), ("^(?:(a)b)*", "abac", "0,2,0,1"), ("^a*?", "aa", "0,0"),
        ("^(a)?b?", "ab", "0,2,0,1"), ("^$", "", "0,0"), ("^x$", "x\n", "-"), ("^(a(b)?)*$", "abac", "-"),
    ])
    func `tables fall back to the last match`(pattern: String, text: String, expected: String) throws {
        let expression = try RegularExpression(pattern)
        let table = try #require(RegexTable(expression.program))
        defer { table.deallocate() }
        #expect(Self.places(table, expression, text) == expected)
        #expect(offsets(expression, text) == expected)
    }

    /// `nil` when the table does not know.
    private static func places(_ table: RegexTable, _ expression: RegularExpression, _ text: String) -> String? {
        let groups = expression.groupNames.count
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: 4 * groups) { memory in
            memory.initialize(repeating: -1)
            let slots = UnsafeMutableBufferPointer(rebasing: memory[..<(2 * groups)])
            let spare = UnsafeMutableBufferPointer(rebasing: memory[(2 * groups)...])
            let (outcome, isMatch) = Array(text.utf8).withUnsafeBufferPointer {
                (table.run($0, slots, spare), table.run($0, nil, spare))
            }
            if outcome == .unknown { return nil }
            #expect(outcome == isMatch)
            if outcome == .none { return "-" }
            return (0..<groups).map { group in
                slots[2 * group] < 0 || slots[2 * group + 1] < 0
                    ? "-1,-1" : "\(slots[2 * group]),\(slots[2 * group + 1])"
            }.joined(separator: ",")
        }
    }

    @Test func `Python finds the same where both speak the same language`() throws {
        let patterns = [
            "^main-[a-f0-9]+-([0-9]+)$", "(a|ab)(c|bcd)(d*)", "(a+)(b+)?", "a*?b", "[^a-c]+", "(?:ab)+", "x{2,3}",
            "(a)|(b)", "\\d+\\.\\d+", "^$", "\\bmain\\b", "(?i)MAIN", "[a-c]{1,2}?", "(a|b)*c", "^(?:v|)(\\d+)",
        ]
        let texts = ["main-0a1b-17", "abcd", "aabb", "aaab", "xxxx", "v12.3", "", "a main b", "bbac", "12", "-", "c.d"]
        let script = """
            import re, sys, json
            for p, t in json.load(sys.stdin):
                m = re.search(p, t, re.ASCII)
                print('-' if m is None else ','.join(f'{a},{b}' for a, b in m.regs))
            """
        let pairs = patterns.flatMap { pattern in texts.map { [pattern, $0] } }
        let output = try Shell.run(
            ["python3", "-c", script], input: Array(try JSONEncoder().encode(pairs))
        ).stdout.split(separator: "\n").map(String.init)
        #expect(output.count == pairs.count)
        for (pair, expected) in zip(pairs, output) {
            #expect(offsets(try RegularExpression(pair[0]), pair[1]) == expected, "\(pair)")
        }
    }

    @Test(arguments: [
        ("a(?=b)", "lookahead", 2), ("(?<!a)b", "lookahead", 1), ("(a)\\1", "backreferences", 4),
        ("(?P=n)", "(?P", 1), ("a++", "repetition", 3), ("(?>a)", "atomic", 1), ("a\\", "ends the pattern", 2),
        ("[z-a]", "backwards", 2), ("(a", "no ')'", 1), ("a)", "without a '('", 2), ("x{1001}", "1000", 2),
        ("\\p{Greek}", "Greek", 1), ("(?P<>x)", "name is missing", 1), ("\\Q\\E*", "nothing before", 5),
    ])
    func `what is refused is explained with its place`(pattern: String, word: String, place: Int) {
        let error = #expect(throws: PolicyError.self) { try RegularExpression(pattern) }
        #expect(error?.cause?.contains(word) == true, "\(error?.description ?? "")")
        #expect(error?.cause?.hasSuffix("(at character \(place))") == true, "\(error?.cause ?? "")")
    }

    /// Engines that go back and forth need longer than the universe has for these.
    @Test(arguments: [
        "(a+)+$", "(a|aa)+$", "(a|a?)+!!$", "(.*)*(.*)*b", "(a*)*b", "([a-z]+)*[A-Z]", "(x+x+)+y", "(.*){20}b",
        "(?:(?:a?){20}){20}b", "((a?){10}){10}a{100}b", "(.?.?.?.?)*b",
    ])
    func `no pattern takes long`(pattern: String) throws {
        let expression = try RegularExpression(pattern)
        let text = String(repeating: "a", count: 1_000) + "!"
        #expect(!expression.matches(text))
        #expect(expression.groups(in: text) == nil)
    }

    @Test func `patterns that are too large are refused`() {
        for pattern in [
            String(repeating: "a", count: 5_000), "((a{30}b{30}){30}c){30}", String(repeating: "(", count: 600),
            String(repeating: "(", count: 501) + String(repeating: ")", count: 501),
        ] {
            #expect(throws: PolicyError.self) { try RegularExpression(pattern) }
        }
    }

    @Test func `many tags together take no more steps than they may`() throws {
        var tags = TagList()
        let tail = String(repeating: "a", count: 120)
        for index in 0..<200 { tags.append("\(tail)\(index)") }
        var policy = PolicySpecification(order: .alphabetical("asc"))
        policy.filter = "(?:(?:a|a?){30}){30}[xy]$"
        let selection = try ImagePolicy(policy).select(from: tags, current: nil)
        #expect(selection.tag == nil)
        #expect(selection.reason.contains("too many steps"))
    }
}

@Suite(.tags(.unit)) struct ExtractionTests {
    @Test func `Go extracts the same`() throws {
        let pattern = "^(?P<branch>[a-z]+)-(\\d+)(?:-(?P<ts>\\d+))?$"
        for row in try golden("expand.tsv") {
            var policy = PolicySpecification(dialect: .flux2, order: .alphabetical("asc"))
            policy.filter = pattern
            policy.extract = try unquoted(row[1])
            let extracted = try ImagePolicy(policy).extracted(from: try unquoted(row[0]))
            #expect(extracted == (try unquoted(row[2])), "\(row)")
        }
    }

    @Test func `a group that is not there is refused in our own dialect`() {
        var policy = PolicySpecification(order: .numerical("asc"))
        policy.filter = "^v(?P<n>[0-9]+)$"
        policy.extract = "$m"
        let error = #expect(throws: PolicyError.self) { try ImagePolicy(policy) }
        #expect(error?.hint == "it has $n")
    }
}
