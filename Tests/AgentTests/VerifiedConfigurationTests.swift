import Diagnostics
import Git
import TestSupport
import Testing
import YAML

@testable import Agent

/// What `git.verify` asks of the agent's own commits, and `git.timeout`.
@Suite(.tags(.unit)) struct VerifiedConfigurationTests {
    private static func read(_ text: String) throws -> AgentConfiguration {
        try ConfigurationFile.parse(Array(text.utf8), file: "agent.yaml")
    }

    private static let verified = "verify: {mode: head, allowedSigners: /signers}"
    private static let url = "url: https://git.example.com/acme/shop.git"

    @Test(arguments: [
        // Nothing is ever committed.
        ("git: {\(verified)}\nrepositories:\n  - {\(url), updates: {enabled: false}}\n", nil),
        ("repositories:\n  - {\(url), git: {\(verified)}, updates: {enabled: false}}\n", nil),
        // Or by a branch of its own, or with a signature.
        ("git: {\(verified), push: {branch: slipway/x}}\nrepositories:\n  - {\(url)}\n", nil),
        ("git: {\(verified), commit: {signing: {format: ssh, keyFile: /key}}}\nrepositories:\n  - {\(url)}\n", nil),
        // One of several commits.
        (
            "git: {\(verified)}\nrepositories:\n  - {name: a, \(url), updates: {enabled: false}}\n  - {name: b, \(url)}\n",
            1
        ),
        ("repositories:\n  - {\(url), git: {\(verified)}}\n", 2),
        // A repository that says for itself.
        ("git: {\(verified)}\nrepositories:\n  - {\(url), git: {verify: {mode: none}}}\n", nil),
        // Nobody is trusted, which is wrong anywhere.
        ("git: {verify: {mode: head}}\nrepositories:\n  - {\(url), updates: {enabled: false}}\n", 1),
    ])
    func `commits that the agent itself would refuse`(text: String, line: Int?) throws {
        guard let line else {
            _ = try Self.read(text)
            return
        }
        let error = #expect(throws: YAMLError.self) { try Self.read(text) }
        #expect(error?.location?.line == line, "\(String(describing: error))")
    }

    @Test(arguments: [("60s", 60), ("5m", 300), ("9s", nil), ("25h", nil), ("x", nil)] as [(String, Int64?)])
    func `how long a server may be silent`(text: String, seconds: Int64?) throws {
        let file = "git: {timeout: \(text)}\nrepositories:\n  - {\(Self.url)}\n"
        guard let seconds else {
            #expect(throws: YAMLError.self) { try Self.read(file) }
            return
        }
        let git = try Self.read(file).git
        #expect(try GitAccess.credentials(git).silenceLimit == .seconds(seconds))
        #expect(try GitAccess.credentials(AgentConfiguration.GitConfiguration()).silenceLimit == .seconds(60))
    }
}
