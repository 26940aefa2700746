import Diagnostics
import Foundation
import HTTP
import TestSupport
import Testing

@testable import Forge

/// The three clients against fakes that are written from the hosts' documentation.
@Suite(.tags(.integration))
struct ForgeTests {
    private func client(
        _ fake: FakeForge, token: String? = nil, pauses: ForgePauses = ForgePauses()
    ) throws -> any Forge {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .hosts(["127.0.0.1"])
        configuration.maximumRedirects = 0
        let kind = try #require(ForgeKind(rawValue: fake.kind.rawValue))
        return try ForgeProject(kind: kind, api: fake.api, path: "acme/shop", repositoryURL: "https://git.example/x/y")
            .forge(
                token: token ?? fake.token, tokenFile: "/etc/slipway/token", http: HTTPClient(configuration),
                pauses: pauses)
    }

    private func draft(_ head: String = "slipway/web", _ options: PullRequestOptions = PullRequestOptions())
        -> PullRequestDraft
    {
        PullRequestDraft(head: head, base: "main", title: "Bump web", body: "acme/web: 1.0 -> 1.1", options: options)
    }

    @Test(arguments: FakeForge.Kind.allCases) func `opened, found, renewed, closed`(_ kind: FakeForge.Kind) async throws
    {
        let fake = try FakeForge(kind)
        let forge = try client(fake)
        #expect(try await forge.find(head: "slipway/web", base: "main") == [])
        let (made, warnings) = try await forge.open(draft())
        #expect(warnings == [])
        #expect(made.number == 1)
        #expect(made.state == .open)
        #expect(made.url.hasSuffix("/1"))
        #expect(made.head == String(repeating: "a", count: 40))
        let found = try #require(try await forge.find(head: "slipway/web", base: "main").first)
        #expect(found == made)
        #expect(found.branch == "slipway/web")
        #expect(try await forge.find(head: "slipway/other", base: "main") == [])
        #expect(try await forge.find(head: "slipway/web", base: "release") == [])
        try await forge.update(found, title: "Bump web again", body: "to 1.2")
        #expect(fake.all[0].title == "Bump web again")
        #expect(fake.all[0].body == "to 1.2")
        let again = await #expect(throws: ForgeError.self) { try await forge.open(draft()) }
        #expect(again?.code == .refused)
        #expect(again?.cause?.contains("already exists") == true)
        try await forge.update(found, title: nil, body: "to 1.3")
        #expect(fake.all[0].title == "Bump web again")
        try await forge.close(found, body: "the last words", comment: "superseded")
        #expect(fake.all[0].comments == ["superseded"])
        #expect(fake.all[0].body == "the last words")
        #expect(try await forge.find(head: "slipway/web", base: "main").map(\.state) == [.closed])
        fake.change(1) { $0.isMerged = true }
        #expect(try await forge.find(head: "slipway/web", base: "main").map(\.state) == [.merged])
        let (second, _) = try await forge.open(draft())
        #expect(try await forge.find(head: "slipway/web", base: "main").first?.number == second.number)
    }

    @Test(arguments: FakeForge.Kind.allCases) func `labels, people and draft`(_ kind: FakeForge.Kind)
        async throws
    {
        let fake = try FakeForge(kind)
        let forge = try client(fake)
        var options = PullRequestOptions()
        options.labels = ["dependencies"]
        options.reviewers = kind == .gitlab ? ["alice", "nobody"] : ["alice", "acme/platform"]
        options.assignees = ["bob"]
        options.isDraft = true
        let (_, warnings) = try await forge.open(draft("a", options))
        let pull = fake.all[0]
        #expect(pull.isDraft)
        switch kind {
        case .github:
            #expect(pull.labels == ["dependencies"])
            #expect(pull.reviewers == ["alice", "platform"])
            #expect(pull.assignees == ["bob"])
            #expect(warnings == [])
        case .gitlab:
            #expect(pull.labels == ["dependencies"])
            #expect(pull.reviewers == ["7"])
            #expect(pull.assignees == ["8"])
            #expect(warnings == ["there is no user 'nobody'"])
        case .gitea:
            #expect(pull.labels == ["10"])
            #expect(pull.reviewers == ["alice", "platform"])
            #expect(pull.assignees == ["bob"])
            #expect(warnings == [])
        }
        let open = try #require(try await forge.find(head: "a", base: "main").first)
        try await forge.update(open, title: "New", body: "")
        if kind != .github { #expect(fake.all[0].title == (kind == .gitlab ? "Draft: New" : "WIP: New")) }
    }

    @Test func `Gitea's list is looked through page by page`() async throws {
        let fake = try FakeForge(.gitea)
        let forge = try client(fake)
        for index in 0..<120 { _ = try await forge.open(draft("branch-\(index)")) }
        #expect(try await forge.find(head: "branch-3", base: "main").map(\.number) == [4])
        var options = PullRequestOptions()
        options.labels = ["org-wide", "none"]
        #expect(try await forge.open(draft("labelled", options)).warnings == ["there is no label 'none'"])
        #expect(fake.all.last?.labels == ["20"])
    }

    @Test(arguments: FakeForge.Kind.allCases) func `failures are explained, and tokens kept`(_ kind: FakeForge.Kind)
        async throws
    {
        let fake = try FakeForge(kind)
        let wrong = await #expect(throws: ForgeError.self) {
            try await client(fake, token: "wr0ng-t0ken").find(head: "a", base: "main")
        }
        #expect(wrong?.code == .authentication)
        #expect(wrong.map { "\($0)".contains("wr0ng-t0ken") } == false)
        #expect(wrong?.hint?.contains("/etc/slipway/token") == true)
        let replies: [(StubReply, ForgeError.Code, String)] = [
            (
                .text(403, #"{"message":"Resource not accessible by token"}"#), .authentication,
                "Resource not accessible"
            ),
            (.text(404, #"{"message":"Not Found"}"#), .notFound, "pullRequest.project"),
            (.text(500, "<html>oops \(fake.token)</html>"), .unavailable, "the next cycle"),
            (.text(200, "<html>"), .unexpectedAnswer, "not JSON"),
            (.text(200, "[{}]"), .unexpectedAnswer, "is missing"),
            (.text(422, #"{"message":"you sent \#(fake.token)\u001b[31m"}"#), .refused, "you sent ***"),
            (.text(301, "", headers: [("Location", "https://evil.example/")]), .unavailable, "redirect"),
            (.answer(200, body: [UInt8](repeating: 0x20, count: 17 << 20)), .unavailable, "exceeds"),
            (.raw([]), .unavailable, "broke"),
        ]
        for (reply, code, words) in replies {
            fake.fail([reply])
            let error = await #expect(throws: ForgeError.self, "\(reply)") {
                try await client(fake).find(head: "a", base: "main")
            }
            let text = error.map { "\($0)" } ?? ""
            #expect(error?.code == code, "\(text)")
            #expect(text.contains(words), "\(text)")
            #expect(!text.contains(fake.token))
            #expect(!text.contains("\u{1b}"))
        }
        // What is only decoration never costs the pull request.
        var options = PullRequestOptions()
        options.assignees = kind == .gitlab ? ["alice"] : []
        options.reviewers = ["alice"]
        if kind == .gitlab {
            fake.fail([.text(500, ""), .text(500, "")])
            #expect(try await client(fake).open(draft("b", options)).warnings.count == 2)
        }
    }

    @Test(arguments: [
        ("https://github.com/acme/shop.git", ForgeKind.github, "https://api.github.com", "acme/shop"),
        ("git@github.com:acme/shop.git", .github, "https://api.github.com", "acme/shop"),
        ("ssh://git@ghe.example:2222/acme/shop", .github, "https://ghe.example/api/v3", "acme/shop"),
        ("https://user:pw@gitlab.example:8443/a/b/c.git/", .gitlab, "https://gitlab.example:8443/api/v4", "a/b/c"),
        ("ssh://git@gitea.example:22/acme/shop.git", .gitea, "https://gitea.example/api/v1", "acme/shop"),
    ]) func `the API is found from the repository's URL`(
        _ url: String, _ kind: ForgeKind, _ api: String, _ path: String
    ) throws {
        let project = try ForgeProject(kind: kind, api: nil, path: nil, repositoryURL: url)
        #expect(project.path == path)
        #expect(project.api.description.hasPrefix(api))
    }

    @Test(arguments: [
        ("/srv/git/shop.git", ForgeKind.github), ("file:///srv/git/shop.git", .gitlab),
        ("https://github.com/shop", .github),
        ("https://github.com/a/b/c", .github), ("https://github.com/acme/shop", .gitlab),
        ("git@gitlab.com:acme/shop.git", .gitea), ("https://codeberg.org/acme/shop", .github),
    ]) func `what is missing is said`(_ url: String, _ kind: ForgeKind) {
        let error = #expect(throws: ForgeError.self) {
            try ForgeProject(kind: kind, api: nil, path: nil, repositoryURL: url)
        }
        #expect(error?.code == .invalid)
        #expect(error?.hint?.contains("pullRequest.") == true)
    }
}
