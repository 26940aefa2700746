import Cluster
import JSON
import Notifications
import Text

/// Writes one Event after the other. The same reason for the same repository is counted up for some minutes instead of written again.
actor EventPoster {
    private struct Key: Hashable {
        let reason: String
        let repository: String
    }

    private struct Series {
        let name: String
        /// In seconds since 1970.
        let began: Int64
        var count: Int
    }

    private let cluster: any EventKeeping
    private let pod: AgentPod
    private let clock: any AgentClock
    private let log: EventLog
    private let subject: EventSubject
    private var pace = EventPace()
    private var series: [Key: Series] = [:]

    /// Seconds. An API server does not let an Event's note change, so a longer series would hide what happens.
    private static let window: Int64 = 360
    /// Bytes. The API takes 1,024; `BoundedText.ends` may give a few more than its limit.
    private static let noteLimit = 1_000
    /// Bytes, of `reportingInstance`.
    private static let instanceLimit = 128

    init(_ cluster: any EventKeeping, pod: AgentPod, clock: any AgentClock, log: EventLog) {
        self.cluster = cluster
        self.pod = pod
        self.clock = clock
        self.log = log
        subject = EventSubject(cluster, of: pod, log: log)
    }

    /// Writes it, or counts it up. What cannot be written is left out, and logged.
    func post(_ notice: Notice) async {
        guard let reason = notice.kind.eventReason else { return }
        let (now, key) = (clock.now, Key(reason: reason, repository: notice.repository))
        series = series.filter { (0..<Self.window).contains(now - $0.value.began) }
        // Also what is left out below is in the next count.
        series[key]?.count += 1
        guard pace.admits(at: now) else { return log.leftOut(1) }
        if let known = series[key] {
            let wasThere = await count(known, at: notice.time)
            if wasThere { return }
        }
        await create(notice, key, began: now)
    }

    /// - Returns: whether the Event is still there.
    private func count(_ series: Series, at time: Int64) async -> Bool {
        do throws(ClusterError) {
            try await cluster.count(
                ["count": .number("\(series.count)"), "lastObservedTime": Self.microTime(time)], of: series.name,
                in: pod.namespace)
            log.succeeded()
        } catch {
            // The API server deletes Events after a while, an hour by default.
            if error.code == .notFound { return false }
            log.failed(error, "patch", ClusterEvents.kind.plural, in: pod.namespace)
        }
        return true
    }

    private func create(_ notice: Notice, _ key: Key, began: Int64) async {
        series[key] = nil
        do throws(ClusterError) {
            let reference = try await subject.reference()
            let name = "slipway.\(notice.id.prefix(16))"
            try await cluster.create(
                event(of: notice, name: name, reason: key.reason, about: reference), in: pod.namespace)
            series[key] = Series(name: name, began: began, count: 1)
            log.succeeded()
        } catch {
            log.failed(error, "create", ClusterEvents.kind.plural, in: pod.namespace)
        }
    }

    /// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
    private func event(of notice: Notice, name: String, reason: String, about reference: JSONValue) -> JSONValue {
        [
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": ["name": .string(name), "namespace": .string(pod.namespace)],
            "eventTime": Self.microTime(notice.time), "reportingController": "slipway.dev/agent",
            "reportingInstance": .string(String(pod.name.prefix(Self.instanceLimit))), "action": .string(reason),
            "reason": .string(reason), "regarding": reference, "note": .string(Self.note(of: notice)),
            "type": notice.kind.severity == .info ? "Normal" : "Warning",
        ]
    }

    private static func microTime(_ seconds: Int64) -> JSONValue {
        .string("\(UTCDate(secondsSince1970: seconds).rfc3339.dropLast()).000000Z")
    }

    private static func note(of notice: Notice) -> String {
        let parts = [notice.title, notice.text, notice.hint.map { "Hint: \($0)" } ?? ""].filter { !$0.isEmpty }
        return BoundedText.ends(of: parts.joined(separator: "\n"), limit: noteLimit)
    }
}

extension NoticeKind {
    /// In the form that Kubernetes gives reasons; `nil`: no Event is written.
    var eventReason: String? {
        switch self {
        case .buildFailed: "BuildFailed"
        case .buildRecovered: "BuildRecovered"
        case .buildSucceeded: "ImageBuilt"
        case .imagePushed: "ImageTagged"
        case .updateCommitted: "UpdateCommitted"
        case .pullRequestOpened: "PullRequestOpened"
        case .updateHeld: "UpdateHeld"
        case .updateReleased: "UpdateReleased"
        case .repositoryFailing: "RepositoryFailing"
        case .repositoryRecovered: "RepositoryRecovered"
        case .repositoryPaused: "RepositoryPaused"
        case .repositoryResumed: "RepositoryResumed"
        case .test: nil
        }
    }
}
