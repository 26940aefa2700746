/// The forms in which protocols write a date.
extension UTCDate {
    /// `2020-12-31T23:59:59Z` (RFC 3339).
    package var rfc3339: String {
        "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(clock)Z"
    }

    /// `20201231235959`: tags, and what ssh-keygen takes.
    package var compact: String {
        pad(year, 4) + pad(month, 2) + pad(day, 2) + pad(hour, 2) + pad(minute, 2) + pad(second, 2)
    }

    /// `20150830T123600Z`: ISO 8601's basic form, which AWS's Signature Version 4 signs.
    package var basic: String {
        let text = compact
        return "\(text.prefix(8))T\(text.dropFirst(8))Z"
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
    package var http: String {
        let name = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][weekday]
        return "\(name), \(pad(day, 2)) \(Self.months[month - 1]) \(pad(year, 4)) \(clock) GMT"
    }

    /// `31 Dec 20 23:59 UTC` (RFC 822, as Go writes it).
    package var rfc822: String {
        "\(pad(day, 2)) \(Self.months[month - 1]) \(pad(year % 100, 2)) \(hourAndMinute) UTC"
    }

    /// `23:59`.
    package var hourAndMinute: String { "\(pad(hour, 2)):\(pad(minute, 2))" }

    private var clock: String { "\(hourAndMinute):\(pad(second, 2))" }

    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
