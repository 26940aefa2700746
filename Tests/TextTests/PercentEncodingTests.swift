import TestSupport
import Testing

@testable import Text

@Suite(.tags(.unit)) struct PercentEncodingTests {
    @Test(arguments: [
        ("", ""), ("shop-1.2_3~", "shop-1.2_3~"), ("a/b", "a%2Fb"), ("ä ö", "%C3%A4%20%C3%B6"), ("100%", "100%25"),
        ("a+b&c=d?e#f", "a%2Bb%26c%3Dd%3Fe%23f"), ("\u{0}\n", "%00%0A"),
    ])
    func `encodes what is not unreserved, and reads it again`(text: String, encoded: String) {
        #expect(PercentEncoding.encode(text) == encoded)
        #expect(PercentEncoding.decode(encoded) == text)
    }

    @Test func `other characters stay where the place allows them`() {
        #expect(PercentEncoding.encode("a/b:c", keeping: { $0 != UInt8(ascii: ":") }) == "a/b%3Ac")
        #expect(PercentEncoding.form([("a", "1 2"), ("b&", "")]) == "a=1%202&b%26=")
    }

    @Test func `digits of both cases are read`() { #expect(PercentEncoding.decode("%c3%A4") == "ä") }

    @Test(arguments: ["%", "%2", "%zz", "%-1", "%+1", "%ff", "%c3"])
    func `what is no encoded text is refused`(_ text: String) { #expect(PercentEncoding.decode(text) == nil) }
}
