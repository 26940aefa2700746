import TestSupport
import Testing

@testable import Text

@Suite(.tags(.unit)) struct PrintableTextTests {
    @Test(arguments: [
        ("", ""), ("v1.2 ä 漢 👍", "v1.2 ä 漢 👍"), ("a\u{1b}[31mb", "a\u{FFFD}[31mb"), ("a\nb\tc", "a\u{FFFD}b\u{FFFD}c"),
        ("\u{7f}\u{9b}31m", "\u{FFFD}\u{FFFD}31m"), ("a\u{202e}b", "a\u{FFFD}b"), ("a\u{2028}b", "a\u{FFFD}b"),
        ("\u{feff}x\u{ad}", "\u{FFFD}x\u{FFFD}"),
    ])
    func `neither steers a terminal nor breaks the line`(text: String, shown: String) {
        #expect(printable(text) == shown)
    }

    @Test func `is cut`() {
        #expect(printable("abcdef", limit: 6) == "abcdef")
        #expect(printable("abcdefg", limit: 6) == "abcdef…")
        #expect(printable(String(repeating: "x", count: 1_000_000)).unicodeScalars.count == 301)
    }
}
