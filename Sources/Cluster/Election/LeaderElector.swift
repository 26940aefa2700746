/// Takes a Lease, and keeps it, as client-go's `leaderelection` does.
///
/// A candidate believes no clock but its own: a Lease is free when it has not changed for as long as it says, counted from when this
/// process saw it change. https://pkg.go.dev/k8s.io/client-go/tools/leaderelection
package actor LeaderElector {
    private let lease: any LeaseKeeping
    private let candidate: LeaseCandidate
    private let timing: ElectionTiming
    private let clock: any ElectionClock
    private let random: @Sendable () -> Double
    private let tell: @Sendable (ElectionNews) -> Void
    /// The Lease as it was seen last, and since when its content is that.
    private var seen: (lease: Lease, since: Duration)?

    /// - Parameters:
    ///   - random: 0 to 1, for the jitter.
    ///   - tell: what was found, with each attempt.
    package init(
        _ lease: any LeaseKeeping, candidate: LeaseCandidate, timing: ElectionTiming,
        clock: any ElectionClock = SystemElectionClock(),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
        tell: @escaping @Sendable (ElectionNews) -> Void = { _ in }
    ) {
        self.lease = lease
        self.candidate = candidate
        self.timing = timing
        self.clock = clock
        self.random = random
        self.tell = tell
    }

    /// Waits for its turn.
    ///
    /// - Returns: `nil` when the task was cancelled.
    package func acquire() async -> LeadershipTerm? {
        while !Task.isCancelled {
            if let sent = await attempt() { return LeadershipTerm(timing, since: sent, clock: clock) }
            let pause = timing.retryPeriod * (1 + random() * (ElectionTiming.jitter - 1))
            do { try await clock.sleep(for: pause) } catch { break }
        }
        return nil
    }

    /// Renews the Lease, until it is lost or the task is cancelled.
    ///
    /// - Returns: why it was lost; `nil` when the task was cancelled.
    package func keep(_ term: LeadershipTerm) async -> ElectionLoss? {
        var failure: ClusterError?
        while true {
            let pause = min(timing.retryPeriod, max(term.remaining, .zero))
            do { try await clock.sleep(for: pause) } catch { return nil }
            guard term.remaining > .zero else { return lost(term, .notRenewed(failure)) }
            // A server that does not answer must not make this late.
            let renewal = await before(term.remaining) { await self.renew(term) }
            if Task.isCancelled { return nil }
            switch renewal {
            case nil: return lost(term, .notRenewed(failure))
            case .renewed: failure = nil
            case .taken(let holder): return lost(term, .taken(by: holder))
            case .failed(let error): failure = error
            }
        }
    }

    private func lost(_ term: LeadershipTerm, _ loss: ElectionLoss) -> ElectionLoss {
        term.end()
        return loss
    }

    /// Looks who leads, without wanting to.
    package func observe() async { _ = try? await look() }

    /// Gives the Lease back, once nothing is written any more.
    ///
    /// - Returns: whether another one may lead at once.
    package func release() async -> Bool {
        // Twice, because a renewal that was under way may have come in between.
        for _ in 0..<2 {
            do throws(ClusterError) {
                guard let current = seen?.lease, current.holder == candidate.identity else { return false }
                note(try await lease.replace(current.released(at: clock.microseconds)))
                return true
            } catch {
                guard error.code == .conflict, (try? await look()) != nil else { return false }
            }
        }
        return false
    }

    // MARK: Attempts

    private enum Renewal: Sendable {
        case renewed
        case taken(by: String?)
        case failed(ClusterError)
    }

    private func renew(_ term: LeadershipTerm) async -> Renewal {
        do throws(ClusterError) {
            guard let current = seen?.lease, current.holder == candidate.identity else {
                // What the last attempt came to is not known.
                guard let found = try await look(), found.holder == candidate.identity else {
                    return .taken(by: seen?.lease.holder)
                }
                term.renewed(at: try await take(found))
                return .renewed
            }
            term.renewed(at: try await take(current))
            return .renewed
        } catch {
            guard error.code == .conflict else { return fail(error) }
        }
        // Somebody wrote to it: a person, who changes nothing, or one who took it.
        do throws(ClusterError) {
            guard let found = try await look(), found.holder == candidate.identity else {
                return .taken(by: seen?.lease.holder)
            }
            term.renewed(at: try await take(found))
            return .renewed
        } catch {
            return fail(error)
        }
    }

    private func fail(_ error: ClusterError) -> Renewal {
        tell(.failed(error))
        return .failed(error)
    }

    /// One attempt to lead.
    ///
    /// - Returns: when the request was sent that took the Lease.
    private func attempt() async -> Duration? {
        do throws(ClusterError) {
            guard let found = try await look() else {
                let sent = clock.uptime
                note(try await lease.create(held(lease.blank)))
                return sent
            }
            guard isFree(found) else { return nil }
            return try await take(found)
        } catch {
            // Another one was faster: the next attempt sees it.
            if error.code != .conflict { tell(.failed(error)) }
            return nil
        }
    }

    private func isFree(_ found: Lease) -> Bool {
        guard let holder = found.holder, holder != candidate.identity, let seen else { return true }
        return clock.uptime >= seen.since + (found.duration ?? timing.leaseDuration)
    }

    private func look() async throws(ClusterError) -> Lease? {
        guard let found = try await lease.read() else {
            seen = nil
            tell(.seen(nil))
            return nil
        }
        note(found)
        return found
    }

    /// - Returns: when the request was sent.
    private func take(_ found: Lease) async throws(ClusterError) -> Duration {
        let sent = clock.uptime
        note(try await lease.replace(held(found)))
        return sent
    }

    private func held(_ lease: Lease) -> Lease {
        lease.held(by: candidate, for: timing.leaseDuration, at: clock.microseconds)
    }

    private func note(_ found: Lease) {
        let isSame = seen.map { $0.lease.spec == found.spec } ?? false
        seen = (found, isSame ? seen?.since ?? clock.uptime : clock.uptime)
        tell(.seen(found))
    }

    /// Returns when `body` has ended or the time is over, whichever comes first; what is late goes on unheard.
    private func before<Value: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async -> Value
    ) async -> Value? {
        let (results, feed) = AsyncStream.makeStream(of: Value?.self)
        let clock = clock
        let work = Task { feed.yield(await body()) }
        let limit = Task {
            do { try await clock.sleep(for: limit) } catch { return }
            feed.yield(nil)
        }
        defer {
            work.cancel()
            limit.cancel()
        }
        for await result in results { return result }
        return nil
    }
}

/// What an attempt found.
package enum ElectionNews: Sendable {
    /// The Lease as it is now; `nil`: there is none yet.
    case seen(Lease?)
    case failed(ClusterError)
}

/// Why a leader leads no more.
package enum ElectionLoss: Sendable {
    /// The API server was away for too long, or refused.
    case notRenewed(ClusterError?)
    /// Another one has it: the clock stood still here, or a person edited the Lease.
    case taken(by: String?)
}
