/// Tells what becomes of builds in the journal of the agent's events.
struct BuildEvents: Sendable {
    let journal: EventJournal
    private let clock: any AgentClock
    private let output: OutputBatches

    init(_ journal: EventJournal, clock: any AgentClock) {
        self.journal = journal
        self.clock = clock
        output = OutputBatches(journal, clock: clock)
    }

    func said(_ line: String, _ build: BuildRecord) { output.append(line, of: build) }

    func stepped(_ step: BuildRecord.Step, _ build: BuildRecord) {
        var event = AgentEvent(.step, build, at: clock.now)
        event.step = step
        journal.append(event)
    }

    /// It waits, runs or is over.
    func changed(_ build: BuildRecord) {
        // What it said comes before its end.
        output.flush(build.id)
        var event = AgentEvent(.build, build, at: clock.now)
        event.state = build.state.rawValue
        journal.append(event)
    }
}
