import Agent
import Builder
import Dispatch
import Glibc
import OCI
import Synchronization
import Text

/// A view on a terminal: what is done scrolls by, and below it the stages that are under way are redrawn in place, side by
/// side, with their times and the last line that their step printed.
final class LiveProgress: Sendable {
    fileprivate struct Work {
        var step = ""
        var text = ""
        var started = ContinuousClock.now
        var isOpen = false
        var note = ""
        var line = TerminalLine(limit: 500)
        var lastLine = ""
    }

    private struct State {
        var works: [String: Work] = [:]
        var order: [String] = []
        /// Lines of the view that are on the screen.
        var drawn = 0
        var lastDraw: ContinuousClock.Instant?
        var isOver = false
        var ticker: Task<Void, Never>?
        var signals: Signals?
    }

    private let state = Mutex(State())
    /// Apart from the state, which is locked while the terminal takes the view: a transfer does not wait for that.
    private let totals = Mutex(TransferTotals())
    private let console: Console
    private let showsTimes: Bool
    private let start = ContinuousClock.now

    /// - Parameter signals: those that take the view off the screen before they end the process.
    init(showsTimes: Bool, signals: [Int32] = [SIGINT, SIGTERM], _ console: Console) {
        self.console = console
        self.showsTimes = showsTimes
        let task = Task { [weak self] in
            while let self, !Task.isCancelled {
                self.state.withLock { self.redraw(&$0) }
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        let signals = Signals(signals.filter { !Signals.isIgnored($0) }) { [weak self] number in
            self?.interrupt(number)
        }
        state.withLock {
            $0.ticker = task
            $0.signals = signals
        }
    }

    /// Takes the view off the screen, says what was under way, and ends the process as the signal would have.
    private func interrupt(_ number: Int32) {
        // A terminal that takes no output does not keep the process.
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(500)) { Signals.die(of: number) }
        state.withLock { state in
            if !state.isOver {
                state.isOver = true
                erase(&state)
                for work in state.order.compactMap({ state.works[$0] }) where work.isOpen {
                    print("\(work.step) \(work.text) interrupted after \(Self.seconds(.now - work.started))")
                }
                print("interrupted by \(number == SIGINT ? "SIGINT" : "SIGTERM")")
            }
            Signals.die(of: number)
        }
    }

    func say(_ line: String) {
        state.withLock { state in
            erase(&state)
            print(line)
            draw(&state)
        }
    }

    func finish() {
        state.withLock { state in
            guard !state.isOver else { return }
            state.isOver = true
            state.ticker?.cancel()
            state.signals?.restore()
            state.signals = nil
            erase(&state)
        }
    }

    func handle(_ event: BuildEvent) { handle(event, in: "") }

    private func handle(_ event: BuildEvent, in stage: String) {
        if case .inStage(let name, let inner) = event { return handle(inner, in: name) }
        // It shows when the view is drawn the next time, which is soon.
        if case .transfer(let transfer) = event { return totals.withLock { $0.take(transfer) } }
        state.withLock { state in
            switch event {
            case .inStage, .transfer: break
            case .stepStarted(let name, let index, let count, let text, _):
                if state.works[stage] == nil { state.order.append(stage) }
                var work = Work()
                work.step = name.isEmpty ? "[\(index)/\(count)]" : "[\(name) \(index)/\(count)]"
                work.text = text.split(separator: "\n").first.map(String.init) ?? text
                work.isOpen = true
                state.works[stage] = work
                redraw(&state)
            case .stepOutput(_, let bytes):
                state.works[stage]?.take(bytes)
                redraw(&state)
            case .stepCached(_, let size): state.works[stage]?.note = "cached, \(BuildProgress.size(size))"
            case .stepExplained(let text):
                above("  \(state.works[stage]?.step ?? "") not in the cache: \(text)", &state)
            case .layerWritten(_, let size): state.works[stage]?.note = BuildProgress.size(size)
            case .stepFinished(let duration):
                guard let work = state.works[stage] else { return }
                state.works[stage]?.isOpen = false
                let note = work.note.isEmpty ? "" : " (\(work.note))"
                above("\(work.step) \(work.text) \(Self.seconds(duration))\(note)", &state)
            case .basePulled(let name, _, let bytes):
                above("base \(name) (\(BuildProgress.size(bytes)))", &state)
            case .blobPushed(let digest, let size, let outcome, let location):
                if outcome == .uploaded {
                    totals.withLock { $0.finish(.init(.push, digest, location.repository), size: size) }
                }
                redraw(&state)
            case .manifestPushed(let digest, let location): above("pushed \(location) \(digest)", &state)
            case .note(let text): above("note: \(text)", &state)
            }
        }
    }

    // MARK: Screen

    /// A line that stays, above the view.
    private func above(_ line: String, _ state: inout State) {
        erase(&state)
        print(line)
        draw(&state)
    }

    private func print(_ line: String) {
        let text = TerminalText.lasting(line)
        console.progress(showsTimes ? "\(BuildReporter.now) \(text)" : text)
    }

    /// At most some times a second: a step may print faster than a terminal reads.
    private func redraw(_ state: inout State) {
        if let last = state.lastDraw, ContinuousClock.now - last < .milliseconds(80) { return }
        erase(&state)
        draw(&state)
    }

    private func erase(_ state: inout State) {
        if state.drawn > 0 { console.raw("\u{1B}[\(state.drawn)A\u{1B}[J") }
        state.drawn = 0
    }

    private func draw(_ state: inout State) {
        guard !state.isOver else { return }
        let (columns, rows) = size
        // A line that wraps could not be erased again, and some terminals wrap after the last column already.
        let width = max(1, columns - 1)
        let works = state.order.compactMap { state.works[$0] }.filter(\.isOpen)
        let room = max(0, rows - 2)
        var total = "building \(Self.seconds(.now - start))"
        let rest = works.count > room ? ", \(works.count - room) more under way" : ""
        // A sum is there as a whole or not at all.
        for text in totals.withLock({ [$0.text(.pull), $0.text(.push)] }).compactMap({ $0 })
        where total.count + text.count + 2 + rest.count <= width {
            total += ", \(text)"
        }
        total += rest
        // What steps print goes first where there is not room for all.
        var spare = room - works.count
        var lines: [String] = []
        for work in works.prefix(room) {
            lines.append(
                TerminalText.line("\(work.step) \(work.text)", end: Self.seconds(.now - work.started), width: width))
            guard !work.lastLine.isEmpty, spare > 0 else { continue }
            spare -= 1
            lines.append(TerminalText.line("    \(work.lastLine)", end: "", width: width))
        }
        lines.append(TerminalText.line(total, end: "", width: width))
        console.raw(lines.map { $0 + "\n" }.joined())
        state.drawn = lines.count
        state.lastDraw = .now
    }

    private var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(console.terminal, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    private static func seconds(_ duration: Duration) -> String {
        let tenths = Int(max(0, duration.seconds) * 10)
        return "\(tenths / 10).\(tenths % 10)s"
    }
}

extension LiveProgress.Work {
    /// Keeps the last line that was printed; of one that is not over, such as a progress bar, what it is by now.
    fileprivate mutating func take(_ bytes: [UInt8]) {
        let lines = line.take(bytes)
        if let last = line.isEmpty ? lines.last(where: { !$0.isEmpty }) : line.text { lastLine = last }
    }
}
