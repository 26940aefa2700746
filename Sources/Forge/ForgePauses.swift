import Glibc
import HTTP
import Synchronization
import Text

/// How long each code host wants to be left alone. One for the process: all repositories at a host share it.
///
/// - `Retry-After` with a refusal (RFC 9110, 10.2.3), and `X-RateLimit-Reset` or `RateLimit-Reset` where nothing is left: until then.
/// - A refusal without either: a minute, then twice as long each time, as GitHub's documentation asks
///   (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
package final class ForgePauses: Sendable {
    private struct Pause {
        /// Seconds since 1970.
        var until: Int64 = 0
        /// Refusals in a row that did not say how long.
        var refusals = 0
    }

    package static let shared = ForgePauses()
    /// Seconds.
    private static let first: Int64 = 60
    private static let longestGuess: Int64 = 3600
    private static let longest: Int64 = 86_400

    private let hosts = Mutex<[String: Pause]>([:])
    private let now: @Sendable () -> Int64

    /// - Parameter now: seconds since 1970.
    package init(now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }) { self.now = now }

    /// Fails without a request while the host wants to be left alone.
    func check(_ url: HTTPURL) throws(ForgeError) {
        let until = hosts.withLock { $0[url.origin]?.until ?? 0 }
        guard now() >= until else { throw Self.error(url, until: until, cause: nil) }
    }

    /// Takes note of an answer.
    ///
    /// - Parameter isRefused: whether the host refused the request because there were too many.
    /// - Returns: the end of the pause that the answer asks for, in seconds since 1970.
    @discardableResult
    func learn(_ head: HTTPHead, isRefused: Bool) -> Int64? {
        let now = now()
        var seconds: Int64?
        if !head.isSuccess, head.status != 304 {
            seconds = RetryAfter.seconds(head.headers, now: now).map { Int64($0) }
        }
        // A moment is told by the host's clock.
        let present = head.headers["Date"].flatMap(UTCDate.seconds(http:)) ?? now
        if let quota = RateLimit(head.headers, now: present), quota.remaining == 0, let reset = quota.reset {
            seconds = max(seconds ?? 0, Int64(reset))
        }
        return hosts.withLock { hosts in
            var pause = hosts[head.url.origin] ?? Pause()
            defer { hosts[head.url.origin] = pause }
            if isRefused, seconds == nil {
                seconds = min(Self.first << min(Int64(pause.refusals), 10), Self.longestGuess)
                pause.refusals += 1
            } else if !isRefused {
                pause.refusals = 0
            }
            guard let seconds, seconds > 0 else { return nil }
            pause.until = max(pause.until, now + min(seconds, Self.longest))
            return pause.until
        }
    }

    /// - Parameter cause: what the host says, when it was asked just now.
    static func error(_ url: HTTPURL, until: Int64, cause: String?) -> ForgeError {
        // The cause goes to the hint: the failure is the same one for as long as the pause lasts, whoever meets it.
        let hint = "a longer 'interval' asks less often"
        return ForgeError(
            .rateLimited, "rate limited until \(UTCDate(secondsSince1970: until).hourAndMinute) UTC",
            place: url.authority,
            hint: cause.map { "the host says '\($0)'; \(hint)" } ?? hint, status: nil)
    }
}
