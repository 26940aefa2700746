import Cluster
import Cryptography
import JSON
import OCI

/// The Job that makes one image: what is sent to the API server.
struct JobManifest: Sendable {
    let identity: JobIdentity
    let template: JobTemplate
    let command: JobCommand
    /// The commit whose files are built.
    let revision: String
    let platform: Platform

    static let container = "build"
    static let volumePrefix = "slipway-"
    /// Where the Secret's files are.
    static let files = "/etc/slipway/build"
    static let state = "/var/lib/slipway"
    /// Nothing is in it: a Dockerfile is looked for in the working directory first.
    private static let workspace = "/workspace"

    /// https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
    ///
    /// The Job waits (`suspend`) until it has its Secret, which is owned by it, and so can only be made after it.
    var object: JSONValue {
        var annotations = template.annotations
        annotations["slipway.dev/repository"] = identity.shown.repository
        annotations["slipway.dev/pipeline"] = identity.shown.pipeline
        annotations[JobIdentity.keyAnnotation] = identity.key.whole
        annotations[JobIdentity.revisionAnnotation] = revision
        let labels = template.labels.merging(identity.labels) { $1 }
        return [
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": [
                "name": .string(identity.name), "labels": Self.map(labels), "annotations": Self.map(annotations),
            ],
            "spec": [
                "suspend": true, "backoffLimit": 0,
                "activeDeadlineSeconds": Self.seconds(template.limits.deadline),
                "ttlSecondsAfterFinished": Self.seconds(template.limits.lifetime),
                "template": [
                    "metadata": ["labels": Self.map(labels), "annotations": Self.map(annotations)], "spec": pod,
                ],
            ],
        ]
    }

    private var pod: JSONValue {
        var pod = template.pod
        pod["restartPolicy"] = "Never"
        // RUN steps are strangers' programs: what is not there cannot be stolen.
        pod["automountServiceAccountToken"] = false
        pod["enableServiceLinks"] = false
        var selector = pod["nodeSelector"].members
        selector["kubernetes.io/os"] = .string(platform.os)
        selector["kubernetes.io/arch"] = .string(platform.architecture)
        pod["nodeSelector"] = .object(selector)
        pod["containers"] = [container]
        pod["volumes"] = .array(volumes.map(\.volume) + template.pod["volumes"].items)
        return pod
    }

    private var container: JSONValue {
        var container = template.container
        container["name"] = .string(Self.container)
        container["image"] = .string(template.image)
        container["args"] = .array(command.arguments.map { .string(Self.literal($0)) })
        container["workingDir"] = .string(Self.workspace)
        container["terminationMessagePolicy"] = "FallbackToLogsOnError"
        container["volumeMounts"] = .array(volumes.map(\.mount) + template.container["volumeMounts"].items)
        let own = command.environment.map {
            ["name": .string($0.name), "value": .string(Self.literal($0.value))] as JSONValue
        }
        container["env"] = .array(own + template.container["env"].items)
        return container
    }

    /// Kubernetes reads `$(NAME)` as a variable, and `$$` as a dollar.
    private static func literal(_ text: String) -> String { text.replacing("$", with: "$$") }

    private struct Volume {
        let volume: JSONValue
        let mount: JSONValue

        init(_ name: String, at path: String, _ source: (String, JSONValue)) {
            let name = JSONValue.string(JobManifest.volumePrefix + name)
            volume = .object(["name": name, source.0: source.1])
            var mount: JSONValue = ["name": name, "mountPath": .string(path)]
            if source.0 == "secret" { mount["readOnly"] = true }
            self.mount = mount
        }
    }

    private var volumes: [Volume] {
        let taken = Set(template.container["volumeMounts"].items.compactMap { $0["mountPath"].text })
        var volumes = [
            Volume(
                "files", at: Self.files,
                ("secret", ["secretName": .string(identity.name), "defaultMode": .number("\(fileMode)")])),
            Volume("workspace", at: Self.workspace, ("emptyDir", [:])),
        ]
        if !taken.contains(Self.state) { volumes.append(Volume("state", at: Self.state, ("emptyDir", [:]))) }
        return volumes
    }

    /// OpenSSH refuses a key that others may read, where the key is its user's own; another user could not read it otherwise.
    private var fileMode: Int {
        let users = [template.container, template.pod].map { $0["securityContext"]["runAsUser"].integer }
        return users.compactMap(\.self).first == 0 ? 0o400 : 0o444
    }

    /// The Secret with the files that the command names, which goes when the Job goes.
    ///
    /// - Parameter uid: of the Job.
    func secret(ownedBy uid: String) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
            "metadata": [
                "name": .string(identity.name), "labels": Self.map(identity.labels),
                "ownerReferences": [
                    ["apiVersion": "batch/v1", "kind": "Job", "name": .string(identity.name), "uid": .string(uid)]
                ],
            ],
            "data": .object(command.files.mapValues { .string(Encoding.base64($0)) }),
        ]
    }

    private static func map(_ texts: [String: String]) -> JSONValue { .object(texts.mapValues { .string($0) }) }

    private static func seconds(_ duration: Duration) -> JSONValue { .number("\(duration.components.seconds)") }
}
