import Builder
import Cluster
import JSON
import Text

/// Why a Job made no image, and whose fault that is: `BuildError.isTransient` says the world's, as for every build.
extension BuildError {
    /// A Job that has ended, or whose pod has, without a result.
    init(_ state: JobState) {
        let reason = state.end?["reason"].text
        let pod = state.pod ?? .null
        let podReason = pod["status"]["reason"].text
        let disruption = pod["status"]["conditions"].items.first {
            $0["type"].text == "DisruptionTarget" && $0["status"].text == "True"
        }
        let ended = state.termination
        if reason == "DeadlineExceeded" || podReason == "DeadlineExceeded" {
            self.init(job: state, "the build took longer than the Job's deadline", isTransient: !state.hasStarted)
            hint = "set 'cluster.builds.deadline' higher, or make the build faster; 'slipway retry' tries it again"
            if !state.hasStarted { cause = state.obstacle?.text ?? "its pod did not start" }
        } else if ended?["reason"].text == "OOMKilled" {
            self.init(job: state, "the build needed more memory than its pod may have", isTransient: false)
            let limit = pod["spec"]["containers"].items.first?["resources"]["limits"]["memory"].text
            cause = "the kernel killed it (OOMKilled)" + (limit.map { "; the limit is \($0)" } ?? "")
            hint = "raise 'cluster.builds.resources.limits.memory' and run 'slipway retry', or make the step smaller"
        } else if podReason == "Evicted" {
            self.init(job: state, "the build's pod was evicted from its node", isTransient: true)
            cause = Self.words(pod["status"]["message"])
            hint = "request what the build needs with 'cluster.builds.resources.requests' (ephemeral-storage, memory)"
        } else if let disruption {
            self.init(job: state, "the build's pod was taken from its node", isTransient: true)
            cause = [disruption["reason"], disruption["message"]].compactMap(Self.words).joined(separator: ": ")
        } else if pod["metadata"]["deletionTimestamp"].text != nil
            || (ended == nil && state.end != nil && state.pod != nil)
        {
            self.init(job: state, "the build's pod was deleted or lost before it ended", isTransient: true)
            cause = [pod["status"]["reason"], pod["status"]["message"]].compactMap(Self.words).joined(separator: ": ")
            if cause?.isEmpty == true { cause = Self.words(state.end?["message"] ?? .null) }
        } else if let ended {
            self.init(job: state, "the build's container ended without a result", isTransient: true)
            let signal = ended["signal"].integer.map { ", by signal \($0)" } ?? ""
            let last = ended["message"].text?.split(separator: "\n").last.map {
                ": \(printable(String($0), limit: 500))"
            }
            cause =
                "\(ended["reason"].text ?? "Error"), exit code \(ended["exitCode"].integer ?? -1)\(signal)\(last ?? "")"
            hint = "see 'kubectl -n \(state.namespace) describe job \(state.name)'"
        } else {
            self.init(job: state, "the Job failed before a pod ran", isTransient: true)
            cause = [state.end?["reason"], state.end?["message"]].compactMap { $0.flatMap(Self.words) }
                .joined(separator: ": ")
            hint = "see 'kubectl -n \(state.namespace) describe job \(state.name)'"
        }
    }

    /// The container cannot start.
    init(_ obstacle: JobState.Obstacle, of state: JobState) {
        switch obstacle.reason {
        case "Unschedulable", "SchedulingGated":
            self.init(job: state, "no node takes the build's pod", isTransient: true)
            hint =
                "see 'cluster.builds.resources', 'nodeSelector' and 'tolerations'; the pod needs a node of its architecture"
        case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull":
            self.init(job: state, "the node cannot pull the Job's image", isTransient: true)
            hint = "see 'cluster.builds.image' and 'imagePullSecrets'"
        default:
            self.init(job: state, "the build's container cannot start", isTransient: true)
            hint = "see 'kubectl -n \(state.namespace) describe job \(state.name)'"
        }
        cause = printable(obstacle.text, limit: 1_000)
    }

    /// Nothing ran within the time.
    init(notStarted state: JobState) {
        if let obstacle = state.obstacle {
            self.init(obstacle, of: state)
        } else {
            self.init(job: state, "the Job has no pod that runs", isTransient: true)
            cause = state.pod == nil ? "no pod was made; a quota or an admission webhook may refuse it" : nil
            hint = "see 'kubectl -n \(state.namespace) describe job \(state.name)'"
        }
    }

    /// What is wrong with a Job or with the cluster.
    init(job state: JobState, _ summary: String, isTransient: Bool) {
        // A step's code, for what the input is to blame for: it is not tried again until it changes.
        self.init(isTransient ? .isolation : .step, summary, place: state.shown, isTransient: isTransient)
    }

    /// The API server did not do what it was to do.
    init(_ error: ClusterError, _ summary: String) {
        self.init(error.code == .cancelled ? .cancelled : .isolation, summary, from: error)
        isTransient = error.code != .cancelled
    }

    private static func words(_ value: JSONValue) -> String? { value.text.map { printable($0, limit: 1_000) } }
}
