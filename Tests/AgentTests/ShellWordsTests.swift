import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct ShellWordsTests {
    @Test(arguments: [
        ("a  b\tc", ["a", "b", "c"]), ("'a b' \"c d\"e", ["a b", "c de"]), ("a\\ b", ["a b"]), ("'' x", ["", "x"]),
        ("a \\\n  b", ["a", "b"]), ("a\nb", ["a", ";", "b"]), ("a\r\nb", ["a", ";", "b"]),
        ("a&&b||c|d;e&", ["a", "&&", "b", "||", "c", "|", "d", ";", "e", "&"]), ("a # b\nc", ["a", ";", "c"]),
        ("a#b", ["a#b"]), ("'a\\b' \"a\\b\\\"\"", ["a\\b", "a\\b\""]), ("\"unclosed", ["unclosed"]), ("a\\", ["a"]),
        ("", []),
        ("'a'\\''b'", ["a'b"]), ("\"a\\\nb\"", ["ab"]),
    ])
    func `words and operators`(text: String, expected: [String]) {
        #expect(ShellWords.split(text).map(\.text) == expected)
        #expect(ShellWords.split(text).allSatisfy { $0.expansion == nil })
    }

    @Test(arguments: [
        ("$TAG", "v1", nil), ("${TAG}", "v1", nil), ("\"x-$TAG-y\"", "x-v1-y", nil), ("'$TAG'", "$TAG", nil),
        ("\\$TAG", "$TAG", nil), ("\"\\$TAG\"", "$TAG", nil), ("$", "$", nil), ("a$/b", "a$/b", nil),
        ("\"$ \"", "$ ", nil),
        ("$NONE", "$NONE", "$NONE"), ("${NONE}x", "${NONE}x", "$NONE"), ("${TAG:-x}", "${TAG:-x}", "${…}"),
        ("$1", "$1", "$1"), ("$?", "$?", "$?"), ("$(date)", "$(date)", "$(…)"), ("`date`", "`date`", "`…`"),
        ("\"$(date)\"", "$(date)", "$(…)"), ("'$(date)'", "$(date)", nil), ("$TAGS", "$TAGS", "$TAGS"),
        ("$WORDS", "$WORDS", "$WORDS"), ("\"$WORDS\"", "a b", nil), ("$EMPTY", "$EMPTY", "$EMPTY"),
        ("\"$EMPTY\"", "", nil),
    ])
    func `expansions`(text: String, expected: String, expansion: String?) {
        let known = ["TAG": "v1", "WORDS": "a b", "EMPTY": ""]
        let words = ShellWords.split(text) { known[$0] }
        #expect(words == [ShellWord(text: expected, expansion: expansion)])
    }
}
