/// Reads the times that images carry.
package enum CreationTime {
    /// Seconds since 1970 of an RFC 3339 text; fractions of a second are cut off. `nil` when it is none.
    ///
    ///     YYYY-MM-DD ("T" | "t" | " ") HH:MM:SS ["." digits] ("Z" | "z" | ("+" | "-") HH:MM)
    package static func seconds(rfc3339 text: String) -> Int64? {
        let bytes = Array(text.utf8.prefix(64))
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[range] {
                guard isDigit(byte) else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return value
        }
        func has(_ characters: String, at index: Int) -> Bool {
            index < bytes.count && characters.utf8.contains(bytes[index])
        }
        guard let year = number(0..<4), has("-", at: 4), let month = number(5..<7), has("-", at: 7),
            let day = number(8..<10), has("Tt ", at: 10), let hour = number(11..<13), has(":", at: 13),
            let minute = number(14..<16), has(":", at: 16), let second = number(17..<19),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var position = 19
        if has(".", at: position) {
            position += 1
            let start = position
            while position < bytes.count, isDigit(bytes[position]) { position += 1 }
            if position == start { return nil }
        }
        var offset: Int64 = 0
        if has("Zz", at: position) {
            position += 1
        } else if has("+-", at: position), let hours = number(position + 1..<position + 3), has(":", at: position + 3),
            let minutes = number(position + 4..<position + 6), hours < 24, minutes < 60
        {
            offset = (hours * 60 + minutes) * 60 * (bytes[position] == UInt8(ascii: "-") ? -1 : 1)
            position += 6
        } else {
            return nil
        }
        guard position == bytes.count else { return nil }
        return days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset
    }

    /// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted in years that begin in March.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
