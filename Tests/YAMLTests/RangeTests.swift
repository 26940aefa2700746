import TestSupport
import Testing
import YAML

/// Every node's range holds exactly its own bytes, whatever stands before it.
@Suite(.tags(.unit))
struct RangeTests {
    private func bytes(_ node: YAMLNode?, _ text: String) -> String? {
        node.map { String(decoding: Array(text.utf8)[$0.range], as: UTF8.self) }
    }

    @Test(arguments: ["", "\u{FEFF}", "# é 漢 😀\n", "\u{FEFF}# é\n"])
    func scalars(_ prefix: String) throws {
        for text in [
            "plain: one two # c", "plain: 'it''s'", "plain: \"a\\u00e9b\"", "plain: é漢😀", "plain: |-\n  é\n  b\n",
            "plain: >+2\n   x\n\n", "plain: &a one", "plain: !!str &a 'x'", "plain: &a !!str 'x'", "plain: &a\n  one",
            "plain: !<tag:yaml.org,2002:str> one", "plain: ! one", "plain: &a # comment é\n  one", "plain:", "plain: ~",
            "plain: [a, {b: c}]", "plain: {a: [b]}  ",
        ] {
            for lineBreak in ["\n", "\r\n"] {
                let text = (prefix + "before: {é: [漢, \"😀\"]}\n" + text).replacing("\n", with: lineBreak)
                let root = try #require(try YAMLStream.parse(Array(text.utf8)).first?.root)
                let value = try #require(root["plain"])
                let raw = try #require(bytes(value, text))
                switch value.content {
                case .scalar(_, .plain): #expect(raw == value.text, "\(text)")
                case .scalar(_, .singleQuoted): #expect(raw.hasPrefix("'") && raw.hasSuffix("'"), "\(text)")
                case .scalar(_, .doubleQuoted): #expect(raw.hasPrefix("\"") && raw.hasSuffix("\""), "\(text)")
                case .scalar(_, .literal): #expect(raw.hasPrefix("|"), "\(text)")
                case .scalar(_, .folded): #expect(raw.hasPrefix(">"), "\(text)")
                case .sequence: #expect(raw == "[a, {b: c}]")
                case .mapping: #expect(raw == "{a: [b]}")
                case .alias: Issue.record("no alias here")
                }
                #expect(bytes(root["before"], text) == "{é: [漢, \"😀\"]}")
            }
        }
    }

    @Test func collectionsEndWithTheirLastChild() throws {
        let text = "a:\n  - b\n  - c: d   # x\n\n# y\ne: f\n"
        let root = try #require(try YAMLStream.parse(Array(text.utf8)).first?.root)
        #expect(bytes(root["a"], text) == "- b\n  - c: d")
        #expect(bytes(root, text) == "a:\n  - b\n  - c: d   # x\n\n# y\ne: f")
    }

    @Test func aliasesKeepTheirOwnPlace() throws {
        let text = "é: &x [1]\nb: *x\n"
        let root = try #require(try YAMLStream.parse(Array(text.utf8)).first?.root)
        let alias = try #require(root["b"])
        #expect(alias.isAlias && alias.anchor == "x")
        #expect(bytes(alias, text) == "*x")
        #expect(bytes(alias.resolved, text) == "[1]")
        #expect(alias.resolved == root["é"])
    }

    @Test func anchorsMayBeDefinedAgain() throws {
        let root = try #require(try YAMLStream.parse(Array("a: &x 1\nb: *x\nc: &x 2\nd: *x\n".utf8)).first?.root)
        #expect(root["b"]?.text == "1")
        #expect(root["d"]?.text == "2")
    }

    @Test func documentsAreCounted() throws {
        func roots(_ text: String) throws -> [String?] {
            try YAMLStream.parse(Array(text.utf8)).map { $0.root?.text }
        }
        #expect(try roots("") == [])
        #expect(try roots("# only a comment\n") == [])
        #expect(try roots("\u{FEFF}") == [])
        #expect(try roots("---\n---\n--- a\n...\n--- b\n") == [nil, nil, "a", "b"])
        #expect(try roots("--- ''\n--- ~\n--- !!str\n") == ["", "~", ""])
    }

    @Test func mergeKeysAreFollowed() throws {
        let text =
            "d: &d {a: 1, b: 2}\ne: &e {b: 3, c: 4}\nx: {<<: [*d, *e], c: 5}\ny:\n  <<: *d\n  a: 9\nz: {'<<': *d}\n"
        let root = try #require(try YAMLStream.parse(Array(text.utf8)).first?.root)
        let x = try #require(root["x"])
        #expect(["a", "b", "c", "d"].map { x[$0]?.text } == ["1", "2", "5", nil])
        #expect(x.mergedPairs.map(\.key.text) == ["c", "a", "b"])
        #expect(root["y"]?["a"]?.text == "9")
        #expect(root["z"]?["a"] == nil, "a quoted << is an ordinary key")
    }
}
