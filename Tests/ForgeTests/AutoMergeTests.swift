import HTTP
import TestSupport
import Testing

@testable import Forge

/// Auto-merge, the newest list, and what is passed over, at each host.
@Suite(.tags(.integration)) struct AutoMergeTests {
    private func client(_ fake: FakeForge) throws -> any Forge {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .hosts(["127.0.0.1"])
        let kind = try #require(ForgeKind(rawValue: fake.kind.rawValue))
        return try ForgeProject(kind: kind, api: fake.api, path: "acme/shop", repositoryURL: "https://git.example/x/y")
            .forge(token: fake.token, http: HTTPClient(configuration), pauses: ForgePauses())
    }

    private func draft(_ head: String = "slipway/web", isDraft: Bool = false) -> PullRequestDraft {
        var options = PullRequestOptions()
        options.isDraft = isDraft
        return PullRequestDraft(head: head, base: "main", title: "Bump", body: "words", options: options)
    }

    @Test(arguments: FakeForge.Kind.allCases.filter(\.hasAutoMerge))
    func `it waits while the host prepares, is turned on, and stays`(_ kind: FakeForge.Kind) async throws {
        let fake = try FakeForge(kind)
        let forge = try client(fake)
        let (made, _) = try await forge.open(draft())
        fake.set(checks: .preparing)
        guard case .waiting = try await forge.ensureAutoMerge(made, .squash) else {
            Issue.record("it does not wait")
            return
        }
        fake.set(checks: .pending)
        #expect(try await forge.ensureAutoMerge(made, .squash) == .enabled)
        #expect(fake.all[0].autoMerge?.lowercased() == "squash")
        #expect(fake.all[0].isOpen)
        #expect(try await forge.ensureAutoMerge(made, .squash) == .enabled)
        func isOn() async throws -> Bool {
            let pull = try #require(try await forge.find(head: "slipway/web", base: "main").first)
            if let told = pull.isAutoMerge { return told }
            return try await forge.isAutoMergeOn(pull)
        }
        #expect(try await isOn())
        fake.change(1) { $0.autoMerge = nil }
        #expect(try await !isOn())
    }

    @Test(arguments: FakeForge.Kind.allCases.filter(\.hasAutoMerge))
    func `where there is nothing to wait for it is merged at once`(_ kind: FakeForge.Kind) async throws {
        let fake = try FakeForge(kind)
        let forge = try client(fake)
        let (made, _) = try await forge.open(draft())
        fake.set(checks: .none)
        // Only what was looked at.
        var other = made
        other.head = String(repeating: "c", count: 40)
        guard case .waiting = try await forge.ensureAutoMerge(other, .squash) else {
            Issue.record("another head was merged")
            return
        }
        #expect(try await forge.ensureAutoMerge(made, .squash) == .merged)
        #expect(fake.all[0].mergedBy == "squash")
    }

    @Test(arguments: FakeForge.Kind.allCases.filter(\.hasAutoMerge))
    func `a refusal and a draft are told apart`(_ kind: FakeForge.Kind) async throws {
        let fake = try FakeForge(kind)
        let forge = try client(fake)
        let (made, _) = try await forge.open(draft())
        fake.set(checks: .pending, allowsAutoMerge: false)
        guard case .refused(let reason) = try await forge.ensureAutoMerge(made, .merge) else {
            Issue.record("it is not refused")
            return
        }
        #expect(!reason.isEmpty)
        fake.set(checks: .pending)
        let (unready, _) = try await forge.open(draft("slipway/draft", isDraft: true))
        guard case .waiting = try await forge.ensureAutoMerge(unready, .merge) else {
            Issue.record("a draft does not wait")
            return
        }
        #expect(fake.all.allSatisfy { $0.isOpen && $0.autoMerge == nil })
    }

    @Test func `a host that cannot do it says so`() async throws {
        let fake = try FakeForge(.bitbucket)
        let forge = try client(fake)
        let (made, _) = try await forge.open(draft())
        let before = fake.requests.count
        guard case .refused(let reason) = try await forge.ensureAutoMerge(made, .merge) else {
            Issue.record("it is not refused")
            return
        }
        #expect(reason.contains("Bitbucket Cloud"))
        #expect(fake.requests.count == before)
    }

    @Test func `a release of Bitbucket that knows nothing of it merges what is ready`() async throws {
        let fake = try FakeForge(.bitbucketServer)
        let forge = try client(fake)
        let (made, _) = try await forge.open(draft())
        fake.set(checks: .preparing)
        guard case .waiting(let reason) = try await forge.ensureAutoMerge(made, .merge) else {
            Issue.record("it does not wait")
            return
        }
        #expect(reason.contains("Not all required builds are successful yet"))
        fake.set(checks: .none)
        #expect(try await forge.ensureAutoMerge(made, .merge) == .merged)
        #expect(fake.violations == [])
    }

    // MARK: Lists

    @Test(arguments: FakeForge.Kind.allCases)
    func `the newest list costs one request, of which nothing comes back when nothing changed`(
        _ kind: FakeForge.Kind
    ) async throws {
        let fake = try FakeForge(kind)
        let forge = try client(fake)
        for name in ["slipway/a", "slipway/b", "feature"] { _ = try await forge.open(draft(name)) }
        let before = fake.requests.count
        for _ in 1...3 {
            let list = try await forge.recent(base: "main", prefix: "slipway/")
            #expect(list.pulls.map(\.branch) == ["slipway/b", "slipway/a"])
            #expect(fake.violations == [])
            #expect(list.isComplete)
        }
        #expect(fake.requests.count == before + 3)
        #expect(fake.notModified == (kind.marksLists ? 2 : 0))
        fake.change(1) { $0.isOpen = false }
        let list = try await forge.recent(base: "main", prefix: "slipway/")
        // Azure DevOps shows the newest first, whichever changed last.
        #expect(list.pulls.map(\.state) == (kind == .azureDevOps ? [.open, .closed] : [.closed, .open]))
        for index in 0..<100 { _ = try await forge.open(draft("others/\(index)")) }
        let busy = try await forge.recent(base: "main", prefix: "slipway/")
        #expect(!busy.isComplete)
        #expect(try await forge.recent(base: "other", prefix: "").pulls.isEmpty)
    }

    @Test(arguments: FakeForge.Kind.allCases)
    func `a fork's branch of the same name is nobody's word`(_ kind: FakeForge.Kind) async throws {
        let fake = try FakeForge(kind)
        let forge = try client(fake)
        fake.fork("slipway/web", base: "main", body: "closed by whoever has the fork")
        #expect(try await forge.recent(base: "main", prefix: "").pulls.isEmpty)
        #expect(try await forge.find(head: "slipway/web", base: "main").isEmpty)
    }
}
