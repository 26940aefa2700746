import Foundation
import TestSupport
import Testing

/// Changes that go to people as pull requests, at fakes of the three code hosts.
@Suite(.tags(.endToEnd)) struct GitPullRequestTests {
    private func configuration(_ fake: FakeForge, _ loop: GitLoop, more: String = "") throws -> String {
        try Data((fake.token + "\n").utf8).write(to: URL(fileURLWithPath: loop.scratch.file("token")))
        return """
            commit: {per: image}
            pullRequest:
              host: \(fake.kind.rawValue)
              api: \(fake.api)
              project: acme/shop
              tokenFile: \(loop.scratch.file("token"))
              insecure: true
            \(more)
            """
    }

    @Test(arguments: [.github, .gitlab, .gitea] as [FakeForge.Kind])
    func `opened once, renewed, merged, superseded, left closed`(_ kind: FakeForge.Kind) throws {
        let loop = try GitLoop("pull-requests")
        try loop.standard()
        let repository = loop.repository
        let fake = try FakeForge(kind) { branch in try? repository.head(branch) }
        let git = try configuration(fake, loop, more: "  labels: [dependencies]")
        let output = try loop.sync(configuration: git)
        #expect(!output.stderr.contains(fake.token))
        #expect(output.stdout.contains("pull request https://"))
        #expect(fake.all.map(\.head) == ["slipway/acme/api", "slipway/acme/web"])
        #expect(fake.all.map(\.title) == ["Auto-release acme/api:1.1.0", "Auto-release acme/web:1.1.0"])
        #expect(
            fake.all[1].body.contains(
                "| `deploy/web.yaml:14` | `shop:deployment/web` | `app` | `acme/web:1.0.0` | `acme/web:1.1.0` |"))
        #expect(fake.all[1].labels == (kind == .gitea ? ["10"] : ["dependencies"]))
        // Again, also with an empty disk: the same two.
        try loop.sync(configuration: git, state: "other")
        #expect(fake.all.count == 2)
        // A new image: the same branch, the same pull request, new words.
        try loop.publish("acme/web", ["1.2.0"])
        try loop.sync(configuration: git)
        #expect(fake.all.count == 2)
        #expect(fake.all[1].title == "Auto-release acme/web:1.2.0")
        #expect(try repository.content(of: "deploy/web.yaml", at: "slipway/acme/web").contains("1.2.0"))
        // Merged: the branch goes; nothing is opened again.
        try repository.git("update-ref", "refs/heads/main", try repository.head("slipway/acme/web"))
        fake.change(2) { pull in
            pull.isOpen = false
            pull.isMerged = true
        }
        #expect(try loop.sync(configuration: git).stderr.contains("branch slipway/acme/web: removed"))
        #expect(fake.all.count == 2)
        // Closed by somebody: it stays closed until there is something new.
        fake.change(1) { $0.isOpen = false }
        #expect(try loop.sync(configuration: git).stderr.contains("somebody closed"))
        #expect(fake.all.count == 2)
        try loop.publish("acme/api", ["1.2.0"])
        try loop.sync(configuration: git)
        #expect(fake.all.map(\.title).last == "Auto-release acme/api:1.2.0")
        #expect(fake.all.count == 3)
        // Closed with its branch deleted: neither comes back.
        fake.change(3) { $0.isOpen = false }
        try repository.git("update-ref", "-d", "refs/heads/slipway/acme/api")
        #expect(try loop.sync(configuration: git, state: "third").stderr.contains("somebody closed"))
        #expect(fake.all.count == 3)
        #expect(try repository.git("for-each-ref", "--format=%(refname:short)", "refs/heads/") == "main")
        try loop.publish("acme/api", ["1.3.0"])
        try loop.sync(configuration: git)
        #expect(fake.all.map(\.title).last == "Auto-release acme/api:1.3.0")
        // A person writes the value by hand: the pull request is superseded.
        try repository.commit(["deploy/api.yaml": GitLoop.deployment("api", image: "acme/api:1.3.0")])
        try loop.sync(configuration: git)
        #expect(fake.all[3].isOpen == false)
        // What it changed, and why it is closed.
        #expect(fake.all[3].comments.count == 2)
        #expect(try repository.git("for-each-ref", "--format=%(refname:short)", "refs/heads/") == "main")
        try repository.checkIntegrity()
    }

    @Test func `a code host that fails leaves the branch, and the next cycle opens`() throws {
        let loop = try GitLoop("forge-fails")
        try loop.standard()
        let fake = try FakeForge(.github)
        let git = try configuration(fake, loop).replacingOccurrences(of: "per: image", with: "per: cycle")
        fake.refuse("slipway/update", with: .text(422, #"{"message":"Validation Failed"}"#))
        let failed = try loop.sync(configuration: git, allowFailure: true)
        #expect(failed.status == 1)
        #expect(failed.stderr.contains("Validation Failed"))
        #expect(!failed.stderr.contains(fake.token))
        fake.refuse("slipway/update", with: nil)
        let head = try loop.repository.head("slipway/update")
        try loop.sync(configuration: git)
        #expect(fake.all.map(\.head) == ["slipway/update"])
        #expect(try loop.repository.head("slipway/update") == head)
        // Without a token nothing begins.
        let missing = try loop.sync(
            configuration: git.replacingOccurrences(of: loop.scratch.file("token"), with: loop.scratch.file("none")),
            allowFailure: true)
        #expect(missing.status == 1)
        #expect(missing.stderr.contains(loop.scratch.file("none")))
    }

    @Test(arguments: [.github, .gitlab, .gitea] as [FakeForge.Kind])
    func `auto-merge is reached, and a person who turns it off wins`(_ kind: FakeForge.Kind) throws {
        let loop = try GitLoop("auto-merge")
        try loop.standard()
        let repository = loop.repository
        let fake = try FakeForge(kind) { branch in try? repository.head(branch) }
        let git = try configuration(fake, loop, more: "  autoMerge: squash")
        fake.set(checks: .preparing)
        #expect(try loop.sync(configuration: git).stderr.contains("auto-merge waits"))
        #expect(fake.all.allSatisfy { $0.autoMerge == nil && $0.isOpen })
        fake.set(checks: .pending)
        try loop.sync(configuration: git)
        #expect(fake.all.allSatisfy { $0.autoMerge?.lowercased() == "squash" })
        // A person wants to look at web's first; api's goes on with a newer image.
        fake.change(2) { $0.autoMerge = nil }
        for name in ["api", "web"] { try loop.publish("acme/\(name)", ["1.2.0"]) }
        for _ in 1...2 { try loop.sync(configuration: git) }
        #expect(fake.all.map(\.title) == ["Auto-release acme/api:1.2.0", "Auto-release acme/web:1.2.0"])
        #expect(fake.all[0].autoMerge != nil)
        #expect(fake.all[1].autoMerge == nil)
        // Without anything to wait for, what is new is merged at once.
        fake.set(checks: .none)
        fake.change(1) { $0.isOpen = false }
        try loop.publish("acme/api", ["1.3.0"])
        #expect(try loop.sync(configuration: git).stdout.contains("pull request"))
        #expect(fake.all.last?.mergedBy == "squash")
        #expect(fake.all[1].isOpen)
    }

    @Test func `one pull request that is refused stops no other`() throws {
        let loop = try GitLoop("forge-refuses-one")
        try loop.standard()
        let repository = loop.repository
        let fake = try FakeForge(.github) { branch in try? repository.head(branch) }
        let git = try configuration(fake, loop)
        try loop.publish("acme/job", ["1.0.0", "1.1.0"])
        try repository.commit(["deploy/job.yaml": GitLoop.deployment("job", image: "acme/job:1.0.0")])
        for name in ["api", "job"] {
            fake.refuse("slipway/acme/\(name)", with: .text(422, #"{"message":"Validation Failed"}"#))
        }
        let output = try loop.sync(configuration: git, allowFailure: true)
        #expect(output.status == 1)
        for name in ["api", "job"] {
            #expect(output.stderr.contains("pull request for slipway/acme/\(name)"), "\(output.stderr)")
        }
        #expect(fake.all.map(\.head) == ["slipway/acme/web"])
    }
}
