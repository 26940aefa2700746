/// How often and after which pause a call that is safe to repeat is repeated.
package struct RetryPolicy: Sendable, Hashable {
    package var attempts = 5
    /// The first pause; each further one may be twice as long, up to `longest`, and a random part of it is waited.
    package var pause = Duration.milliseconds(250)
    package var longest = Duration.seconds(10)
    /// Seconds: a registry that asks for more is not waited for.
    package var longestRetryAfter = 60

    package init() {}

    func run<Value>(
        _ operation: () async throws(RegistryError) -> Value
    ) async throws(RegistryError) -> Value {
        var attempt = 1
        while true {
            let failure: RegistryError
            do {
                return try await operation()
            } catch {
                failure = error
            }
            // Wrong bytes may have come by a bad connection, which is worth one more attempt.
            let mayPass = failure.isTransient || (failure.code == .digestMismatch && attempt == 1)
            guard mayPass, attempt < attempts, let delay = delay(after: attempt, failure) else { throw failure }
            do {
                try await Task.sleep(for: delay)
            } catch {
                throw RegistryError(.cancelled, "the call was cancelled", place: failure.place)
            }
            attempt += 1
        }
    }

    /// `nil`: longer than is worth waiting.
    func delay(after attempt: Int, _ failure: RegistryError) -> Duration? {
        if let seconds = failure.retryAfter {
            guard seconds <= longestRetryAfter else { return nil }
            // Those who were sent away together do not come back together.
            return .seconds(seconds) + .milliseconds(Int.random(in: 0...500))
        }
        let most = min(longest, pause * (1 << min(attempt - 1, 16)))
        return most / 2 + (most / 2) * Double.random(in: 0...1)
    }
}
