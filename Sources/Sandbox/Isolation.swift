import Synchronization

/// What a machine allows, found out when it is first asked for: to try takes some milliseconds, and a build whose steps are
/// all known needs none of it.
package final class Isolation: Sendable {
    /// Whether the process is an ordinary user.
    package let rootless: Bool
    /// Whether files can be given to any owner.
    package let canChown: Bool
    private let find: @Sendable () async -> IsolationReport
    private let task = Mutex<Task<IsolationReport, Never>?>(nil)

    /// What is known already.
    package init(_ report: IsolationReport) {
        rootless = report.rootless
        canChown = report.canChown
        find = { report }
    }

    /// - Parameters:
    ///   - stateDirectory: where it is tried; an overlay may work on one file system and not on another.
    ///   - found: told of the report once, when there is one.
    package init(stateDirectory: String, found: @escaping @Sendable (IsolationReport) -> Void) {
        (rootless, canChown) = SandboxProbe.owner
        find = {
            let report = await SandboxProbe.probe(stateDirectory: stateDirectory)
            found(report)
            return report
        }
    }

    /// Begins to find out, for somebody who will ask soon.
    package func begin() { _ = running }

    package var report: IsolationReport { get async { await running.value } }

    private var running: Task<IsolationReport, Never> {
        task.withLock { task in
            if let task { return task }
            let find = find
            let new = Task { await find() }
            task = new
            return new
        }
    }
}
