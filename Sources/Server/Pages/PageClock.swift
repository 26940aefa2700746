import Text

/// Times as pages tell them: relative to the moment of the page, with the exact time behind each.
struct PageClock: Sendable {
    /// In seconds since 1970.
    let now: Int64

    /// `41 s`, `41 min`, `26 h`, `6 d`.
    static func length(_ seconds: Int64) -> String {
        switch seconds {
        case ..<60: "\(max(seconds, 0)) s"
        case ..<3_600: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3_600) h"
        default: "\(seconds / 86_400) d"
        }
    }

    /// `0.3 s`, `41 s`, `1 min 12 s`.
    static func duration(_ seconds: Double) -> String {
        if seconds < 10 {
            let tenths = Int((max(seconds, 0) * 10).rounded())
            return "\(tenths / 10).\(tenths % 10) s"
        }
        let whole = Int(min(seconds, 1e9).rounded())
        return whole < 60 ? "\(whole) s" : "\(whole / 60) min \(whole % 60) s"
    }

    /// `2 h ago`, `in 3 min`.
    func moment(_ time: Int64) -> HTML {
        element(time, time > now ? "in \(Self.length(time - now))" : "\(Self.length(now - time)) ago")
    }

    /// `for 41 min`.
    func since(_ time: Int64) -> HTML { HTML("for ") + element(time, Self.length(now - time)) }

    private func element(_ time: Int64, _ text: String) -> HTML {
        let date = UTCDate(secondsSince1970: time)
        let exact = date.rfc3339
        return Tag.time(
            .datetime(exact), .title("\(exact.prefix(10)) \(exact.dropFirst(11).prefix(8)) UTC")
        ) { text }
    }
}
