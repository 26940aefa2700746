package import JSON

/// Whether an object does what it was made for.
package enum Readiness: Sendable, Equatable {
    case ready
    /// What it waits for.
    case waiting(String)
    /// It will not become ready by itself.
    case failed(String)

    /// By the rules of `kubectl rollout status` and of kstatus; kinds that have no state are ready when they are there.
    ///
    /// https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
    package init(_ object: JSONValue) {
        if object["metadata"]["deletionTimestamp"].text != nil {
            // Nothing can be made in a namespace that goes, and nothing stops it from going.
            self =
                object["kind"].text == "Namespace"
                ? .failed("it is being deleted; what belongs into it is applied once it has gone")
                : .waiting("it is being deleted")
            return
        }
        let (generation, observed) = (
            object["metadata"]["generation"].integer ?? 0, object["status"]["observedGeneration"].integer
        )
        if let observed, observed < generation {
            self = .waiting("its controller has not seen the change")
            return
        }
        let isSeen = observed != nil || object["status"].members.isEmpty == false
        switch object["kind"].text {
        case "Deployment": self = isSeen ? Self.deployment(object) : .waiting("its controller has not seen it")
        case "StatefulSet": self = isSeen ? Self.statefulSet(object) : .waiting("its controller has not seen it")
        case "DaemonSet": self = isSeen ? Self.daemonSet(object) : .waiting("its controller has not seen it")
        case "Job": self = Self.job(object)
        case "PersistentVolumeClaim": self = Self.phase(object, "Bound")
        case "Namespace": self = Self.phase(object, "Active")
        case "CustomResourceDefinition": self = Self.definition(object)
        case "Pod": self = Self.pod(object)
        default: self = Self.condition(object, "Ready").map { Self.ready($0) } ?? .ready
        }
    }

    private static func condition(_ object: JSONValue, _ type: String) -> JSONValue? {
        object["status"]["conditions"].items.first { $0["type"].text == type }
    }

    private static func ready(_ condition: JSONValue) -> Readiness {
        condition["status"].text == "True" ? .ready : .waiting(words(condition, or: "its condition Ready is not true"))
    }

    private static func words(_ condition: JSONValue, or other: String) -> String {
        let words = [condition["reason"].text, condition["message"].text].compactMap { $0 }.joined(separator: ": ")
        return words.isEmpty ? other : words
    }

    private static func count(_ value: JSONValue) -> Int64 { value.integer ?? 0 }

    private static func deployment(_ object: JSONValue) -> Readiness {
        let (spec, status) = (object["spec"], object["status"])
        if let progress = condition(object, "Progressing"), progress["reason"].text == "ProgressDeadlineExceeded" {
            return .failed(words(progress, or: "its progress deadline is exceeded"))
        }
        if let failure = condition(object, "ReplicaFailure"), failure["status"].text == "True" {
            return .failed(words(failure, or: "its pods cannot be made"))
        }
        let wanted = spec["replicas"].integer ?? 1
        let updated = count(status["updatedReplicas"])
        if updated < wanted { return .waiting("\(updated) of \(wanted) pods are of the new version") }
        if count(status["replicas"]) > updated {
            return .waiting("\(count(status["replicas"]) - updated) pods of the old version are still there")
        }
        let available = count(status["availableReplicas"])
        return available < updated ? .waiting("\(available) of \(updated) pods are available") : .ready
    }

    private static func statefulSet(_ object: JSONValue) -> Readiness {
        let (spec, status) = (object["spec"], object["status"])
        if spec["updateStrategy"]["type"].text == "OnDelete" { return .ready }
        let wanted = spec["replicas"].integer ?? 1
        let ready = count(status["readyReplicas"])
        if ready < wanted { return .waiting("\(ready) of \(wanted) pods are ready") }
        let due = wanted - count(spec["updateStrategy"]["rollingUpdate"]["partition"])
        let updated = count(status["updatedReplicas"])
        if updated < due { return .waiting("\(updated) of \(due) pods are of the new version") }
        return .ready
    }

    private static func daemonSet(_ object: JSONValue) -> Readiness {
        let status = object["status"]
        if object["spec"]["updateStrategy"]["type"].text == "OnDelete" { return .ready }
        let wanted = count(status["desiredNumberScheduled"])
        let updated = count(status["updatedNumberScheduled"])
        if updated < wanted { return .waiting("\(updated) of \(wanted) pods are of the new version") }
        let available = count(status["numberAvailable"])
        return available < wanted ? .waiting("\(available) of \(wanted) pods are available") : .ready
    }

    private static func job(_ object: JSONValue) -> Readiness {
        if let failed = condition(object, "Failed"), failed["status"].text == "True" {
            return .failed(words(failed, or: "it failed"))
        }
        if condition(object, "Complete")?["status"].text == "True" || object["spec"]["suspend"].isTrue { return .ready }
        return .waiting("it has not ended: \(count(object["status"]["active"])) pods run")
    }

    private static func phase(_ object: JSONValue, _ wanted: String) -> Readiness {
        let phase = object["status"]["phase"].text
        if phase == "Lost" { return .failed("its volume is lost") }
        return phase == wanted ? .ready : .waiting("its phase is \(phase ?? "not known yet")")
    }

    private static func definition(_ object: JSONValue) -> Readiness {
        if let names = condition(object, "NamesAccepted"), names["status"].text == "False" {
            return .failed(words(names, or: "its names are taken"))
        }
        return condition(object, "Established")?["status"].text == "True" ? .ready : .waiting("it is not established")
    }

    private static func pod(_ object: JSONValue) -> Readiness {
        switch object["status"]["phase"].text {
        case "Succeeded": .ready
        case "Failed": .failed(object["status"]["message"].text ?? "it failed")
        default: condition(object, "Ready").map { ready($0) } ?? .waiting("it is not ready")
        }
    }
}
