import TestSupport
import Testing

@testable import Webhooks

/// Whole requests of every host.
@Suite(.tags(.unit)) struct ReceiverTests {
    @Test func `every kind of host has a recorded request, or the same body as one that has`() {
        let recorded = Set(RecordedRequest.all.map(\.receiver))
        let alike: Set<String> = [
            "ghcr", "forgejo", "bitbucket", "generic", "generic-hmac", "standard-webhooks",
        ]
        #expect(RecordedRequest.all.count > 50)
        #expect(WebhookKind.allCases.allSatisfy { recorded.contains($0.rawValue) || alike.contains($0.rawValue) })
    }

    @Test(arguments: RecordedRequest.all) func `a recorded request gives its answer and its events`(
        _ recorded: RecordedRequest
    ) throws {
        let outcome = try recorded.webhook().receive(recorded.request(), now: recorded.now)
        let expected = recorded.expect
        #expect(expected.statuses.contains(outcome.status) || expected.takesMalformed && outcome.status == 400)
        #expect(outcome.events == expected.events.compactMap(\.event))
    }

    // MARK: Events without a recorded request

    private static func receive(
        _ kind: WebhookKind, _ body: String, headers: [(name: String, value: String)] = [], registry: String? = nil
    ) -> WebhookOutcome {
        WebhookReceiver(kind: kind, secrets: [], registry: registry).receive(
            WebhookRequest(method: "POST", headers: headers, body: Array(body.utf8)), now: 0)
    }

    private static func git(
        _ urls: [String], _ ref: String?, path: String? = nil, isDeleted: Bool = false
    ) -> WebhookEvent {
        .git(GitEvent(urls: urls, path: path, ref: ref, isDeleted: isDeleted))
    }

    private static let one = "1111111111111111111111111111111111111111"
    private static let zero = "0000000000000000000000000000000000000000"

    @Test func `Bitbucket Cloud tells several references at once, and no addresses`() {
        let body = """
            {"push": {"changes": [
              {"old": null, "new": {"type": "tag", "name": "v2", "target": {"hash": "\(Self.one)"}}, "created": true},
              {"old": {"type": "branch", "name": "gone", "target": {"hash": "\(Self.one)"}}, "new": null}, {}]},
             "repository": {"full_name": "acme/shop"}}
            """
        let urls = ["https://bitbucket.org/acme/shop.git", "git@bitbucket.org:acme/shop.git"]
        #expect(
            Self.receive(.bitbucket, body, headers: [("X-Event-Key", "repo:push")]).events == [
                .git(GitEvent(urls: urls, ref: "refs/tags/v2", after: Self.one)),
                .git(GitEvent(urls: urls, ref: "refs/heads/gone", before: Self.one, isDeleted: true)),
                .git(GitEvent(urls: urls, isDeleted: true)),
            ])
        #expect(Self.receive(.bitbucket, body, headers: [("X-Event-Key", "pullrequest:created")]).events == [])
    }

    @Test(
        arguments: [
            // Old versions have no links: the project and the name have to do.
            (
                #"{"repository":{"slug":"shop","project":{"key":"PRJ"},"links":{"clone":"x"}},"changes":[{"ref":{"id":"refs/heads/main"},"type":"UPDATE"}]}"#,
                [git([], "refs/heads/main", path: "PRJ/shop")]
            ),
            (#"{"repository":{"slug":"shop"},"changes":[{"ref":{"id":"refs/heads/main"},"type":"UPDATE"}]}"#, []),
            (
                #"{"repository":{"links":{"clone":[{"href":"ssh://h/p/s.git"}]}},"changes":[{"ref":{"id":"refs/heads/x"},"type":"DELETE"}]}"#,
                [git(["ssh://h/p/s.git"], "refs/heads/x", isDeleted: true)]
            ),
        ] as [(String, [WebhookEvent])])
    func `Bitbucket Server's repositories without links`(_ body: String, _ events: [WebhookEvent]) {
        #expect(Self.receive(.bitbucketServer, body, headers: [("X-Event-Key", "repo:refs_changed")]).events == events)
    }

    @Test(
        arguments: [
            (#"{"eventType":"git.push","resource":{}}"#, [WebhookEvent.unnamed]),
            (#"{"eventType":"git.push"}"#, [.unnamed]),
            (#"{"eventType":"git.pullrequest.created","resource":{}}"#, []),
            (
                #"{"eventType":"git.push","resource":{"repository":{"remoteUrl":"https://dev.azure.com/a/b/_git/c"}}}"#,
                []
            ),
            (
                #"{"eventType":"git.push","resource":{"repository":{"remoteUrl":"u"},"refUpdates":[{"name":"refs/heads/main"}]}}"#,
                [git(["u"], "refs/heads/main")]
            ),
        ] as [(String, [WebhookEvent])])
    func `Azure DevOps with all details, and with fewer`(_ body: String, _ events: [WebhookEvent]) {
        #expect(Self.receive(.azureDevOps, body).events == events)
    }

    @Test(
        arguments: [
            (#"{}"#, [WebhookEvent.unnamed]),
            (
                #"{"repository":"/srv/git/shop.git","ref":"refs/heads/main"}"#,
                [git(["/srv/git/shop.git"], "refs/heads/main")]
            ),
            (#"{"repositories":["a:b","c:d",7]}"#, [git(["a:b"], nil), git(["c:d"], nil)]),
            (
                #"{"image":"reg.example:5000/team/shop:1.2@sha256:aa"}"#,
                [
                    .image(
                        ImageEvent(
                            registry: "reg.example:5000", repository: "team/shop", tag: "1.2", digest: "sha256:aa"))
                ]
            ),
            (#"{"images":["nginx:1"]}"#, [.image(ImageEvent(registry: "docker.io", repository: "nginx", tag: "1"))]),
            (#"{"image":"acme/shop"}"#, [.image(ImageEvent(registry: "docker.io", repository: "acme/shop"))]),
            (#"{"image":""}"#, [.unnamed]),
            (#"{"image":"localhost/"}"#, [.image(ImageEvent(registry: "docker.io", repository: "localhost/"))]),
        ] as [(String, [WebhookEvent])])
    func `the body of our own`(_ body: String, _ events: [WebhookEvent]) {
        for kind in [WebhookKind.generic, .genericHMAC, .standardWebhooks] {
            #expect(Self.receive(kind, body).events == events)
            // What curl says of whatever it sends.
            let form = [(name: "Content-Type", value: "application/x-www-form-urlencoded")]
            #expect(Self.receive(kind, body, headers: form).events == events)
        }
    }

    @Test(
        arguments: [
            // Ancient versions, none, and null.
            (#"{"docker_url":"q.example/a/b","updated_tags":{"2":"x","1":"y"}}"#, ["1", "2"]),
            (#"{"docker_url":"q.example/a/b"}"#, []), (#"{"docker_url":"q.example/a/b","updated_tags":null}"#, []),
            (#"{"docker_url":"q.example","updated_tags":["1"]}"#, []),
        ] as [(String, [String])])
    func `Quay's tags`(_ body: String, _ tags: [String]) {
        let events = tags.map { WebhookEvent.image(ImageEvent(registry: "q.example", repository: "a/b", tag: $0)) }
        #expect(Self.receive(.quay, body).events == events)
    }

    @Test(arguments: [0, 1, 1_000]) func `an envelope may have any number of events`(count: Int) {
        let event =
            #"{"action":"push","target":{"repository":"a/b","url":"http://r/v2/a/b/manifests/x"},"request":{"host":"r:5000"}}"#
        let body = #"{"events":[\#(Array(repeating: event, count: count).joined(separator: ","))]}"#
        #expect(Self.receive(.distribution, body).events.count == count)
    }

    @Test func `the configured registry counts more than the body's`() {
        let body =
            #"{"events":[{"action":"push","target":{"repository":"a/b","tag":"1","url":"/manifests/"},"request":{"host":"10.0.0.1:5000"}}]}"#
        #expect(
            Self.receive(.distribution, body, registry: "registry.example.com").events == [
                .image(ImageEvent(registry: "registry.example.com", repository: "a/b", tag: "1"))
            ])
    }

    @Test(arguments: [
        ("cn-north-1", "1.dkr.ecr.cn-north-1.amazonaws.com.cn"), ("eu-west-1", "1.dkr.ecr.eu-west-1.amazonaws.com"),
    ])
    func `Amazon's registries in China have another domain, and untagged pushes count`(_ region: String, _ host: String)
    {
        let body = """
            {"source":"aws.ecr","account":"1","region":"\(region)",
             "detail":{"result":"SUCCESS","action-type":"PUSH","repository-name":"a/b","image-digest":"sha256:aa"}}
            """
        #expect(
            Self.receive(.ecr, body).events == [
                .image(ImageEvent(registry: host, repository: "a/b", digest: "sha256:aa"))
            ])
    }

    @Test(arguments: [
        (
            #"{"package":{"name":"Shop","package_type":"docker","owner":{"login":"Acme"},"package_version":{"package_url":"ghcr.io/acme/shop:"}}}"#,
            1
        ),
        (#"{"package":{"name":"shop","package_type":"npm","owner":{"login":"Acme"}}}"#, 0), (#"{"package":"x"}"#, 0),
    ])
    func `packages are images only where they are containers`(_ body: String, _ count: Int) {
        let image = WebhookEvent.image(ImageEvent(registry: "ghcr.io", repository: "acme/shop"))
        #expect(
            Self.receive(.ghcr, body, headers: [("X-GitHub-Event", "package")]).events
                == Array(repeating: image, count: count))
    }

    @Test(arguments: [
        // Both sides zero: Gitea's test button. Deleted without the word.
        (zero, zero, false), (one, zero, true), (zero, one, false),
        (one, String(repeating: "0", count: 64), true),
    ])
    func `zeros stand for no commit`(_ before: String, _ after: String, _ isDeleted: Bool) throws {
        let body = #"{"ref":"refs/heads/x","before":"\#(before)","after":"\#(after)","repository":{"clone_url":"u"}}"#
        let event = try #require(Self.receive(.gitea, body, headers: [("X-Gitea-Event", "push")]).events.first)
        guard case .git(let git) = event else {
            Issue.record("\(event)")
            return
        }
        #expect(git.isDeleted == isDeleted)
    }
}
