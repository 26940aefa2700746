import Glibc
import Text

/// `Retry-After`: RFC 9110, 10.2.3.
package enum RetryAfter {
    private static let longest = 7 * 86_400

    /// Seconds from now, for a number of seconds or for a date; a date is read by the server's own clock where it says its
    /// time, because clocks differ.
    package static func seconds(_ headers: HTTPHeaders, now: Int64 = Int64(time(nil))) -> Int? {
        guard let text = headers["Retry-After"] else { return nil }
        if let seconds = Int(text) { return seconds >= 0 ? min(seconds, longest) : nil }
        guard let date = UTCDate.seconds(http: text) else { return nil }
        let present = headers["Date"].flatMap(UTCDate.seconds(http:)) ?? now
        return Int(min(max(date - present, 0), Int64(longest)))
    }
}

/// What is left of a quota, in whichever of its spellings.
package struct RateLimit: Hashable, Sendable {
    package var limit: Int?
    package var remaining: Int
    /// Seconds until the quota is renewed.
    package var reset: Int?

    package var isLow: Bool { remaining <= 10 || limit.map { remaining <= $0 / 10 } ?? false }

    package init?(_ headers: HTTPHeaders, now: Int64 = Int64(time(nil))) {
        func number(_ name: String) -> Int? {
            let text = headers["RateLimit-\(name)"] ?? headers["X-RateLimit-\(name)"]
            return text.flatMap { Int($0.prefix { $0 != ";" && $0 != "," && $0 != " " }) }
        }
        // `limit=100, remaining=50, reset=30`, or `"default";r=50;t=30`.
        var fields: [String: Int] = [:]
        for part in (headers["RateLimit"] ?? "").split(whereSeparator: { $0 == "," || $0 == ";" }).prefix(32) {
            let pair = part.split(separator: "=").map { $0.filter { $0 != " " } }
            if pair.count == 2 { fields[pair[0].lowercased()] = Int(pair[1]) }
        }
        let left = number("Remaining") ?? fields["remaining"] ?? fields["r"]
        guard let left, left >= 0 else { return nil }
        remaining = left
        limit = number("Limit") ?? fields["limit"] ?? fields["q"]
        let renewal = number("Reset") ?? fields["reset"] ?? fields["t"]
        reset = renewal.flatMap { value in
            // Some give the moment instead of the seconds.
            let seconds = value > 1_000_000_000 ? value - Int(now) : value
            return (0...86_400).contains(seconds) ? seconds : nil
        }
    }
}
