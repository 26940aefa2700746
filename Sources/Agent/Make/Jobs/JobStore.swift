import Builder
import Cluster
import JSON

/// The Jobs of builds in the cluster: made once, found again, removed.
struct JobStore: Sendable {
    let client: ClusterClient
    let namespace: String

    /// Says that the agent has counted the failure, so that the next one who wants the build makes a new Job.
    private static let countedAnnotation = "slipway.dev/counted"

    private func path(_ name: String? = nil) -> ResourcePath { ResourcePath(.job, namespace: namespace, name: name) }

    /// The Job of a build: the one that is there, whoever made it, else a new one.
    ///
    /// Two that ask at once get the same one, since the name decides; and an answer that is lost is asked for again.
    func job(_ manifest: JobManifest) async throws(BuildError) -> (job: JobState, isNew: Bool) {
        var attempt = 0
        while true {
            do throws(ClusterError) {
                if let known = try await client.find(path(manifest.identity.name)) {
                    let state = JobState(known)
                    let isCounted = known["metadata"]["annotations"][Self.countedAnnotation].text != nil
                    guard state.isLeaving || isCounted else { return (state, false) }
                    // It goes first; the same name cannot be had twice.
                    if !state.isLeaving { try await remove(state.name, uid: state.uid) }
                } else {
                    return (JobState(try await client.create(manifest.object, at: path())), true)
                }
            } catch {
                attempt += 1
                guard error.code == .conflict || error.isTransient, attempt < 10 else {
                    throw BuildError(error, "cannot create the Job of the build")
                }
            }
            try Task.checkBuildCancellation()
            try? await Task.sleep(for: .milliseconds(min(2_000, 50 << attempt)))
        }
    }

    /// Gives a Job its Secret, and lets it begin. Done again by whoever adopts it, where that was not done.
    func start(_ job: JobState, _ manifest: JobManifest) async throws(BuildError) {
        let secret = ResourcePath(.secret, namespace: namespace)
        do throws(ClusterError) {
            do throws(ClusterError) {
                _ = try await client.create(manifest.secret(ownedBy: job.uid), at: secret)
            } catch {
                // It is there: whoever made it was stopped before the Job could begin.
                guard error.code == .conflict else { throw error }
            }
            if job.isSuspended { _ = try await client.merge(["spec": ["suspend": false]], at: path(job.name)) }
        } catch {
            throw BuildError(error, "cannot start the Job of the build")
        }
    }

    /// Removes the Jobs of a pipeline that build something else: what they make is out of date.
    ///
    /// - Returns: the names of those that ran.
    func removeSuperseded(by identity: JobIdentity) async throws(BuildError) -> [String] {
        var running: [String] = []
        do throws(ClusterError) {
            for object in try await client.list(path(), selector: identity.selector).objects {
                let state = JobState(object)
                guard state.name != identity.name, !state.isLeaving else { continue }
                if state.end == nil { running.append(state.name) }
                try await remove(state.name, uid: state.uid)
            }
        } catch {
            throw BuildError(error, "cannot remove the Jobs of older builds")
        }
        return running
    }

    /// Removes a Job with its pod and its Secret.
    ///
    /// - Parameter uid: of the Job that is meant; another one of its name stays. `nil`: whichever it is.
    func remove(_ name: String, uid: String?) async throws(ClusterError) {
        do throws(ClusterError) {
            try await client.delete(path(name), propagation: .background, uid: uid)
        } catch {
            guard error.code == .conflict else { throw error }
        }
    }

    /// Notes that a Job's failure is counted.
    func markCounted(_ job: JobState) async {
        // Where it cannot be noted, the failure counts once more.
        _ = try? await client.merge(
            ["metadata": ["annotations": .object([Self.countedAnnotation: "true"]), "uid": .string(job.uid)]],
            at: path(job.name))
    }
}
