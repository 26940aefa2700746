package import Forge
package import Logging

/// Tells a host how builds are doing. Whoever reports does not wait: what is said last of a commit and a name is sent when the host
/// takes it, tried again for a while where it does not, and left out where it was said already.
package actor CommitStatusReporter {
    private struct Key: Hashable {
        let commit: String
        let name: String
    }

    private struct Report {
        let status: CommitStatus
        let branch: String
    }

    private let host: any CommitStatusHost
    /// Where pages are; `nil` for no links.
    private let pages: String?
    private let clock: any AgentClock
    private let logger: Logger
    private let random: @Sendable () -> Double
    /// What is to be sent, the oldest first.
    private var waiting: [(key: Key, report: Report)] = []
    /// What was said last; bounded, the oldest is forgotten first.
    private var said: [Key: CommitStatus] = [:]
    private var order: [Key] = []
    private var isSending = false

    private static let limit = 1_000
    /// After these, in seconds, some twenty minutes have passed.
    private static let backoff = Backoff(base: 5, limit: 300)
    private static let attempts = 9

    package init(
        host: any CommitStatusHost, pages: String? = nil, clock: any AgentClock = SystemClock(),
        logger: Logger = Logger(label: "slipway"),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.host = host
        self.pages = pages
        self.clock = clock
        self.logger = logger
        self.random = random
    }

    /// - Parameters:
    ///   - build: its name in history, for a link.
    ///   - details: for hosts that show more than a line.
    package func report(
        _ state: CommitStatus.State, _ description: String, of pipeline: String, at commit: String, on branch: String,
        build: String?, details: StatusDetails? = nil
    ) {
        let link = pages.flatMap { pages in build.map { "\(pages)/builds/\($0)" } }
        let status = CommitStatus(
            state: state, name: "slipway/\(pipeline)", description: description, link: link ?? pages,
            details: details)
        let key = Key(commit: commit, name: status.name)
        guard said[key] != status else { return }
        if said.updateValue(status, forKey: key) == nil {
            order.append(key)
            if order.count > Self.limit { said[order.removeFirst()] = nil }
        }
        // What was not sent yet is out of date.
        waiting.removeAll { $0.key == key }
        waiting.append((key, Report(status: status, branch: branch)))
        if waiting.count > Self.limit { waiting.removeFirst() }
        guard !isSending else { return }
        isSending = true
        Task { await self.sendAll() }
    }

    private func sendAll() async {
        while !waiting.isEmpty {
            let (key, report) = waiting.removeFirst()
            await send(report, key)
        }
        isSending = false
    }

    private func send(_ report: Report, _ key: Key) async {
        for attempt in 1...Self.attempts {
            do throws(ForgeError) {
                try await host.set(report.status, of: key.commit, on: report.branch)
                return
            } catch {
                let mayPass = [.unavailable, .rateLimited].contains(error.code) || error.isConflict
                guard mayPass, attempt < Self.attempts else {
                    said[key] = nil
                    logger.warning(
                        "the status of a commit was not set",
                        metadata: ["commit": "\(key.commit)", "status": "\(key.name)", "error": "\(error)"])
                    return
                }
            }
            let seconds = Self.backoff.delay(afterAttempts: attempt, random: random())
            do { try await clock.sleep(for: .seconds(seconds)) } catch { return }
            // Something newer is to be said of it.
            if waiting.contains(where: { $0.key == key }) { return }
        }
    }
}
