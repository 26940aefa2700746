import Diagnostics
import Foundation
import HTTP
import TestSupport
import Testing

@testable import Forge

/// The clients against fakes that are written from the hosts' documentation.
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
        #expect(made.head == String(repeating: "a", count: kind == .bitbucket ? 12 : 40))
        let found = try #require(try await forge.find(head: "slipway/web", base: "main").first)
        #expect(found == made)
        #expect(found.author?.isEmpty == false)
        #expect(found.isAt(String(repeating: "a", count: 40)))
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
        #expect(fake.violations == [])
    }

    @Test(arguments: FakeForge.Kind.allCases) func `labels, people and draft`(_ kind: FakeForge.Kind)
        async throws
    {
        let fake = try FakeForge(kind)
        let forge = try client(fake)
        var options = PullRequestOptions()
        let known = try #require(ForgeKind(rawValue: kind.rawValue))
        options.labels = [.bitbucket, .bitbucketServer].contains(kind) ? [] : ["dependencies"]
        options.reviewers =
            switch kind {
            case .github, .gitea: ["alice", "acme/platform"]
            case .gitlab: ["alice", "nobody"]
            case .bitbucket: ["{00000000-0000-4000-8000-00000000000a}", "557058:00000000-0000-4000-8000-00000000000b"]
            case .bitbucketServer: ["alice", "bob"]
            case .azureDevOps:
                ["alice@example.com", "[acme]\\Platform", "nobody", "00000000-0000-4000-8000-00000000000c"]
            }
        options.assignees = [.github, .gitlab, .gitea].contains(kind) ? ["bob"] : []
        #expect(options.unsupported(at: known) == [])
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
        case .bitbucket, .bitbucketServer:
            #expect(pull.reviewers == options.reviewers)
            #expect(warnings == [])
        case .azureDevOps:
            #expect(pull.labels == ["dependencies"])
            #expect(pull.reviewers.map { $0.suffix(2) } == ["0a", "0b", "0c"])
            #expect(warnings == ["there is no user or team 'nobody'"])
        }
        #expect(fake.violations == [])
        let open = try #require(try await forge.find(head: "a", base: "main").first)
        try await forge.update(open, title: "New", body: "")
        let prefix = kind == .gitlab ? "Draft: " : kind == .gitea ? "WIP: " : ""
        #expect(fake.all[0].title == prefix + "New")
        // A host that takes the reviewers of each change for all that there are gets them again.
        #expect(fake.all[0].reviewers.count == pull.reviewers.count || kind == .bitbucket)
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
        let list =
            kind == .bitbucket || kind == .bitbucketServer
            ? #"{"values":[{}]}"# : kind == .azureDevOps ? #"{"value":[{}]}"# : "[{}]"
        let replies: [(StubReply, ForgeError.Code, String)] = [
            (
                .text(403, #"{"message":"Resource not accessible by token"}"#), .authentication,
                "Resource not accessible"
            ),
            (.text(404, #"{"message":"Not Found"}"#), .notFound, "pullRequest.project"),
            (.text(500, "<html>oops \(fake.token)</html>"), .unavailable, "the next cycle"),
            (.text(200, "<html>"), .unexpectedAnswer, "not JSON"),
            (.text(200, list), .unexpectedAnswer, "is missing"),
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
        ("https://acme.ghe.com/acme/shop", .github, "https://api.acme.ghe.com", "acme/shop"),
        ("git@bitbucket.org:acme/shop.git", .bitbucket, "https://api.bitbucket.org/2.0", "acme/shop"),
        (
            "https://bb.example/git/scm/PRJ/shop.git", .bitbucketServer, "https://bb.example/git/rest/api/latest",
            "PRJ/shop"
        ),
        (
            "ssh://git@bb.example:7999/~ann/shop.git", .bitbucketServer, "https://bb.example/rest/api/latest",
            "~ann/shop"
        ),
        (
            "https://acme@dev.azure.com/acme/My%20Shop/_git/web", .azureDevOps, "https://dev.azure.com/acme",
            "My Shop/web"
        ),
        ("https://dev.azure.com/acme/_git/web", .azureDevOps, "https://dev.azure.com/acme", "web/web"),
        (
            "https://acme.visualstudio.com/DefaultCollection/Shop/_git/web", .azureDevOps, "https://dev.azure.com/acme",
            "Shop/web"
        ),
        ("git@ssh.dev.azure.com:v3/acme/Shop/web", .azureDevOps, "https://dev.azure.com/acme", "Shop/web"),
        ("https://tfs.example/tfs/Main/Shop/_git/web", .azureDevOps, "https://tfs.example/tfs/Main", "Shop/web"),
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
        ("https://bitbucket.org/acme/shop", .bitbucketServer), ("https://dev.azure.com/acme/shop", .azureDevOps),
        ("https://acme.visualstudio.com/Shop/_git/web", .gitlab),
    ]) func `what is missing is said`(_ url: String, _ kind: ForgeKind) {
        let error = #expect(throws: ForgeError.self) {
            try ForgeProject(kind: kind, api: nil, path: nil, repositoryURL: url)
        }
        #expect(error?.code == .invalid)
        #expect(error?.hint?.contains("pullRequest.") == true)
    }

    @Test(
        arguments: [
            (
                403, "", [("X-Accepted-GitHub-Permissions", "pull_requests=write; issues=write,metadata=read")],
                ForgeError.Code.authentication, "'Pull requests: write', or 'Issues: write' and 'Metadata: read'"
            ),
            (403, #"{"message":"no"}"#, [], .authentication, "Contribute to pull requests"),
            (422, #"{"message":"Repository rule violations found"}"#, [], .policy, "exception"),
            (403, #"{"message":"TF402455: Pushes to this branch are not permitted"}"#, [], .policy, "exception"),
            (
                400, #"{"type":"error","error":{"message":"a branch restriction is in the way"}}"#, [], .policy,
                "exception"
            ),
            (203, "<html>Sign in</html>", [], .authentication, "expired"),
        ] as [(Int, String, [(String, String)], ForgeError.Code, String)])
    func `permission, policy and token are told apart`(
        _ status: Int, _ body: String, _ headers: [(String, String)], _ code: ForgeError.Code, _ hint: String
    ) async throws {
        let fake = try FakeForge(.github)
        fake.fail([.text(status, body, headers: headers)])
        let error = await #expect(throws: ForgeError.self) {
            try await client(fake).find(head: "a", base: "main")
        }
        #expect(error?.code == code)
        #expect(error?.hint?.contains(hint) == true, "\(error?.hint ?? "")")
    }

    @Test(arguments: [
        (ForgeKind.bitbucket, ["labels", "assignees", "reviewers", "autoMerge"]),
        (.bitbucketServer, ["labels", "assignees", "reviewers"]), (.azureDevOps, ["assignees"]),
        (.gitlab, ["reviewers"]), (.github, []), (.gitea, []),
    ])
    func `what a host does not have is known beforehand`(_ kind: ForgeKind, _ keys: [String]) {
        var options = PullRequestOptions()
        options.labels = ["dependencies"]
        options.assignees = ["bob"]
        options.reviewers = ["acme/platform"]
        options.autoMerge = .squash
        #expect(options.unsupported(at: kind).map(\.key) == keys)
        #expect(options.unsupported(at: kind).allSatisfy { !$0.reason.isEmpty && !$0.hint.isEmpty })
    }

    @Test(arguments: [.bitbucket, .bitbucketServer] as [FakeForge.Kind])
    func `a reviewer that Bitbucket does not take costs no pull request`(_ kind: FakeForge.Kind) async throws {
        let fake = try FakeForge(kind)
        var options = PullRequestOptions()
        options.reviewers = kind == .bitbucket ? [FakeForge.accountID] : ["nobody"]
        let (made, warnings) = try await client(fake).open(draft("a", options))
        #expect(made.number == 1)
        #expect(warnings.count == 1 && warnings[0].contains("reviewer"))
    }

    @Test func `Azure DevOps cuts descriptions in lists, and nothing gets lost`() async throws {
        let fake = try FakeForge(.azureDevOps)
        let forge = try client(fake)
        let words = String(repeating: "many words ", count: 90)
        let marker = "<!-- slipway-update: 0123456789ab -->"
        var draft = draft()
        draft.body = words + "\n\n" + marker
        let (made, _) = try await forge.open(draft)
        #expect(made.body.hasSuffix(marker))
        let listed = try #require(try await forge.recent(base: "main", prefix: "").pulls.first)
        #expect(listed.body.hasSuffix(marker))
        #expect(listed.body.count < 420)
        #expect(try await forge.whole(listed).body.split(separator: " ") == made.body.split(separator: " "))
        #expect(fake.all[0].body.hasPrefix(marker))
    }

    @Test(arguments: [.bitbucket, .bitbucketServer] as [FakeForge.Kind])
    func `Bitbucket shows no marker`(_ kind: FakeForge.Kind) async throws {
        let fake = try FakeForge(kind)
        let forge = try client(fake)
        var draft = draft()
        draft.body = "words\n\n<!-- slipway-update: 0123456789ab -->"
        let (made, _) = try await forge.open(draft)
        #expect(made.body == draft.body)
        #expect(fake.all[0].body == "words\n\n[//]: # (slipway-update: 0123456789ab)")
    }

    @Test(arguments: FakeForge.Kind.allCases)
    func `one comment is kept, and nobody else's is taken for it`(_ kind: FakeForge.Kind) async throws {
        let fake = try FakeForge(kind)
        let (made, _) = try await client(fake).open(draft())
        fake.comment(1, "looks fine", by: "alice")
        #expect(try await client(fake).keepComment("web 1.0 → 1.1", on: made))
        let written = try #require(fake.all[0].comments.last)
        #expect(written.hasPrefix("web 1.0 → 1.1\n\n"))
        // Somebody repeats its hidden line.
        fake.comment(1, written.replacing("1.1", with: "6.6"), by: "mallory")
        fake.comment(1, "and more", by: "alice")
        // Another process, later.
        #expect(try await !client(fake).keepComment("web 1.0 → 1.1", on: made))
        #expect(try await client(fake).keepComment("web 1.0 → 1.2", on: made))
        #expect(fake.all[0].notes.map(\.author) == ["alice", "slipway", "mallory", "alice"])
        #expect(fake.all[0].comments[1] == written.replacing("1.1", with: "1.2"))
        #expect(fake.violations == [])
    }
}
