import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct ScheduleTests {
    enum Event: Sendable {
        case begin, trigger, stop
        /// The timer that was set last, or one before it.
        case due, stale
        case ended(Schedule.Outcome)
        case interval(Double)
    }

    enum Expected: Sendable, Equatable {
        case nothing, cycle
        case wait(Double)
    }

    /// - Parameter random: 0.5: the interval as it is.
    private func run(_ events: [Event], interval: Double = 30, random: Double = 0.5) -> [Expected] {
        var schedule = Schedule(interval: interval)
        var timer = 0
        return events.map { event in
            let action: Schedule.Action
            switch event {
            case .begin: action = schedule.begin()
            case .trigger: action = schedule.trigger()
            case .due: action = schedule.due(timer)
            case .stale: action = schedule.due(timer - 1)
            case .ended(let outcome): action = schedule.ended(outcome, random: random)
            case .interval(let seconds): action = schedule.setInterval(seconds, random: random)
            case .stop:
                schedule.stop()
                action = .nothing
            }
            switch action {
            case .nothing: return .nothing
            case .cycle: return .cycle
            case .wait(let seconds, let next):
                #expect(next > timer, "a timer is named once")
                timer = next
                return .wait(seconds)
            }
        }
    }

    private static let histories: [([Event], [Expected])] = [
        ([.begin, .ended(.succeeded), .due, .ended(.succeeded)], [.cycle, .wait(30), .cycle, .wait(30)]),
        ([.begin, .begin], [.cycle, .nothing]),
        // A trigger ends the wait; the timer of that wait says nothing any more.
        (
            [.begin, .ended(.succeeded), .trigger, .due, .ended(.succeeded)],
            [.cycle, .wait(30), .cycle, .nothing, .wait(30)]
        ),
        (
            [.begin, .ended(.succeeded), .trigger, .ended(.succeeded), .stale, .due],
            [.cycle, .wait(30), .cycle, .wait(30), .nothing, .cycle]
        ),
        // Many events during a cycle are one more cycle, right after.
        (
            [.begin, .trigger, .trigger, .trigger, .ended(.succeeded), .ended(.succeeded), .due],
            [.cycle, .nothing, .nothing, .nothing, .cycle, .wait(30), .cycle]
        ),
        ([.begin, .trigger, .ended(.failed), .ended(.succeeded)], [.cycle, .nothing, .cycle, .wait(30)]),
        ([.trigger, .begin, .ended(.succeeded)], [.cycle, .nothing, .wait(30)]),
        // Stalled: the normal interval.
        (
            [.begin, .ended(.stalled), .due, .ended(.stalled), .due, .ended(.stalled)],
            [.cycle, .wait(30), .cycle, .wait(30), .cycle, .wait(30)]
        ),
        // What is not under way does not end, and nothing begins after the end.
        (
            [.ended(.succeeded), .begin, .ended(.succeeded), .ended(.succeeded)],
            [.nothing, .cycle, .wait(30), .nothing]
        ),
        (
            [.begin, .trigger, .stop, .ended(.succeeded), .trigger, .due, .begin],
            [.cycle] + Array(repeating: .nothing, count: 6)
        ),
        ([.begin, .ended(.succeeded), .stop, .due, .trigger], [.cycle, .wait(30), .nothing, .nothing, .nothing]),
        // Another interval.
        (
            [.begin, .interval(60), .ended(.succeeded), .interval(60), .interval(5), .stale, .due],
            [.cycle, .nothing, .wait(60), .nothing, .wait(5), .nothing, .cycle]
        ),
    ]

    @Test(arguments: histories) func `what happens, and what is done`(events: [Event], expected: [Expected]) {
        #expect(run(events) == expected)
    }

    @Test(arguments: [
        (30.0, [30, 60, 120, 240, 480, 600, 600]), (1.0, [10, 20, 40, 80, 160, 320, 600]),
        (300.0, [300, 600, 600, 600, 600, 600, 600]), (3_600.0, [600, 600, 600, 600, 600, 600, 600]),
    ])
    func `after failures, ever longer`(interval: Double, delays: [Double]) {
        let events = [Event.begin] + delays.indices.flatMap { _ in [Event.ended(.failed), .due] }
        let waits = run(events, interval: interval, random: 0).compactMap { expected in
            if case .wait(let seconds) = expected { seconds } else { nil }
        }
        #expect(waits == delays)
    }

    @Test(arguments: [Schedule.Outcome.succeeded, .stalled])
    func `another end makes an end of the back-off`(outcome: Schedule.Outcome) {
        let expected: [Expected] = [.cycle, .wait(30), .cycle, .wait(60), .cycle, .wait(27), .cycle, .wait(30)]
        let events: [Event] = [
            .begin, .ended(.failed), .due, .ended(.failed), .trigger, .ended(outcome), .due, .ended(.failed),
        ]
        #expect(run(events, random: 0) == expected)
    }

    @Test(arguments: [(0.0, 27.0), (0.25, 28.5), (0.5, 30.0), (1.0, 33.0), (-3.0, 27.0), (9.0, 33.0)])
    func `the interval a tenth more or less`(random: Double, seconds: Double) throws {
        let last = try #require(run([.begin, .ended(.succeeded)], random: random).last)
        guard case .wait(let waits) = last else {
            Issue.record("it does not wait")
            return
        }
        #expect(abs(waits - seconds) < 0.001)
    }

    /// Whatever comes in whatever order: never two cycles at once, never a trigger that is forgotten, never a wait without an end.
    @Test(arguments: 0..<200) func `any order of events`(seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        var schedule = Schedule(interval: 30)
        var (isRunning, isWanted, timer) = (false, true, 0)
        if schedule.begin() == .cycle { (isRunning, isWanted) = (true, false) }
        for _ in 0..<200 {
            let action: Schedule.Action
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                isWanted = true
                action = schedule.trigger()
            case 1:
                let isDue = !isRunning && Bool.random(using: &random)
                if isDue { isWanted = true }
                action = schedule.due(isDue ? timer : timer - 1)
            default:
                guard isRunning, let outcome = Schedule.Outcome.allCases.randomElement(using: &random) else { continue }
                isRunning = false
                action = schedule.ended(outcome, random: Double.random(in: 0..<1, using: &random))
            }
            switch action {
            case .cycle:
                #expect(!isRunning && isWanted)
                (isRunning, isWanted) = (true, false)
            case .wait(let seconds, let next):
                #expect(!isRunning && !isWanted)
                #expect((24...600).contains(seconds))
                timer = next
            case .nothing: break
            }
            #expect(isRunning || !isWanted)
            #expect(schedule.isRunning == isRunning)
        }
    }
}
