import Foundation
import JSON
import OCI

/// The pod of a Job, as a node reports of it.
struct FakePod: Sendable {
    let cluster: FakeCluster
    let job: JSONValue
    let name: String

    var jobName: String { job["metadata"]["name"].text ?? "" }
    var contentKey: String { job["metadata"]["annotations"]["slipway.dev/content-key"].text ?? "" }

    var arguments: [String] {
        job["spec"]["template"]["spec"]["containers"].items.first?["args"].items.compactMap(\.text) ?? []
    }

    /// The values of a flag.
    func values(of flag: String) -> [String] {
        arguments.filter { $0.hasPrefix("--\(flag)=") }.map { String($0.dropFirst(flag.count + 3)) }
    }

    private func put(_ status: JSONValue) {
        var pod: JSONValue = ["kind": "Pod", "status": status, "spec": job["spec"]["template"]["spec"]]
        pod["spec"]["nodeName"] = "node-1"
        pod["metadata"] = [
            "name": .string(name), "labels": ["job-name": .string(jobName)],
            "ownerReferences": [["kind": "Job", "uid": job["metadata"]["uid"]]],
        ]
        cluster.put("pods", pod)
    }

    private func container(_ state: JSONValue, phase: String) -> JSONValue {
        ["phase": .string(phase), "containerStatuses": [["name": "build", "state": state]]]
    }

    func run() { put(container(["running": [:]], phase: "Running")) }

    func wait(_ reason: String, _ message: String) {
        put(container(["waiting": ["reason": .string(reason), "message": .string(message)]], phase: "Pending"))
    }

    func cannotBeScheduled(_ message: String) {
        put([
            "phase": "Pending",
            "conditions": [
                [
                    "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": .string(message),
                ]
            ],
        ])
    }

    func log(_ line: String) { cluster.write(line, to: name) }

    /// The container ends, and with it the Job.
    func end(
        code: Int = 0, reason: String? = nil, message: String = "", pod more: JSONValue = [:], jobReason: String? = nil
    ) {
        let isGood = code == 0
        var status = container(
            [
                "terminated": [
                    "exitCode": .number("\(code)"), "reason": .string(reason ?? (isGood ? "Completed" : "Error")),
                    "message": .string(message),
                ]
            ], phase: isGood ? "Succeeded" : "Failed")
        for (key, value) in more.members { status[key] = value }
        cluster.endLog(of: name)
        put(status)
        endJob(isGood ? "Complete" : "Failed", jobReason ?? (isGood ? "" : "BackoffLimitExceeded"))
    }

    func endJob(_ type: String, _ reason: String) {
        cluster.change("jobs", jobName) {
            $0["status"]["conditions"] = [["type": .string(type), "status": "True", "reason": .string(reason)]]
        }
    }
}
