import Blocking
package import Cluster
import JSON

/// Whether the API server can be reached, and what it lets the agent do.
package struct ClusterExamination: Sendable {
    package let client: ClusterClient
    /// The namespaces in which the features of the configuration work. A feature that is not there is not needed.
    package let needed: [ClusterFeature: Set<String>]

    /// Of the Lease that replicas share; `nil`: what it is called by default.
    private let leaseName: String?

    package init(client: ClusterClient, needed: [ClusterFeature: Set<String>], leaseName: String? = nil) {
        self.client = client
        self.needed = needed
        self.leaseName = leaseName
    }

    package func findings() async -> [DoctorFinding] {
        do throws(ClusterError) {
            let version = try await client.read("/version")["gitVersion"].text ?? "of an unknown version"
            let found = DoctorFinding(.cluster, .ok, "the API server answers: Kubernetes \(version)")
            var findings = [found]
            for feature in ClusterFeature.allCases { findings.append(try await finding(of: feature)) }
            return findings
        } catch {
            return [DoctorFinding(.cluster, status: needed.isEmpty ? .note : .error, error)]
        }
    }

    private func finding(of feature: ClusterFeature) async throws(ClusterError) -> DoctorFinding {
        let namespaces = (needed[feature] ?? [client.endpoint.namespace]).sorted()
        var missing: [String] = []
        for namespace in namespaces {
            var rights: [ClusterRight] = []
            for right in ClusterRight.all where right.feature == feature {
                if try await !isAllowed(right, in: namespace) { rights.append(right) }
            }
            missing += ClusterRight.shown(rights).map { "\($0) in \(namespace)" }
        }
        let place = namespaces.joined(separator: ", ")
        if missing.isEmpty {
            return DoctorFinding(
                .rights, .ok, "\(feature.title): all rights are granted in \(place)", subject: feature.rawValue)
        }
        return DoctorFinding(
            .rights, needed[feature] == nil ? .note : .error, "\(feature.title): rights are missing",
            subject: feature.rawValue, cause: missing.joined(separator: ", "),
            hint: "grant them by a Role (the chart's \(feature.chartValue)), or leave the feature off")
    }

    /// https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
    private func isAllowed(_ right: ClusterRight, in namespace: String) async throws(ClusterError) -> Bool {
        let parts = right.resource.split(separator: "/")
        var attributes: JSONValue = [
            "namespace": .string(namespace), "group": .string(right.group), "resource": .string(String(parts[0])),
            "verb": .string(right.verb),
        ]
        if let name = right.feature == .leaderElection && right.name != nil ? leaseName ?? right.name : right.name {
            attributes["name"] = .string(name)
        }
        if parts.count > 1 { attributes["subresource"] = .string(String(parts[1])) }
        let review: JSONValue = [
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": ["resourceAttributes": attributes],
        ]
        let kind = ResourceKind(
            "authorization.k8s.io", "v1", plural: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview",
            isNamespaced: false)
        return try await client.create(review, at: ResourcePath(kind))["status"]["allowed"].isTrue
    }
}

extension ClusterFeature {
    /// The value of config/chart that grants its rights.
    package var chartValue: String {
        switch self {
        case .apply: "apply.namespaces"
        case .builds: "builder: kubernetes"
        case .leaderElection: "replicas: 2"
        case .events: "events: true"
        }
    }
}
