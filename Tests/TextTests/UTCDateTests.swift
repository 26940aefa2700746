import TestSupport
import Testing

@testable import Text

@Suite(.tags(.unit)) struct UTCDateTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1_600_000_000, "2020-09-13T12:26:40Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"), (4_102_444_799, "2099-12-31T23:59:59Z"),
            (Int64.max, "9999-12-31T23:59:59Z"), (Int64.min, "0001-01-01T00:00:00Z"),
        ] as [(Int64, String)])
    func `as RFC 3339 writes it`(seconds: Int64, text: String) {
        #expect(UTCDate(secondsSince1970: seconds).rfc3339 == text)
    }

    @Test func `as each protocol writes it`() {
        let date = UTCDate(secondsSince1970: 784_111_777)
        #expect(date.compact == "19941106084937")
        #expect(date.basic == "19941106T084937Z")
        #expect(date.http == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(date.rfc822 == "06 Nov 94 08:49 UTC")
        #expect(date.hourAndMinute == "08:49")
        #expect(UTCDate(secondsSince1970: Int64.min).compact == "00010101000000")
    }

    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777 as Int64?), ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199), ("Tue, 31 Dec 2069 00:00:00 GMT", 3_155_673_600),
        ("", nil), ("120", nil), ("yesterday", nil), (", , , : : GMT", nil),
        ("Sun, 06 Foo 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994 08:49 GMT", nil),
        ("Sun, 99 Nov 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 99999999999999999999 08:49:37 GMT", nil),
        ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("Sun, 06 Nov 1994 08:49:37", nil),
    ])
    func `reads dates of HTTP`(text: String, seconds: Int64?) { #expect(UTCDate.seconds(http: text) == seconds) }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2020-05-23T15:30:04Z", 1_590_247_804),
        ("2020-05-23T15:30:04.123456789Z", 1_590_247_804),
        ("2020-05-23T17:30:04+02:00", 1_590_247_804), ("2020-05-23t10:00:04-05:30", 1_590_247_804),
        ("0001-01-01T00:00:00Z", -62_135_596_800), ("2000-02-29 12:00:00z", 951_825_600), ("1969-12-31T23:59:59Z", -1),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ])
    func `reads RFC 3339`(text: String, seconds: Int64) { #expect(UTCDate.seconds(rfc3339: text) == seconds) }

    @Test(arguments: [
        "", "now", "2020-05-23", "2020-05-23T15:30:04", "2020-13-23T15:30:04Z", "2020-05-23T25:30:04Z",
        "2020-05-23T15:30:04.Z", "2020-05-23T15:30:04+2:00", "2020-05-23T15:30:04Zx", "20200523T153004Z",
        "2020-05-23T15:30:04+", "-020-05-23T15:30:04Z",
        "2020-05-23T15:30:04." + String(repeating: "1", count: 60) + "Z",
    ])
    func `what is not RFC 3339`(text: String) { #expect(UTCDate.seconds(rfc3339: text) == nil) }

    @Test func `what is written is read again`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<10_000 {
            let seconds = Int64.random(in: -62_135_596_800...253_402_300_799, using: &random)
            let date = UTCDate(secondsSince1970: seconds)
            #expect(UTCDate.seconds(rfc3339: date.rfc3339) == seconds)
            // A year of two digits stands for one of our time.
            if date.year > 99 { #expect(UTCDate.seconds(http: date.http) == seconds) }
        }
    }
}
