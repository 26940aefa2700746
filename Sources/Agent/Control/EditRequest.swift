package import ManifestUpdater
import OCI
import RegistryPoller

/// Asks for an edit of manifests: the body of `POST edits`. Exactly one of `release` and `policies` is there.
package struct EditRequest: Codable, Sendable, Equatable {
    package var repository: String
    package var release: ReleaseOrder?
    package var policies: PolicyOrder?
    /// Whether nothing is committed.
    package var dryRun: Bool
    /// Who asks, and why, for the commit.
    package var user: String?
    package var message: String?

    private init(repository: String, dryRun: Bool, user: String?, message: String?) {
        self.repository = repository
        self.dryRun = dryRun
        self.user = user
        self.message = message
    }

    package init(
        repository: String, release: ReleaseOrder, dryRun: Bool = false, user: String? = nil, message: String? = nil
    ) {
        self.init(repository: repository, dryRun: dryRun, user: user, message: message)
        self.release = release
    }

    package init(
        repository: String, policies: PolicyOrder, dryRun: Bool = false, user: String? = nil, message: String? = nil
    ) {
        self.init(repository: repository, dryRun: dryRun, user: user, message: message)
        self.policies = policies
    }
}

/// Which workloads get which image.
package struct ReleaseOrder: Codable, Sendable, Equatable {
    /// `NAMESPACE:KIND/NAME`; none: all.
    package var workloads: [String]
    package var excluded: [String]
    /// With its tag; `nil` with `latest`.
    package var image: String?
    /// The best image that each container's filter allows.
    package var latest: Bool
    /// Locks of named workloads do not count, nor do filters for a named image.
    package var force: Bool

    package init(workloads: [String], excluded: [String], image: String?, latest: Bool, force: Bool) {
        self.workloads = workloads
        self.excluded = excluded
        self.image = image
        self.latest = latest
        self.force = force
    }
}

/// What becomes of the annotations of workloads.
package struct PolicyOrder: Codable, Sendable, Equatable {
    /// `NAMESPACE:KIND/NAME`.
    package var workloads: [String]
    /// Names without their prefix, as `automated` and `tag.app`, and their values.
    package var add: [String: String]
    package var remove: [String]
    package var tagAll: String?

    package init(_ update: PolicyUpdate, workloads: [String]) {
        self.workloads = workloads
        add = update.add
        remove = update.remove.sorted()
        tagAll = update.tagAll
    }

    var update: PolicyUpdate { PolicyUpdate(add: add, remove: Set(remove), tagAll: tagAll) }

    /// - Throws: for what is no policy of a workload's: not every annotation is anybody's to write.
    package func validate() throws(ControlError) {
        guard !workloads.isEmpty else {
            throw ControlError(.invalidRequest, "the edit names no workload", place: "policies.workloads")
        }
        let plain: Set<String> = ["automated", "locked", "locked_user", "locked_msg", "ignore"]
        for name in Array(add.keys) + remove
        where !plain.contains(name) && !(name.hasPrefix("tag.") && name.utf8.count > 4) {
            throw ControlError(
                .invalidRequest, "'\(name)' is not a policy of workloads", place: "policies",
                hint: "there are \(plain.sorted().joined(separator: ", ")) and tag.CONTAINER")
        }
        let patterns = add.filter { $0.key.hasPrefix("tag.") }.map(\.value) + [tagAll].compactMap(\.self)
        for pattern in patterns {
            do { _ = try ImagePolicy.parse(pattern, dialect: .flux1) } catch {
                throw ControlError(
                    .invalidRequest, "invalid tag pattern: '\(pattern)'", place: "policies",
                    cause: error.cause ?? error.summary)
            }
        }
    }
}

/// What became of it.
package struct EditAnswer: Codable, Sendable {
    /// The commit that was pushed.
    package var commit: CycleReport.Published?
    package var workloads: [WorkloadResult]
    /// Workloads that were named and are not there.
    package var missing: [String]
    /// How many values changed, or would.
    package var changes: Int
    /// What else a person should know.
    package var notes: [String]

    package init(
        commit: CycleReport.Published? = nil, workloads: [WorkloadResult], missing: [String] = [], changes: Int = 0,
        notes: [String] = []
    ) {
        self.commit = commit
        self.workloads = workloads
        self.missing = missing
        self.changes = changes
        self.notes = notes
    }
}
