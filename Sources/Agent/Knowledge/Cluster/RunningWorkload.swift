package import JSON

/// A workload of the cluster, as its API tells it.
package struct RunningWorkload: Codable, Sendable, Equatable {
    package struct Container: Codable, Sendable, Equatable {
        package var name: String
        package var image: String

        package init(name: String, image: String) {
            self.name = name
            self.image = image
        }
    }

    /// `NAMESPACE:KIND/NAME`, as the places of manifests name it.
    package var id: String
    package var containers: [Container]
    /// Pods that are ready, and that there are to be.
    package var ready: Int
    package var wanted: Int

    package init(id: String, containers: [Container], ready: Int, wanted: Int) {
        self.id = id
        self.containers = containers
        self.ready = ready
        self.wanted = wanted
    }

    /// - Parameters:
    ///   - kind: of the object, which objects of a list do not say themselves.
    ///   - object: a Deployment, StatefulSet or DaemonSet; `nil` where it has no name.
    package init?(_ kind: String, _ object: JSONValue) {
        guard let name = object["metadata"]["name"].text else { return nil }
        id = "\(object["metadata"]["namespace"].text ?? "default"):\(kind.lowercased())/\(name)"
        let pod = object["spec"]["template"]["spec"]
        containers = (pod["initContainers"].items + pod["containers"].items).compactMap { one in
            guard let name = one["name"].text, let image = one["image"].text else { return nil }
            return Container(name: name, image: image)
        }
        let status = object["status"]
        ready = Int(status["readyReplicas"].integer ?? status["numberReady"].integer ?? 0)
        wanted = Int(object["spec"]["replicas"].integer ?? status["desiredNumberScheduled"].integer ?? 0)
    }
}

/// What a cluster runs, by the last look at it.
package struct RunningWorkloads: Codable, Sendable, Equatable {
    /// When the last look ended that had an answer, in seconds since 1970.
    package var at: Int64?
    package var workloads: [RunningWorkload] = []
    /// Why the last look had none.
    package var problem: String?

    package init() {}

    /// What a place of a manifest runs; `nil` where the cluster has no such workload or container.
    package func container(_ name: String, of workload: String) -> RunningWorkload.Container? {
        workloads.first { $0.id == workload }?.containers.first { $0.name == name }
    }
}
