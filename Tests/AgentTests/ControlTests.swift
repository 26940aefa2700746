import Agent
import FileSystem
import Foundation
import ManifestUpdater
import TestSupport
import Testing

/// What a running agent can be asked, without a server.
@Suite(.tags(.unit)) struct ControlTests {
    private typealias Entry = AgentConfiguration.RepositoryConfiguration

    @Test(arguments: [
        ("/srv/shop.git", "main", "file:///srv/shop.git", "main", true),
        ("/srv/shop.git", "main", "/srv/shop.git/", "main", true),
        ("/srv/shop.git", "main", "/srv/shop.git", "staging", false),
        ("/srv/shop.git", "main", "/srv/other.git", "main", false),
        ("https://git.example.com/a/shop.git", "main", "https://ann:pa55w0rd@git.example.com/a/shop.git", "main", true),
        ("https://git.example.com/a/shop.git", "main", "https://git.example.com/b/shop.git", "main", false),
        ("https://git.example.com/a/shop.git", "main", "http://git.example.com/a/shop.git", "main", false),
    ])
    func `an entry is found by repository and branch, however its URL is spelled`(
        _ url: String, _ branch: String, _ other: String, _ otherBranch: String, _ isSame: Bool
    ) {
        let one = Entry(name: "one", url: url, branch: branch)
        let two = Entry(name: "two", url: other, branch: otherBranch)
        #expect(WatchedRepository(one).isSameBranch(as: two) == isSame)
        #expect(WatchedRepository(two).isSameBranch(as: one) == isSame)
        #expect(!WatchedRepository(two).url.contains("pa55w0rd"))
    }

    @Test(arguments: [
        (RepositoryStatus.State.ok, RepositoryStatus.State.building), (.starting, .building), (.failing, .failing),
        (.stalled, .stalled), (.held, .held), (.building, .building),
    ])
    func `a repository with a build in the queue is building, unless something worse is to be told`(
        _ state: RepositoryStatus.State, _ shown: RepositoryStatus.State
    ) {
        var status = RepositoryStatus(Entry(name: "shop", url: "/srv/shop.git", branch: "main"), since: 100)
        status.state = state
        let build = AgentOverview.Build(repository: "shop", pipeline: "web", state: .waiting, since: 50)
        let busy = AgentOverview(repositories: [status], queue: [build], failures: [])
        #expect(busy.repositories.map(\.state) == [shown])
        var other = build
        other.repository = "other"
        let idle = AgentOverview(repositories: [status], queue: [other], failures: [])
        #expect(idle.repositories.map(\.state) == [state])
    }

    @Test(arguments: [
        (["automated": "true"], [], nil as String?, true), (["locked": "true", "locked_msg": "why"], [], nil, true),
        ([:], ["tag.app"], nil, true), (["tag.app": "semver:~1"], [], nil, true), ([:], [], "glob:v*", true),
        (["kubectl.kubernetes.io/restartedAt": "now"], [], nil, false), (["tag.": "glob:*"], [], nil, false),
        ([:], ["description"], nil, false), (["tag.app": "semver:x.y.z"], [], nil, false),
        ([:], [], "regexp:(", false),
    ])
    func `only policies of workloads can be written, and only patterns that are some`(
        _ add: [String: String], _ remove: [String], _ tagAll: String?, _ isAllowed: Bool
    ) {
        let order = PolicyOrder(
            PolicyUpdate(add: add, remove: Set(remove), tagAll: tagAll), workloads: ["shop:deployment/web"])
        var refusal: ControlError?
        do throws(ControlError) { try order.validate() } catch { refusal = error }
        #expect(refusal?.code == (isAllowed ? nil : .invalidRequest))
    }

    @Test func `an edit of nothing is none`() {
        #expect(throws: ControlError.self) {
            try PolicyOrder(PolicyUpdate(add: ["automated": "true"]), workloads: []).validate()
        }
    }

    @Test func `a code of a newer agent is a failure like others`() throws {
        let text = #"{"error":{"code":"no-such-code-yet","summary":"something else"}}"#
        let error = try JSONDecoder().decode(ErrorDocument.self, from: Data(text.utf8)).error
        #expect(error == ControlError(.failed, "something else"))
    }
}
