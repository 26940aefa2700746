import TestSupport
import Testing

@testable import CommandLine

@Suite(.tags(.unit)) struct TerminalTextTests {
    @Test(arguments: [
        ("short", "1.2s", 40, "short 1.2s"), ("a text that is too long", "1.2s", 20, "a text that is… 1.2s"),
        ("exactly", "1.2s", 12, "exactly 1.2s"), ("exactly...", "1.2s", 13, "exactly… 1.2s"),
        ("no room for a time", "123.4s", 10, "no room fo"), ("cut", "", 2, "cu"), ("anything", "1.0s", 0, ""),
        ("ümläut ✓ →", "", 40, "ümläut ✓ →"), ("日本 👍", "", 40, "?? ?"), ("e\u{301}", "", 40, "e?"),
    ])
    func lines(text: String, end: String, width: Int, expected: String) {
        let line = TerminalText.line(text, end: end, width: width)
        #expect(line == expected)
        #expect(line.unicodeScalars.count <= width)
    }

    @Test(arguments: [
        ("\u{1B}[1;31mred\u{1B}[0m", "red"), ("\u{1B}]0;title\u{07}text", "text"),
        ("\u{1B}]8;;http://x\u{1B}\\link\u{1B}]8;;\u{1B}\\", "link"), ("a\tb\rc\u{08}", "a bc"), ("\u{1B}[2Jx", "x"),
        ("\u{1B}(Bx", "x"), ("\u{1B}", ""), ("\u{1B}[", ""), ("\u{1B}]never ends", ""), ("a\u{9B}31mb", "a31mb"),
        ("\u{202E}abc", "abc"), ("日本 👍", "日本 👍"),
    ])
    func `nothing steers the terminal`(text: String, expected: String) {
        #expect(TerminalText.lasting(text) == expected)
    }

    @Test(arguments: [
        ("v1.2", "v1.2"), ("v1\u{1B}[2J", "v1\\u{1b}[2J"), ("v1\nv2", "v1\\nv2"), ("a\r\tb", "a\\r\\tb"),
        ("a\u{9B}31mb", "a\\u{9b}31mb"), ("\u{202E}abc", "\\u{202e}abc"), ("日本 👍", "日本 👍"),
    ])
    func `a name keeps its line, and what steers is shown`(text: String, expected: String) {
        #expect(TerminalText.name(text) == expected)
        #expect(TextTable.lines([[text, "x"]]) == ["\(expected)  x"])
    }
}
