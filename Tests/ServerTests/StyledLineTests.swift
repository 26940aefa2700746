import TestSupport
import Testing

@testable import Server

/// Colours of logs (SGR, ECMA-48 section 8.3.117) as classes of the style sheet.
@Suite(.tags(.unit)) struct StyledLineTests {
    private static let e = "\u{1b}["

    @Test(arguments: [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\(e)31mred\(e)0m and not", "<span class=\"a1\">red</span> and not"),
        ("\(e)1;32mgood\(e)m.", "<span class=\"a2 ab\">good</span>."),
        ("\(e)1m\(e)33mboth\(e)22mone", "<span class=\"a3 ab\">both</span><span class=\"a3\">one</span>"),
        ("\(e)3;4mx\(e)23my\(e)24mz", "<span class=\"ai au\">x</span><span class=\"au\">y</span>z"),
        // Bright colours are the plain ones, and bright black is grey.
        ("\(e)90mgrey\(e)39m \(e)91mred", "<span class=\"a8\">grey</span> <span class=\"a1\">red</span>"),
        // 256 colours: the first sixteen, the cube, the greys.
        ("\(e)38;5;4mb", "<span class=\"a4\">b</span>"), ("\(e)38;5;9mr", "<span class=\"a1\">r</span>"),
        ("\(e)38;5;196mr", "<span class=\"a1\">r</span>"), ("\(e)38;5;46mg", "<span class=\"a2\">g</span>"),
        ("\(e)38;5;240mg", "<span class=\"a8\">g</span>"), ("\(e)38;5;255mw", "<span class=\"a7\">w</span>"),
        // True colours, with semicolons and with colons.
        ("\(e)38;2;20;200;210mc", "<span class=\"a6\">c</span>"), ("\(e)38:2:120:0:0mr", "<span class=\"a1\">r</span>"),
        ("\(e)38;2;200;40;200mm", "<span class=\"a5\">m</span>"),
        // A background is not shown, nor taken for a colour of the text.
        ("\(e)48;5;31mx", "x"), ("\(e)41mx", "x"), ("\(e)48;2;31;32;33;1mx", "<span class=\"ab\">x</span>"),
        // What is cut off, senseless or meant for something else.
        ("\(e)38;5mx", "x"), ("\(e)38;2;1mx", "x"), ("\(e)38;5;999mx", "x"), ("\(e)999999999999999999999mx", "x"),
        ("\(e)31", ""), ("a\(e)2Kb", "ab"), ("\u{1b}]0;title\u{7}x", "x"),
        ("\(e)31m<script>\(e)0m", "<span class=\"a1\">&lt;script&gt;</span>"),
        // What follows the last carriage return is what a terminal would show.
        ("10 %\r\(e)32m100 %", "<span class=\"a2\">100 %</span>"), ("bell\u{7}", "bell\u{FFFD}"),
    ])
    func `a line as it is shown`(_ line: String, _ html: String) {
        #expect(String(decoding: StyledLine(line).html.bytes, as: UTF8.self) == html)
    }

    @Test func `a long line ends with how much is missing`() {
        let line = StyledLine("\(Self.e)31m" + String(repeating: "x", count: 2_345), limit: 2_000)
        #expect(line.missing == 345 && line.text.count == 2_000)
        #expect(String(decoding: line.html.bytes, as: UTF8.self).hasSuffix("</span> … 345 more"))
    }
}
