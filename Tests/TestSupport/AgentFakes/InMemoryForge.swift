package import Forge
import Synchronization

/// A code host's pull requests in memory.
package final class InMemoryForge: Forge {
    private struct State {
        var requests: [PullRequest] = []
        var bases: [Int: String] = [:]
        var sources: [Int: String] = [:]
        var comments: [String] = []
        var failures: [ForgeError] = []
    }

    private let state = Mutex(State())

    package init() {}

    package var open: [PullRequest] { state.withLock { $0.requests.filter { $0.state == .open } } }
    package var all: [PullRequest] { state.withLock { $0.requests } }
    package var comments: [String] { state.withLock { $0.comments } }

    /// A person closes a pull request, or merges it.
    package func set(_ number: Int, to newState: PullRequest.State) {
        state.withLock { state in
            for index in state.requests.indices where state.requests[index].number == number {
                state.requests[index].state = newState
            }
        }
    }

    package func find(head: String, base: String) async throws(ForgeError) -> PullRequest? {
        state.withLock { state in
            state.requests.last { state.sources[$0.number] == head && state.bases[$0.number] == base }
        }
    }

    package func open(
        _ draft: PullRequestDraft
    ) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String]) {
        state.withLock { state in
            let number = state.requests.count + 1
            let request = PullRequest(
                number: number, url: "https://git.example.com/acme/shop/pulls/\(number)", state: .open,
                title: draft.title, body: draft.body, head: draft.head)
            state.requests.append(request)
            state.bases[number] = draft.base
            state.sources[number] = draft.head
            return (request, [])
        }
    }

    package func update(_ pullRequest: PullRequest, title: String, body: String) async throws(ForgeError) {
        state.withLock { state in
            for index in state.requests.indices where state.requests[index].number == pullRequest.number {
                state.requests[index].title = title
                state.requests[index].body = body
            }
        }
    }

    package func close(_ pullRequest: PullRequest, comment: String) async throws(ForgeError) {
        set(pullRequest.number, to: .closed)
        state.withLock { $0.comments.append(comment) }
    }
}
