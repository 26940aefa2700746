package import ManifestUpdater

extension [WorkloadContainer] {
    /// By workload, in the order of their identifiers.
    package var grouped: [(key: String, value: [WorkloadContainer])] {
        Dictionary(grouping: self, by: \.workload.description).sorted { $0.key < $1.key }
    }
}
