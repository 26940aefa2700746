internal import Glibc

/// A moment in UTC by the civil calendar (proleptic Gregorian), to the second.
///
/// The arithmetic is glibc's (`gmtime_r`, `timegm`); nothing else in the project turns seconds into dates or back.
package struct UTCDate: Sendable, Equatable {
    /// 1 to 9999.
    package let year: Int
    /// 1 to 12.
    package let month: Int
    package let day: Int
    package let hour: Int
    package let minute: Int
    package let second: Int
    /// Days since Sunday.
    package let weekday: Int

    /// - Parameter seconds: clamped to the years 1 to 9999, since commits and archives can carry any number.
    package init(secondsSince1970 seconds: Int64) {
        var moment = time_t(min(max(seconds, Self.first), Self.last))
        var civil = tm()
        gmtime_r(&moment, &civil)
        year = Int(civil.tm_year) + 1900
        month = Int(civil.tm_mon) + 1
        day = Int(civil.tm_mday)
        hour = Int(civil.tm_hour)
        minute = Int(civil.tm_min)
        second = Int(civil.tm_sec)
        weekday = Int(civil.tm_wday)
    }

    /// 0001-01-01T00:00:00Z.
    private static let first: Int64 = -62_135_596_800
    /// 9999-12-31T23:59:59Z.
    private static let last: Int64 = 253_402_300_799

    /// Seconds since 1970 of a date and a time of day, as texts give them.
    ///
    /// - Returns: `nil` where a part is out of its range. A day that the month does not have is one of the next month, and a
    ///   leap second the next minute's first, as in C.
    static func seconds(_ date: (year: Int, month: Int, day: Int), _ time: (hour: Int, minute: Int, second: Int))
        -> Int64?
    {
        guard (0...9999).contains(date.year), (1...12).contains(date.month), (1...31).contains(date.day),
            (0...23).contains(time.hour), (0...59).contains(time.minute), (0...60).contains(time.second)
        else { return nil }
        var civil = tm()
        civil.tm_year = Int32(date.year - 1900)
        civil.tm_mon = Int32(date.month - 1)
        civil.tm_mday = Int32(date.day)
        civil.tm_hour = Int32(time.hour)
        civil.tm_min = Int32(time.minute)
        civil.tm_sec = Int32(time.second)
        return Int64(timegm(&civil))
    }
}
