import Foundation
import HTTP
import TestSupport
import Testing

@testable import Forge

/// What each host is sent for a status, by its own documentation.
@Suite(.tags(.integration)) struct StatusTests {
    private static let commit = String(repeating: "1", count: 40)

    private static func host(
        _ kind: StatusHostKind, _ server: StubServer, token: String = "t0ken-s3cret"
    ) throws -> any CommitStatusHost {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .hosts(["127.0.0.1"])
        configuration.maximumRedirects = 0
        return try StatusProject(
            kind: kind, api: server.url, path: "acme/shop", repositoryURL: "https://git.example/x/y"
        )
        .host(token: token, tokenFile: "/etc/slipway/token", http: HTTPClient(configuration), pauses: ForgePauses())
    }

    private static func status(_ state: CommitStatus.State, link: String? = "https://ci.example/builds/1")
        -> CommitStatus
    {
        CommitStatus(state: state, name: "slipway/web", description: "pushed", link: link)
    }

    private static let bitbucketPath = "/repositories/acme/shop/commit/\(commit)/statuses/build"
    private static let serverPath = "/projects/acme/repos/shop/commits/\(commit)/builds"

    @Test(arguments: [
        (
            StatusHostKind.github, "/repos/acme/shop/statuses/\(commit)", "authorization", "Bearer t0ken-s3cret",
            [
                "state": "success", "context": "slipway/web", "description": "pushed",
                "target_url": "https://ci.example/builds/1",
            ]
        ),
        (
            .gitea, "/repos/acme/shop/statuses/\(commit)", "authorization", "token t0ken-s3cret",
            [
                "state": "success", "context": "slipway/web", "description": "pushed",
                "target_url": "https://ci.example/builds/1",
            ]
        ),
        (
            .gitlab, "/projects/acme%2Fshop/statuses/\(commit)", "private-token", "t0ken-s3cret",
            [
                "state": "success", "name": "slipway/web", "ref": "main", "description": "pushed",
                "target_url": "https://ci.example/builds/1",
            ]
        ),
        (
            .bitbucket, bitbucketPath, "authorization", "Bearer t0ken-s3cret",
            [
                "state": "SUCCESSFUL", "key": "slipway/web", "name": "slipway/web", "description": "pushed",
                "url": "https://ci.example/builds/1",
            ]
        ),
        (
            .bitbucketServer, serverPath, "x-atlassian-token", "no-check",
            [
                "state": "SUCCESSFUL", "key": "slipway/web", "name": "slipway/web", "description": "pushed",
                "url": "https://ci.example/builds/1",
            ]
        ),
    ])
    func `a status in the words of each host`(
        _ kind: StatusHostKind, _ path: String, _ header: String, _ value: String, _ body: [String: String]
    ) async throws {
        let server = try StubServer { _ in .text(201, "{}") }
        try await Self.host(kind, server).set(Self.status(.success), of: Self.commit, on: "main")
        let request = try #require(server.requests.first)
        #expect(request.method == "POST")
        #expect(request.path == path)
        #expect(request.headers[header] == value)
        #expect(try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: String] == body)
        server.stop()
    }

    @Test(arguments: [
        (StatusHostKind.github, ["pending", "pending", "success", "failure", "error", "error"]),
        (.gitea, ["pending", "pending", "success", "failure", "error", "error"]),
        (.gitlab, ["pending", "running", "success", "failed", "failed", "canceled"]),
        (.bitbucket, ["INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "FAILED", "STOPPED"]),
        (.bitbucketServer, ["INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "FAILED", "CANCELLED"]),
    ])
    func `states in the words of each host`(_ kind: StatusHostKind, _ words: [String]) async throws {
        let server = try StubServer { _ in .text(200, "") }
        let host = try Self.host(kind, server)
        for state in CommitStatus.State.allCases { try await host.set(Self.status(state), of: Self.commit, on: "main") }
        let sent = try server.requests.map {
            (try JSONSerialization.jsonObject(with: Data($0.body)) as? [String: String])?["state"]
        }
        #expect(sent == words)
        server.stop()
    }

    @Test func `Bitbucket's API tokens come with their address`() async throws {
        let server = try StubServer { _ in .text(201, "{}") }
        try await Self.host(.bitbucket, server, token: "ann@example.com:ATATT").set(
            Self.status(.pending), of: Self.commit, on: "main")
        #expect(server.requests.first?.headers["authorization"] == "Basic YW5uQGV4YW1wbGUuY29tOkFUQVRU")
        server.stop()
    }

    @Test func `GitLab that is told a state again, and GitLab that is busy`() async throws {
        let again = try StubServer { _ in
            .text(
                400,
                #"{"message":"Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition)"}"#
            )
        }
        try await Self.host(.gitlab, again).set(Self.status(.pending), of: Self.commit, on: "main")
        again.stop()
        let busy = try StubServer { _ in
            .text(409, #"{"message":"Another update to this commit status is in progress"}"#)
        }
        let error = await #expect(throws: ForgeError.self) {
            try await Self.host(.gitlab, busy).set(Self.status(.pending), of: Self.commit, on: "main")
        }
        #expect(error?.isConflict == true)
        busy.stop()
    }

    @Test func `a refusal says what to look at, without the token`() async throws {
        let server = try StubServer { _ in .text(403, #"{"message":"t0ken-s3cret may not"}"#) }
        let error = await #expect(throws: ForgeError.self) {
            try await Self.host(.github, server).set(Self.status(.pending), of: Self.commit, on: "main")
        }
        #expect(error?.code == .authentication)
        #expect(error?.hint?.contains("git.status.project") == true)
        #expect(error.map { "\($0)".contains("t0ken-s3cret") } == false)
        server.stop()
    }

    @Test func `long texts are cut between characters, long keys are hashed`() {
        let text = String(repeating: "x", count: 138) + "👍🏽!!!"
        let cut = CommitStatus.cut(text, to: 140)
        #expect(cut == String(repeating: "x", count: 138) + "…")
        #expect(CommitStatus.cut(String(repeating: "y", count: 140), to: 140).count == 140)
        #expect(CommitStatus.cut("a\nb", to: 140) == "a\u{fffd}b")
        #expect(StatusClient.key("slipway/web") == "slipway/web")
        #expect(StatusClient.key("slipway/build: registry.example/shop") == "slipway/build: registry.example/shop")
        #expect(StatusClient.key("slipway/" + String(repeating: "a", count: 33)).count == 40)
        #expect(
            StatusClient.hashed("slipway/build: registry.example/shop") == "d5230138f20aa91a27d105e6e6930f7ef68ccb15")
    }

    @Test(arguments: [
        (StatusHostKind.github, "git@github.com:acme/shop.git", "https://api.github.com/", "acme/shop"),
        (.github, "https://ghe.example/acme/shop.git", "https://ghe.example/api/v3", "acme/shop"),
        (.gitlab, "https://gl.example/a/b/c.git", "https://gl.example/api/v4", "a/b/c"),
        (.gitea, "ssh://git@gitea.example:2222/acme/shop.git", "https://gitea.example/api/v1", "acme/shop"),
        (.bitbucket, "git@bitbucket.org:acme/shop.git", "https://api.bitbucket.org/2.0", "acme/shop"),
        (.bitbucketServer, "https://bb.example/scm/PRJ/shop.git", "https://bb.example/rest/api/latest", "PRJ/shop"),
    ])
    func `where the API is`(_ kind: StatusHostKind, _ url: String, _ api: String, _ path: String) throws {
        let project = try StatusProject(kind: kind, api: nil, path: nil, repositoryURL: url)
        #expect(project.api.text == api)
        #expect(project.path == path)
    }

    @Test(arguments: ["/srv/git/shop.git", "https://git.example/shop.git", "https://git.example/a/b/c.git"])
    func `a project that is not known`(_ url: String) {
        #expect(throws: ForgeError.self) {
            try StatusProject(kind: .github, api: nil, path: nil, repositoryURL: url)
        }
    }
}
