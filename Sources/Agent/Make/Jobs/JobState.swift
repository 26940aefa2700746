import Builder
import Cluster
import JSON

/// What is known of a Job and its pod, and what follows from that.
struct JobState: Sendable {
    var job: JSONValue
    /// The pod of this Job that was seen last.
    var pod: JSONValue?

    init(_ job: JSONValue) { self.job = job }

    var uid: String { job["metadata"]["uid"].text ?? "" }
    var name: String { job["metadata"]["name"].text ?? "" }
    var namespace: String { job["metadata"]["namespace"].text ?? "" }

    /// For messages.
    var shown: String { ResourcePath(.job, namespace: namespace, name: name).shown }

    var isLeaving: Bool { job["metadata"]["deletionTimestamp"].text != nil }
    var isSuspended: Bool { job["spec"]["suspend"].isTrue }

    /// The condition that says that it ended, if it did.
    var end: JSONValue? {
        job["status"]["conditions"].items.first {
            ["Complete", "Failed"].contains($0["type"].text) && $0["status"].text == "True"
        }
    }

    /// Takes a pod, if it is this Job's. Where one was deleted, Kubernetes may make another.
    mutating func take(_ pod: JSONValue) {
        let metadata = pod["metadata"]
        guard metadata["ownerReferences"].items.contains(where: { $0["uid"].text == uid }) else { return }
        let isSame = self.pod == nil || metadata["name"].text == podName
        if isSame || metadata["deletionTimestamp"].text == nil { self.pod = pod }
    }

    private var container: JSONValue? {
        pod?["status"]["containerStatuses"].items.first { $0["name"].text == JobManifest.container }
    }

    var podName: String? { pod?["metadata"]["name"].text }

    /// Whether the container runs or ran, so that there is a log.
    var hasStarted: Bool {
        guard let state = container?["state"] else { return false }
        return !state["running"].isNull || !state["terminated"].isNull
    }

    /// How the container ended; `nil` while it did not.
    var termination: JSONValue? {
        guard let terminated = container?["state"]["terminated"], !terminated.isNull else { return nil }
        return terminated
    }

    /// What the build said of its end; `nil` where it was cut off, or what is there is not its own word: of a container that fails
    /// without one, the end of the log stands there.
    var finalResult: JobResult? {
        guard let termination, let result = termination["message"].text.flatMap({ JobResult($0) }),
            (result.failure == nil) == (termination["exitCode"].integer == 0), result.error?.code != .cancelled
        else { return nil }
        return result
    }

    /// Why the container does not run yet, in Kubernetes's words.
    var obstacle: Obstacle? {
        guard !hasStarted, let pod else { return nil }
        if let waiting = container?["state"]["waiting"], let reason = waiting["reason"].text,
            !["ContainerCreating", "PodInitializing"].contains(reason)
        {
            return Obstacle(reason: reason, message: waiting["message"].text)
        }
        let scheduled = pod["status"]["conditions"].items.first { $0["type"].text == "PodScheduled" }
        guard let scheduled, scheduled["status"].text == "False", let reason = scheduled["reason"].text else {
            return nil
        }
        return Obstacle(reason: reason, message: scheduled["message"].text)
    }

    /// Something that keeps a container from starting.
    struct Obstacle: Sendable, Equatable {
        let reason: String
        let message: String?

        var text: String { [reason, message].compactMap { $0 }.joined(separator: ": ") }

        /// Whether waiting will not help, as far as Kubernetes itself has tried by now.
        var isFinal: Bool {
            ["ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerError", "RunContainerError"]
                .contains(reason)
        }
    }
}
