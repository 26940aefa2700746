import Cluster
import JSON
import TestSupport
import Testing

@Suite(.tags(.unit)) struct ReadinessTests {
    @Test(arguments: [
        (#"{"kind":"ConfigMap"}"#, "ready"),
        (#"{"kind":"ConfigMap","metadata":{"deletionTimestamp":"x"}}"#, "it is being deleted"),
        (#"{"kind":"Deployment","metadata":{"generation":1},"spec":{}}"#, "its controller has not seen it"),
        (
            #"{"kind":"Deployment","metadata":{"generation":2},"spec":{},"status":{"observedGeneration":1}}"#,
            "its controller has not seen the change"
        ),
        (
            #"{"kind":"Deployment","spec":{"replicas":3},"status":{"observedGeneration":1,"updatedReplicas":2}}"#,
            "2 of 3 pods are of the new version"
        ),
        (
            #"{"kind":"Deployment","spec":{"replicas":2},"status":{"observedGeneration":1,"replicas":3,"updatedReplicas":2}}"#,
            "1 pods of the old version are still there"
        ),
        (
            #"{"kind":"Deployment","spec":{},"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1}}"#,
            "0 of 1 pods are available"
        ),
        (
            #"{"kind":"Deployment","spec":{"replicas":0},"status":{"observedGeneration":1}}"#, "ready"
        ),
        (
            #"{"kind":"Deployment","spec":{},"status":{"observedGeneration":1,"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"too slow"}]}}"#,
            "failed: ProgressDeadlineExceeded: too slow"
        ),
        (
            #"{"kind":"StatefulSet","spec":{"replicas":2,"updateStrategy":{"rollingUpdate":{"partition":1}}},"status":{"observedGeneration":1,"readyReplicas":2,"updatedReplicas":1}}"#,
            "ready"
        ),
        (
            #"{"kind":"StatefulSet","spec":{"replicas":2},"status":{"observedGeneration":1,"readyReplicas":1,"updatedReplicas":2}}"#,
            "1 of 2 pods are ready"
        ),
        (
            #"{"kind":"DaemonSet","status":{"observedGeneration":1,"desiredNumberScheduled":2,"updatedNumberScheduled":2,"numberAvailable":1}}"#,
            "1 of 2 pods are available"
        ),
        (#"{"kind":"Job","status":{"active":1}}"#, "it has not ended: 1 pods run"),
        (#"{"kind":"Job","status":{"conditions":[{"type":"Complete","status":"True"}]}}"#, "ready"),
        (
            #"{"kind":"Job","status":{"conditions":[{"type":"Failed","status":"True","reason":"BackoffLimitExceeded"}]}}"#,
            "failed: BackoffLimitExceeded"
        ),
        (#"{"kind":"PersistentVolumeClaim","status":{"phase":"Pending"}}"#, "its phase is Pending"),
        (#"{"kind":"PersistentVolumeClaim","status":{"phase":"Lost"}}"#, "failed: its volume is lost"),
        (#"{"kind":"CustomResourceDefinition"}"#, "it is not established"),
        (
            #"{"kind":"CustomResourceDefinition","status":{"conditions":[{"type":"Established","status":"True"}]}}"#,
            "ready"
        ),
        (
            #"{"kind":"Widget","status":{"conditions":[{"type":"Ready","status":"False","reason":"Down"}]}}"#, "Down"
        ),
    ])
    func `by kind and state`(_ json: String, _ expected: String) throws {
        let found =
            switch Readiness(try JSONReader.read(Array(json.utf8))) {
            case .ready: "ready"
            case .waiting(let reason): reason
            case .failed(let reason): "failed: \(reason)"
            }
        #expect(found == expected)
    }

    @Test func `namespaces and definitions first, webhooks last, the rest as it stands`() {
        let kinds = [
            "ValidatingWebhookConfiguration", "Deployment", "Service", "Widget", "ConfigMap",
            "CustomResourceDefinition",
            "Namespace", "Job",
        ]
        let sorted = ApplyOrder.sorted(kinds.map { ManifestObject(["kind": .string($0)], place: $0) })
        #expect(
            sorted.map(\.kind) == [
                "Namespace", "CustomResourceDefinition", "ConfigMap", "Service", "Deployment", "Widget", "Job",
                "ValidatingWebhookConfiguration",
            ])
    }

    @Test(arguments: [
        (#"{"kind":"A","metadata":{"name":"a"}}"#, "it has no apiVersion"),
        (#"{"apiVersion":"v1","metadata":{"name":"a"}}"#, "it has no kind"),
        (#"{"apiVersion":"v1","kind":"A","metadata":{}}"#, "it has no metadata.name"),
        (
            #"{"apiVersion":"v1","kind":"A","metadata":{"generateName":"a-"}}"#,
            "it has generateName, which makes another object each time"
        ),
    ])
    func `what is no object is named`(_ json: String, _ problem: String) throws {
        #expect(ManifestObject(try JSONReader.read(Array(json.utf8)), place: "x").problem == problem)
    }
}
