import Cluster
import JSON
import YAML

/// Reads `cluster.builds`.
enum JobTemplateReader {
    /// Keys whose values go to the pod's specification as they are written.
    private static let podKeys: [(key: String, field: String, isList: Bool)] = [
        ("nodeSelector", "nodeSelector", false), ("tolerations", "tolerations", true), ("affinity", "affinity", false),
        ("podSecurityContext", "securityContext", false), ("volumes", "volumes", true),
        ("imagePullSecrets", "imagePullSecrets", true),
    ]
    /// The same for texts.
    private static let podNames = [
        ("serviceAccount", "serviceAccountName"), ("priorityClass", "priorityClassName"),
        ("runtimeClass", "runtimeClassName"),
    ]
    /// Those of the container.
    private static let containerKeys: [(key: String, isList: Bool)] = [
        ("resources", false), ("securityContext", false), ("env", true), ("volumeMounts", true),
    ]

    static func template(_ value: YAMLValue) throws(YAMLError) -> JobTemplate {
        try value.object { (object) throws(YAMLError) in
            var template = JobTemplate(image: try object.required("image").nonEmptyString())
            template.namespace = try object.optional("namespace")?.nonEmptyString()
            if let value = object.optional("deadline") { template.limits.deadline = try time(value) }
            if let value = object.optional("startDeadline") { template.limits.startDeadline = try time(value) }
            if let value = object.optional("ttl") { template.limits.lifetime = try time(value) }
            template.labels = try texts(object.optional("labels"))
            template.annotations = try texts(object.optional("annotations"))
            for (key, field, isList) in podKeys {
                guard let value = object.optional(key) else { continue }
                template.pod[field] = try raw(value, isList: isList)
                if key == "volumes" { try refuseReserved(value) }
            }
            for (key, field) in podNames {
                if let value = object.optional(key) { template.pod[field] = .string(try value.nonEmptyString()) }
            }
            for (key, isList) in containerKeys {
                guard let value = object.optional(key) else { continue }
                template.container[key] = try raw(value, isList: isList)
            }
            if let value = object.optional("imagePullPolicy") {
                let policy: PullPolicy = try value.choice()
                template.container["imagePullPolicy"] = .string(policy.rawValue)
            }
            return template
        }
    }

    private enum PullPolicy: String, CaseIterable {
        case always = "Always"
        case ifNotPresent = "IfNotPresent"
        case never = "Never"
    }

    private static func time(_ value: YAMLValue) throws(YAMLError) -> Duration {
        let duration = try value.duration()
        guard duration >= .seconds(1) else {
            throw value.error("the time is at least one second", hint: "write 90s, 10m or 1h")
        }
        return duration
    }

    private static func texts(_ value: YAMLValue?) throws(YAMLError) -> [String: String] {
        Dictionary(try value?.stringEntries().map { ($0.key, $0.value) } ?? []) { $1 }
    }

    /// A value of Kubernetes's, whose fields the API server knows and this program does not.
    private static func raw(_ value: YAMLValue, isList: Bool) throws(YAMLError) -> JSONValue {
        if isList { _ = try value.items() } else { _ = try value.entries() }
        guard let json = JSONValue(value.node, limit: 10_000) else {
            throw value.error("the value is too large, or has a key that is not a text")
        }
        return json
    }

    private static func refuseReserved(_ value: YAMLValue) throws(YAMLError) {
        for item in try value.items() {
            let name = try item.entries().first { $0.key == "name" }?.value
            guard let name, try name.string().hasPrefix(JobManifest.volumePrefix) else { continue }
            throw name.error(
                "names of volumes that begin with '\(JobManifest.volumePrefix)' are Slipway's own",
                hint: "give the volume another name")
        }
    }
}
