import Builder
import Cluster
import JSON

/// Waits for a Job that has been started, and hands on what it tells.
struct JobRun: Sendable {
    let client: ClusterClient
    let template: JobTemplate
    let progress: @Sendable (BuildEvent) -> Void

    /// How a Job ended.
    struct End: Sendable {
        let state: JobState
        let result: Result<JobResult, BuildError>
        /// What the build printed at its end: layers and steps.
        let printed: JSONValue

        /// Whether the Job did its work, and what it said of it is gone with its pod.
        var isLost: Bool { state.end?["type"].text == "Complete" && state.finalResult == nil }
    }

    /// - Throws: `cancelled` when the task is; and when the cluster does not let the Job be followed.
    func wait(for job: JobState) async throws(BuildError) -> End {
        var state = job
        var log: (pod: String, reader: JobLog, task: Task<Void, Never>)?
        var result: Result<JobResult, BuildError>?
        var refusal: BuildError?
        var told: Set<String> = []
        let watch = JobWatch(
            client: client, namespace: job.namespace, name: job.name, patience: template.limits.startDeadline)
        await watch.follow { news in
            switch news {
            case .job(let object?): state.job = object
            case .job(nil):
                result = .failure(Self.gone(state))
                return false
            case .pods(let pods): for pod in pods { state.take(pod) }
            case .trouble(let error):
                if [.forbidden, .unauthorized, .configuration].contains(error.code) {
                    refusal = BuildError(error, "cannot follow the Job of the build")
                    return false
                }
                tell("the cluster cannot be asked for the Job: \(error.cause ?? error.summary)", once: &told)
                return true
            case .late:
                guard !state.hasStarted else { return true }
                result = .failure(BuildError(notStarted: state))
                return false
            }
            // The Job's news may come before the pod's.
            if state.end != nil, state.finalResult == nil { await refreshPod(of: &state) }
            if let obstacle = state.obstacle, told.insert(obstacle.reason).inserted {
                progress(.note("the Job's pod waits: \(obstacle.text)"))
            }
            if state.hasStarted, let pod = state.podName, log?.pod != pod {
                log?.task.cancel()
                progress(.note("runs as pod \(pod)\(Self.node(state))"))
                let reader = JobLog(
                    client, ResourcePath(.pod, namespace: job.namespace, name: pod), progress: progress)
                log = (pod, reader, Task { await reader.follow() })
            }
            result = Self.end(of: state)
            return result == nil
        }
        if let log {
            log.task.cancel()
            await log.task.value
            if result != nil { await log.reader.finish(isExplained: state.finalResult != nil) }
        }
        if let refusal { throw refusal }
        guard let result else { throw BuildError(.cancelled, "the build was cancelled") }
        return End(state: state, result: result, printed: log?.reader.result ?? .null)
    }

    /// Asks for the pods as they are now, as often as it takes.
    private func refreshPod(of state: inout JobState) async {
        let pods = ResourcePath(.pod, namespace: state.namespace)
        while !Task.isCancelled {
            if let found = try? await client.list(pods, selector: "job-name=\(state.name)").objects {
                for pod in found { state.take(pod) }
                return
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func tell(_ text: String, once told: inout Set<String>) {
        if told.insert(text).inserted { progress(.note(text)) }
    }

    private static func node(_ state: JobState) -> String {
        state.pod?["spec"]["nodeName"].text.map { " on node \($0)" } ?? ""
    }

    private static func gone(_ state: JobState) -> BuildError {
        var error = BuildError(job: state, "the Job was deleted while it ran", isTransient: true)
        error.hint = "it is made again at the next attempt"
        return error
    }

    /// How it ended; `nil` while it has not.
    ///
    /// A result counts as soon as the container has written it. Without one, the Job's own end is waited for, which says why.
    static func end(of state: JobState) -> Result<JobResult, BuildError>? {
        if let result = state.finalResult { return result.error.map { .failure($0) } ?? .success(result) }
        guard let end = state.end else {
            guard let obstacle = state.obstacle, obstacle.isFinal else { return nil }
            return .failure(BuildError(obstacle, of: state))
        }
        if end["type"].text == "Complete" { return .failure(lost(state)) }
        return .failure(BuildError(state))
    }

    /// A Job that is complete, and whose pod is gone with its result.
    static func lost(_ state: JobState) -> BuildError {
        var error = BuildError(
            job: state, "the Job is complete, and its result is gone with its pod", isTransient: true)
        error.hint = "the build is made again at the next attempt"
        return error
    }
}
