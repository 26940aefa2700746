import TestSupport
import Testing
import YAML

@Suite(.tags(.unit))
struct PlainScalarTests {
    @Test(
        arguments: """
            20240101 1e5 0e123456 1.10 0123 on y null 2024-01-01 5 0 -1 +1 1_000 0x1F 0o17 0b101 0b1_0 1. .5 1.e3 12e4567 1E5
            1:30 190:20:30 190:20:30.15 .inf -.INF .nan ~ Null NULL yes No OFF True FALSE n N Y << = 2024-1-2 2024-01-01T10:00:00Z
            685_230.15 -.5 00 08
            """.split(whereSeparator: \.isWhitespace).map(String.init))
    func otherTypes(_ text: String) {
        #expect(!PlainScalar.isString(text))
        #expect(!PlainScalar.isSafe(text))
    }

    @Test(
        arguments: """
            v1 1.2.3 latest 1.2-rc1 20240101-abc 7f3c9a1 main-1 1e5x _1 a.b 2024-01-01-1 acme/web:v1 reg:5000/a/b:1.0 0xg 1e 1:99:x
            yess trueish nulls 2024-1 1.2.3.4 sha256:abc a=b x~ 1a 12-3 1__x .well-known web:1.10
            """.split(whereSeparator: \.isWhitespace).map(String.init))
    func strings(_ text: String) {
        #expect(PlainScalar.isString(text))
        #expect(PlainScalar.isSafe(text))
    }

    @Test(arguments: [
        "", "-", "- a", "a: b", "a #b", "#a", "a:", "[a]", "{a}", "a,b", "'a", "\"a", "&a", "*a", "!a", "%a", "@a",
        "`a", "|", ">", "?", ":", "---", "...", "a b", "é", "a\n",
    ])
    func whatNeedsQuotesForOtherReasons(_ text: String) { #expect(!PlainScalar.isSafe(text)) }
}
