import TestSupport
import Testing
import Text

/// What programs print, as it is shown.
@Suite(.tags(.unit)) struct TerminalLineTests {
    @Test(arguments: [
        // A carriage return goes back over the line, as apt, curl and pip print their progress.
        (
            "(Reading database ... \r(Reading database ... 5%\r(Reading database ... 100%\n",
            ["(Reading database ... 100%"]
        ),
        ("12345\rab\n", ["ab345"]), ("12345\r\u{1B}[Kab\n", ["ab"]), ("12345\u{1B}[2K\rab\n", ["ab"]),
        ("12345\u{1B}[1G\u{1B}[0Kab\n", ["ab"]), ("abc\u{8}d\n", ["abd"]), ("abc\u{1B}[2Dx\n", ["axc"]),
        // The end of a line as Windows has it is one.
        ("one\r\ntwo\r\n", ["one", "two"]), ("one\n\ntwo\n", ["one", "", "two"]),
        // Nothing else steers the terminal.
        ("\u{1B}[31mred\u{1B}[0m\n", ["red"]), ("\u{1B}]0;title\u{7}text\n", ["text"]),
        ("\u{1B}]8;;http://x\u{1B}\\link\u{1B}]8;;\u{1B}\\\n", ["link"]), ("\u{1B}[2J\u{1B}(Bx\u{7}\n", ["x"]),
        ("\u{1B}]never ends\nnext\n", ["", "next"]), ("\u{202E}abc\n", ["\u{FFFD}abc"]), ("a\tb\n", ["a\tb"]),
        ("日本 👍\n", ["日本 👍"]),
    ])
    func `lines as a terminal shows them`(text: String, expected: [String]) {
        // Output comes in pieces that end anywhere, in the middle of a character too.
        for size in [1, 2, 7, 1_000] {
            var line = TerminalLine()
            var lines: [String] = []
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                lines += line.take(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(lines == expected, "in pieces of \(size)")
            #expect(line.isEmpty)
        }
    }

    @Test(arguments: [
        ("\u{1B}[31mred\u{1B}[0m\n", ["\u{1B}[31mred\u{1B}[0m"]), ("\u{1B}[31mred\n", ["\u{1B}[31mred\u{1B}[0m"]),
        // What holds goes on in the next line, and with what comes on top.
        (
            "\u{1B}[1mbold\nstill\u{1B}[32m green\u{1B}[m no\n",
            ["\u{1B}[1mbold\u{1B}[0m", "\u{1B}[1mstill\u{1B}[0m\u{1B}[1m\u{1B}[32m green\u{1B}[0m no"]
        ),
        ("\u{1B}[38;5;196mx\u{1B}[0;32my\n", ["\u{1B}[38;5;196mx\u{1B}[0m\u{1B}[0;32my\u{1B}[0m"]),
        // What is overwritten takes its colour along.
        ("\u{1B}[31m10%\r\u{1B}[32m99%\u{1B}[0m\n", ["\u{1B}[31m\u{1B}[32m99%\u{1B}[0m"]),
        // No sequence but a plain one of colours comes out.
        ("\u{1B}[?25lx\u{1B}[>4my\u{1B}[2Jz\n", ["xyz"]), ("plain\n", ["plain"]),
    ])
    func `colours are kept where there is a terminal`(text: String, expected: [String]) {
        var line = TerminalLine(keepsColours: true)
        #expect(line.take(Array(text.utf8)) == expected)
    }

    @Test func `a long line goes on in the next, and nothing grows without end`() {
        var line = TerminalLine(limit: 10)
        #expect(line.take(Array("0123456789abcdefghijxyz\n".utf8)) == ["0123456789", "abcdefghij", "xyz"])
        for number in 0..<10_000 { #expect(line.take(Array("\r\u{1B}[\(number)m\(number)".utf8)) == []) }
        #expect(line.end() == "9999")
    }
}
