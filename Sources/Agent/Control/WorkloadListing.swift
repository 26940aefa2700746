import ManifestUpdater
import OCI
import RegistryPoller
import Synchronization
import Text

/// The workloads of a repository's head, with their images and policies.
package struct WorkloadListing: Codable, Sendable {
    package struct Container: Codable, Sendable {
        package var name: String
        package var image: String
        package var file: String
        package var line: Int
        package var filter: String?
    }

    package struct Workload: Codable, Sendable {
        package var id: String
        package var containers: [Container]
        package var policies: [String]

        init(id: String, _ found: [WorkloadContainer]) {
            self.id = id
            policies = found.first?.policies ?? []
            containers = found.map {
                Container(
                    name: $0.container, image: $0.image.description, file: $0.file, line: $0.line, filter: $0.filter)
            }
        }
    }

    package var workloads: [Workload]
    /// Files that were passed over, and why.
    package var notes: [String]

    package init(_ workloads: [Workload], notes: [String] = []) {
        self.workloads = workloads
        self.notes = notes
    }
}

/// The images that workloads run and could run.
package struct ImageListing: Codable, Sendable {
    package struct Available: Codable, Sendable {
        package var tag: String
        /// As in RFC 3339.
        package var created: String?
        package var digest: String?
    }

    package struct Container: Codable, Sendable {
        package var name: String
        package var image: String
        package var filter: String?
        package var available: [Available]
        package var availableError: String?
        package var availableImagesCount: Int
        /// What the filter would choose.
        package var latestFiltered: String?

        init(_ found: WorkloadContainer, _ images: AvailableImages) {
            let order = found.filter ?? "glob:*"
            let usable = images.sorted(for: found.image, filter: order).filter { $0.problem == nil }
            name = found.container
            image = found.image.description
            filter = found.filter
            available = usable.map { record in
                Available(
                    tag: record.tag, created: record.created.map { UTCDate(secondsSince1970: $0).rfc3339 },
                    digest: record.digest?.description)
            }
            availableError = usable.isEmpty ? images.problem(of: found.image) ?? "image data not available" : nil
            availableImagesCount = usable.count
            latestFiltered = (try? images.latest(for: found.image, filter: order))??.tag
        }
    }

    package struct Workload: Codable, Sendable {
        package var id: String
        package var containers: [Container]

        init(id: String, containers: [Container]) {
            self.id = id
            self.containers = containers
        }
    }

    package var workloads: [Workload]
    package var notes: [String]

    package init(_ workloads: [Workload], notes: [String] = []) {
        self.workloads = workloads
        self.notes = notes
    }
}

/// Which workloads are meant; what is `nil` leaves all.
package struct WorkloadFilter: Sendable, Equatable {
    /// `NAMESPACE:KIND/NAME`.
    package var workload: String?
    package var namespace: String?

    package init(workload: String? = nil, namespace: String? = nil) {
        self.workload = workload
        self.namespace = namespace
    }

    func holds(_ id: WorkloadID) -> Bool {
        (workload ?? id.description) == id.description && (namespace ?? id.namespace) == id.namespace
    }
}

/// Gathers what is said on the way.
final class NoteList: Sendable {
    private let notes = Mutex<[String]>([])

    func append(_ note: String) { notes.withLock { $0.append(note) } }

    var all: [String] { notes.withLock { $0 } }
}
