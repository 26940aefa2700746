import Builder
import Cluster
import JSON

/// What happens to a Job.
enum JobNews: Sendable {
    /// The Job as it is now; `nil`: it is not there any more.
    case job(JSONValue?)
    case pods([JSONValue])
    /// The cluster cannot be asked; it is tried again.
    case trouble(ClusterError)
    /// The time is over within which a container has to run.
    case late
}

/// Follows a Job and its pods.
struct JobWatch: Sendable {
    let client: ClusterClient
    let namespace: String
    let name: String
    /// Until `late`.
    let patience: Duration

    /// Hands on what happens until `take` says `false` or the task is cancelled.
    func follow(_ take: (JobNews) async -> Bool) async {
        let (news, feed) = AsyncStream.makeStream(of: JobNews.self)
        let tasks = [
            Task { await watchJob { feed.yield($0) } }, Task { await watchPods { feed.yield($0) } },
            Task {
                try? await Task.sleep(for: patience)
                if !Task.isCancelled { feed.yield(.late) }
            },
        ]
        defer { for task in tasks { task.cancel() } }
        // A cancelled task gets no more news.
        for await item in news where await !take(item) { return }
    }

    private func watchJob(_ tell: @Sendable (JobNews) -> Void) async {
        await client.watch(ResourcePath(.job, namespace: namespace, name: name)) { change in
            switch change {
            case .listed(let objects): tell(.job(objects.first))
            case .added(let object), .modified(let object): tell(.job(object))
            case .deleted: tell(.job(nil))
            case .failed(let error): tell(.trouble(error))
            }
            return true
        }
    }

    private func watchPods(_ tell: @Sendable (JobNews) -> Void) async {
        await client.watch(ResourcePath(.pod, namespace: namespace), selector: "job-name=\(name)") { change in
            switch change {
            case .listed(let objects): tell(.pods(objects))
            // The last that is known of a pod that is gone says why.
            case .added(let object), .modified(let object), .deleted(let object): tell(.pods([object]))
            case .failed(let error): tell(.trouble(error))
            }
            return true
        }
    }
}
