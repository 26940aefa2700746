import Agent

/// Why a repository is not well, in the order in which it matters: what is to be mended, then what people hold.
struct RepositoryReasons: Sendable {
    let status: RepositoryStatus
    let clock: PageClock

    var all: [Reason] { trouble + holds }

    /// Without what people hold.
    var trouble: [Reason] { pause + failures }

    private var pause: [Reason] {
        guard let pause = status.paused else { return [] }
        return [
            Reason(
                state: .paused, title: "Paused" + (pause.user.map { " by \($0)" } ?? ""), text: pause.message,
                times: pauseTimes(pause))
        ]
    }

    @HTMLBuilder private func pauseTimes(_ pause: RepositoryPause) -> HTML {
        clock.since(pause.since)
        "; nothing is built or committed until 'slipway resume \(status.repository)'"
    }

    private var failures: [Reason] {
        // Nothing is tried while it is paused: what failed before is told when it goes on.
        (status.paused == nil ? status.failures : []).map { failure in
            let state: PageState = failure.disposition == .retry ? .failing : .stalled
            return Reason(
                state: state, title: (failure.subject.map { "\($0): " } ?? "") + failure.message, text: failure.hint,
                times: times(failure))
        }
    }

    @HTMLBuilder private func times(_ failure: CycleReport.Failure) -> HTML {
        if let attempts = failure.attempts { "Tried \(counted(attempts, "time", "times")); " }
        if let since = failure.since {
            "failing "
            clock.since(since)
            "; "
        }
        if let next = failure.nextAt ?? (failure.disposition == .retry ? status.nextAttempt : nil) {
            "next attempt "
            clock.moment(next)
        } else if failure.disposition == .retry {
            "being tried now"
        } else {
            "not tried again until the content changes or somebody retries"
        }
    }

    private var holds: [Reason] {
        status.holds.map { Reason(state: .held, title: "\($0.subject) is held", text: Self.sentences($0)) }
    }

    private static func sentences(_ decision: CycleReport.Decision) -> String {
        [decision.reason, decision.remedy].compactMap { $0 }.joined(separator: ". ")
    }
}

/// `1 repository`, `2 repositories`.
func counted(_ count: Int, _ one: String, _ many: String) -> String { "\(count) \(count == 1 ? one : many)" }

extension String {
    /// Of a commit's message.
    var firstLine: String { String(split(separator: "\n", maxSplits: 1).first ?? "") }
}

/// The head of a table that becomes cards on narrow screens.
struct TableHead: Sendable {
    let columns: [String]

    init(_ columns: [String]) { self.columns = columns }

    var html: HTML {
        Tag.thead(.role("rowgroup")) {
            Tag.tr(.role("row")) {
                for column in columns { Tag.th(.role("columnheader"), .scope("col")) { column } }
            }
        }
    }
}
