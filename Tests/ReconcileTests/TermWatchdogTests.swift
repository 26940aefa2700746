import Synchronization
import TestSupport
import Testing

@testable import Agent
@testable import Cluster

/// The end of a process whose Lease is over, with a clock and a timer that the test sets.
@Suite(.tags(.unit)) struct TermWatchdogTests {
    private final class Timer: Sendable {
        private let state = Mutex<(alarms: [(at: Duration, body: @Sendable () -> Void)], endedAt: Duration?)>(([], nil))
        let clock = SetClock()

        var endedAt: Duration? { state.withLock(\.endedAt) }
        var isSet: Bool { state.withLock { !$0.alarms.isEmpty } }

        func watchdog() -> TermWatchdog {
            TermWatchdog(
                wake: { [self] delay, body in
                    let time = clock.uptime + delay
                    state.withLock { $0.alarms.append((time, body)) }
                },
                end: { [self] in
                    let now = clock.uptime
                    state.withLock { if $0.endedAt == nil { $0.endedAt = now } }
                })
        }

        /// Time passes, and what is due is called at its time.
        func pass(_ duration: Duration) {
            let end = clock.uptime + duration
            while true {
                let next = state.withLock { state in
                    state.alarms.indices.min { state.alarms[$0].at < state.alarms[$1].at }
                        .flatMap { state.alarms[$0].at <= end ? state.alarms.remove(at: $0) : nil }
                }
                guard let next else { break }
                clock.advance(by: max(next.at - clock.uptime, .zero))
                next.body()
            }
            clock.advance(by: end - clock.uptime)
        }
    }

    private static let timing = ElectionTiming()

    @Test func `a process whose renewals fail ends after the last write and before the Lease is over`() throws {
        let timer = Timer()
        let taken = timer.clock.uptime
        timer.watchdog().watch(LeadershipTerm(Self.timing, since: taken, clock: timer.clock))
        timer.pass(Self.timing.renewDeadline)
        #expect(timer.endedAt == nil)
        timer.pass(Self.timing.leaseDuration)
        let ended = try #require(timer.endedAt) - taken
        #expect(ended > Self.timing.renewDeadline && ended < Self.timing.leaseDuration)
    }

    @Test func `it runs on as long as the Lease is renewed, also when it gives up on its cycles`() throws {
        let timer = Timer()
        let term = LeadershipTerm(Self.timing, since: timer.clock.uptime, clock: timer.clock)
        timer.watchdog().watch(term)
        for _ in 1...20 {
            timer.pass(Self.timing.retryPeriod)
            term.renewed(at: timer.clock.uptime)
        }
        #expect(timer.endedAt == nil)
        let renewed = timer.clock.uptime
        // What is cancelled when a term ends may still not end.
        term.end()
        timer.pass(.seconds(60))
        let ended = try #require(timer.endedAt) - renewed
        #expect(ended > Self.timing.renewDeadline && ended < Self.timing.leaseDuration)
    }

    @Test func `it does not end a process that gave the Lease back`() {
        let timer = Timer()
        let watchdog = timer.watchdog()
        watchdog.watch(LeadershipTerm(Self.timing, since: timer.clock.uptime, clock: timer.clock))
        timer.pass(.seconds(1))
        watchdog.stop()
        timer.pass(.seconds(60))
        #expect(timer.endedAt == nil && !timer.isSet)
    }

    @Test func `it ends a process whose Lease is over already, such as one that was halted`() {
        let timer = Timer()
        let taken = timer.clock.uptime
        timer.clock.advance(by: .seconds(60))
        timer.watchdog().watch(LeadershipTerm(Self.timing, since: taken, clock: timer.clock))
        #expect(timer.endedAt == taken + .seconds(60))
    }
}
