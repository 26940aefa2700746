/// The forms in which protocols give a date, as seconds since 1970.
extension UTCDate {
    /// A date of HTTP (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`, and the two obsolete forms.
    package static func seconds(http text: String) -> Int64? {
        guard text.utf8.count <= 64 else { return nil }
        let words = text.lowercased().split { $0 == " " || $0 == "," || $0 == "-" }.map(String.init)
        // Weekday, then day month year time (GMT), or month day time year.
        guard words.count >= 5 else { return nil }
        if let month = month(words[2]) {
            guard words.count == 6, words[5] == "gmt" else { return nil }
            return seconds(month, day: words[1], year: words[3], time: words[4])
        }
        if let month = month(words[1]) { return seconds(month, day: words[2], year: words[4], time: words[3]) }
        return nil
    }

    private static func month(_ name: String) -> Int? {
        months.firstIndex { $0.lowercased() == name }.map { $0 + 1 }
    }

    private static func seconds(_ month: Int, day: String, year: String, time: String) -> Int64? {
        let clock = time.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
        guard let day = Int(day), var year = Int(year), clock.count == 3 else { return nil }
        if (0..<70).contains(year) { year += 2000 } else if (70..<100).contains(year) { year += 1900 }
        return seconds((year, month, day), (clock[0], clock[1], clock[2]))
    }

    /// An RFC 3339 text; fractions of a second are cut off.
    ///
    ///     YYYY-MM-DD ("T" | "t" | " ") HH:MM:SS ["." digits] ("Z" | "z" | ("+" | "-") HH:MM)
    package static func seconds(rfc3339 text: String) -> Int64? {
        var rest = Array(text.utf8.prefix(65))[...]
        guard rest.count <= 64, let year = number(4, &rest), take("-", &rest), let month = number(2, &rest),
            take("-", &rest), let day = number(2, &rest), take("Tt ", &rest), let hour = number(2, &rest),
            take(":", &rest), let minute = number(2, &rest), take(":", &rest), let second = number(2, &rest)
        else { return nil }
        if take(".", &rest) {
            guard number(1, &rest) != nil else { return nil }
            while number(1, &rest) != nil {}
        }
        guard let offset = offset(&rest), rest.isEmpty,
            let seconds = seconds((year, month, day), (hour, minute, second))
        else { return nil }
        return seconds - offset
    }

    /// `Z`, or the seconds by which a local time is before UTC.
    private static func offset(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        if take("Zz", &rest) { return 0 }
        let isWest = rest.first == UInt8(ascii: "-")
        guard take("+-", &rest), let hours = number(2, &rest), take(":", &rest), let minutes = number(2, &rest),
            hours < 24, minutes < 60
        else { return nil }
        return Int64((hours * 60 + minutes) * 60 * (isWest ? -1 : 1))
    }

    /// Exactly so many digits.
    private static func number(_ count: Int, _ rest: inout ArraySlice<UInt8>) -> Int? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        rest = rest.dropFirst(count)
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func take(_ characters: StaticString, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard let byte = rest.first, characters.withUTF8Buffer({ $0.contains(byte) }) else { return false }
        rest = rest.dropFirst()
        return true
    }
}
