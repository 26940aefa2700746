import JSON

/// Brings a cluster's objects to what manifests say, by server-side apply, and deletes what left the manifests.
///
/// What is deleted is what the inventory holds: objects that this repository's manifests made earlier. It is written before the first
/// object is applied and after the last one is deleted, so that an agent that is killed in between forgets nothing.
package actor Applier {
    private let client: ClusterClient
    private let directory: ResourceDirectory
    /// What the manifests said when each object was applied last.
    private var applied: [ObjectIdentity: JSONValue] = [:]

    package init(_ client: ClusterClient) {
        self.client = client
        directory = ResourceDirectory(client)
    }

    package static let manager = "slipway"
    package static let pruneAnnotation = "slipway.dev/prune"

    /// Applies all objects; one that fails stops no other.
    ///
    /// - Parameter isComplete: whether `objects` is all that the repository has to say. If not, nothing is deleted.
    package func apply(
        _ objects: [ManifestObject], for target: ApplyTarget, isComplete: Bool
    ) async throws(ClusterError) -> ApplyReport {
        var report = ApplyReport()
        await directory.lookAgain()
        let sorted = ApplyOrder.sorted(objects)
        let (foundation, rest) = (
            sorted.filter(ApplyOrder.isFoundation), sorted.filter { !ApplyOrder.isFoundation($0) }
        )
        let before = try await inventory(of: target)
        let expected = await versions(of: sorted, for: target)
        // The namespace that the inventory itself needs may be one of the objects.
        func isHome(_ object: ManifestObject) -> Bool {
            object.kind == "Namespace" && object.name == target.inventory.namespace
        }
        for object in foundation where isHome(object) { await apply(object, for: target, into: &report) }
        try await write(before.kinds.merging(expected) { $1 }, for: target)

        for object in foundation where !isHome(object) { await apply(object, for: target, into: &report) }
        await wait(for: foundation, of: target, seconds: 60, into: &report)
        // Kinds that came with their definitions are known from now on.
        if !foundation.isEmpty { await directory.lookAgain() }
        for object in rest { await apply(object, for: target, into: &report) }

        var left = await versions(of: sorted, for: target)
        let present = Set(left.keys)
        for (identity, version) in before.kinds.merging(expected, uniquingKeysWith: { $1 })
        where !present.contains(identity) {
            let remnant = ManifestObject(identity, version: version)
            let kind = try? await directory.kind(of: remnant)
            guard !present.contains(target.identity(of: remnant, kind)) else { continue }
            guard target.prunes, isComplete else {
                left[identity] = version
                continue
            }
            if await !prune(remnant, identity, of: target, into: &report) { left[identity] = version }
        }
        try await write(left, for: target)
        applied = applied.filter { present.contains($0.key) }
        return report
    }

    /// Waits until all objects are ready, fail, or the time is over.
    package func wait(
        for objects: [ManifestObject], of target: ApplyTarget, seconds: Int, into report: inout ApplyReport
    ) async {
        let deadline = ContinuousClock.now + .seconds(seconds)
        let failed = report.failed
        var pending: [(object: ManifestObject, identity: ObjectIdentity)] = []
        for object in objects where object.problem == nil {
            let identity = target.identity(of: object, try? await directory.kind(of: object))
            if !failed.contains(identity) { pending.append((object, identity)) }
        }
        var pause = Duration.milliseconds(200)
        while !pending.isEmpty {
            var still: [(object: ManifestObject, identity: ObjectIdentity)] = []
            for (object, identity) in pending {
                switch await readiness(of: object, for: target) {
                case .ready: report.waiting[identity] = nil
                case .failed(let reason):
                    report.waiting[identity] = nil
                    report.add(
                        identity, object.place,
                        .failed(ClusterError(.invalid, "\(identity.shown) failed", place: object.place, cause: reason)))
                case .waiting(let reason):
                    report.waiting[identity] = reason
                    still.append((object, identity))
                }
            }
            pending = still
            guard !pending.isEmpty, ContinuousClock.now < deadline else { return }
            guard (try? await Task.sleep(for: pause)) != nil else { return }
            pause = min(pause * 2, .seconds(2))
        }
    }

    private func readiness(of object: ManifestObject, for target: ApplyTarget) async -> Readiness {
        do throws(ClusterError) {
            let kind = try await directory.kind(of: object)
            guard let found = try await client.find(target.path(of: object, kind)) else {
                return .waiting("it is gone")
            }
            return Readiness(found)
        } catch {
            return .waiting(error.cause ?? error.summary)
        }
    }

    /// The objects by what they are in this cluster, with the versions that the manifests speak.
    private func versions(
        of objects: [ManifestObject], for target: ApplyTarget
    ) async -> [ObjectIdentity: String] {
        var versions: [ObjectIdentity: String] = [:]
        for object in objects where object.problem == nil {
            versions[target.identity(of: object, try? await directory.kind(of: object))] = object.version
        }
        return versions
    }

    // MARK: One object

    private func apply(_ object: ManifestObject, for target: ApplyTarget, into report: inout ApplyReport) async {
        let known = object.problem == nil ? try? await directory.kind(of: object) : nil
        let identity = target.identity(of: object, known)
        if let problem = object.problem {
            report.add(
                identity, object.place,
                .failed(ClusterError(.invalid, "an object cannot be applied", place: object.place, cause: problem)))
            return
        }
        do throws(ClusterError) {
            let kind = try await directory.kind(of: object)
            let path = target.path(of: object, kind)
            let before = try await client.find(path)
            let (after, owners) = try await applied(object, at: path, of: target)
            let isSame = before.map { Self.content($0) == Self.content(after) } ?? false
            let outcome: ApplyOutcome =
                if before == nil { .created } else if isSame { .unchanged } else if applied[identity] == object.object {
                    .corrected
                } else { .changed }
            applied[identity] = object.object
            report.add(identity, object.place, outcome)
            if !owners.isEmpty { report.takenOver[identity] = owners }
        } catch {
            report.add(identity, object.place, .failed(Self.explained(error, object)))
        }
    }

    /// Applies, and takes fields over that others own; says from whom.
    private func applied(
        _ object: ManifestObject, at path: ResourcePath, of target: ApplyTarget
    ) async throws(ClusterError) -> (JSONValue, owners: [String]) {
        var manager = FieldManager(name: Self.manager)
        manager.impersonated = target.impersonated
        var whole = object.object
        if let namespace = path.namespace {
            var metadata = whole["metadata"]
            metadata["namespace"] = .string(namespace)
            whole["metadata"] = metadata
        }
        do {
            return (try await client.apply(whole, at: path, by: manager), [])
        } catch  where error.code == .conflict && !error.details.isEmpty {
            manager.takesOver = true
            let after = try await client.apply(whole, at: path, by: manager)
            return (after, error.details.map { "\($0.field) (\($0.message))" })
        }
    }

    /// What counts of an object: not its state, and not what the server counts and notes.
    private static func content(_ object: JSONValue) -> JSONValue {
        var object = object
        object.remove("status")
        var metadata = object["metadata"]
        for key in ["managedFields", "resourceVersion", "generation"] { metadata.remove(key) }
        object["metadata"] = metadata
        return object
    }

    private static func explained(_ error: ClusterError, _ object: ManifestObject) -> ClusterError {
        let isImmutable = error.code == .invalid && error.cause?.contains("immutable") == true
        let hint =
            isImmutable
            ? "this field cannot be changed: delete the object (kubectl delete), and it is made anew in the next cycle"
            : error.hint
        var explained = ClusterError(error.code, error.summary, place: object.place, cause: error.cause, hint: hint)
        explained.details = error.details
        return explained
    }

    // MARK: Inventory

    private func inventory(of target: ApplyTarget) async throws(ClusterError) -> ObjectInventory {
        guard let found = try await client.find(target.inventory) else { return ObjectInventory() }
        guard let inventory = ObjectInventory(found) else {
            throw ClusterError(
                .conflict, "the ConfigMap of the inventory is not Slipway's", place: target.inventory.shown,
                hint: "rename or delete it; until then nothing is applied")
        }
        return inventory
    }

    private func write(_ kinds: [ObjectIdentity: String], for target: ApplyTarget) async throws(ClusterError) {
        guard kinds.count <= ObjectInventory.limit else {
            throw ClusterError(
                .invalid, "\(kinds.count) objects are too many for one repository", place: target.inventory.shown,
                hint: "at most \(ObjectInventory.limit) are applied; divide the paths among entries")
        }
        var manager = FieldManager(name: Self.manager)
        manager.takesOver = true
        let map = ObjectInventory(kinds).configMap(target.inventory.name ?? "", of: target.repository)
        _ = try await client.apply(map, at: target.inventory, by: manager)
    }

    /// - Returns: whether the object is not to be remembered any more.
    private func prune(
        _ object: ManifestObject, _ identity: ObjectIdentity, of target: ApplyTarget, into report: inout ApplyReport
    ) async -> Bool {
        do throws(ClusterError) {
            let path = target.path(of: object, try await directory.kind(of: object))
            guard let found = try await client.find(path) else { return true }
            if found["metadata"]["annotations"][Self.pruneAnnotation].text == "disabled" {
                report.add(identity, object.place, .kept("it is annotated \(Self.pruneAnnotation): disabled"))
                return true
            }
            let managers = found["metadata"]["managedFields"].items.compactMap { $0["manager"].text }
            guard managers.contains(Self.manager) else {
                report.add(identity, object.place, .kept("others made it anew"))
                return true
            }
            try await client.delete(path, uid: found["metadata"]["uid"].text, as: target.impersonated)
            report.add(identity, object.place, .pruned)
            return true
        } catch {
            // A kind that went with its definition took its objects along.
            if error.code == .notFound { return true }
            report.add(identity, object.place, .failed(error))
            return false
        }
    }
}
