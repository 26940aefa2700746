import Foundation
import HTTP
import Synchronization
import TestSupport
import Testing

@testable import Forge

/// How a GitHub App gets its tokens.
@Suite(.tags(.integration)) struct GitHubAppTests {
    private struct Key: Sendable {
        let scratch: TemporaryDirectory
        let pem: String

        init() throws {
            scratch = try TemporaryDirectory("app-key")
            try Shell.run(
                ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "key"],
                in: scratch.path)
            pem = try Shell.run(["cat", scratch.file("key")]).stdout
        }
    }

    private static let key = Result { try Key() }

    private static func http() -> HTTPClient {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .hosts(["127.0.0.1"])
        configuration.maximumRedirects = 0
        return HTTPClient(configuration)
    }

    private static func settings(_ fake: FakeGitHubApp, installation: String? = nil) throws -> GitHubAppSettings {
        try GitHubAppSettings(
            issuer: "Iv23liSLIPWAY", installation: installation, api: fake.api,
            repositoryURL: "https://github.com/acme/shop.git")
    }

    private static func app(
        _ fake: FakeGitHubApp, installation: String? = nil, ahead: Int64 = 0, pem: String? = nil
    ) throws -> GitHubApp {
        let pem = try pem ?? key.get().pem
        return GitHubApp(
            try settings(fake, installation: installation), http: http(), pauses: ForgePauses(),
            now: { [weak fake] in (fake?.now ?? 0) + ahead }, readKey: { pem })
    }

    @Test func `the App's own token is one that openssl verifies`() throws {
        let key = try Self.key.get()
        let token = try AppToken.make(issuer: "Iv23liSLIPWAY", key: key.pem, now: 1_790_000_000)
        let parts = token.split(separator: ".").map(String.init)
        #expect(parts.count == 3)
        #expect(!token.contains("="))
        func bytes(_ part: String) throws -> Data {
            var text = part.replacing("-", with: "+").replacing("_", with: "/")
            while text.count % 4 != 0 { text += "=" }
            return try #require(Data(base64Encoded: text))
        }
        let claims = try #require(try JSONSerialization.jsonObject(with: bytes(parts[1])) as? [String: Any])
        #expect(claims["iat"] as? Int == 1_789_999_940)
        #expect(claims["exp"] as? Int == 1_790_000_480)
        #expect(claims["iss"] as? String == "Iv23liSLIPWAY")
        try bytes(parts[2]).write(to: URL(fileURLWithPath: key.scratch.file("signature")))
        try Shell.run(["openssl", "rsa", "-in", "key", "-pubout", "-out", "public"], in: key.scratch.path)
        let verified = try Shell.run(
            ["openssl", "dgst", "-sha256", "-verify", "public", "-signature", "signature"], in: key.scratch.path,
            input: Array("\(parts[0]).\(parts[1])".utf8))
        #expect(verified.stdout.contains("Verified OK"))
        #expect(throws: ForgeError.self) { try AppToken.make(issuer: "x", key: "no key", now: 0) }
    }

    @Test func `whoever asks at once gets the same token, until ten minutes before its end`() async throws {
        let fake = try FakeGitHubApp()
        let app = try Self.app(fake)
        let tokens = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { try await app.current() } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(tokens == Set(fake.tokens))
        #expect(fake.tokens.count == 1)
        #expect(fake.bodies == [#"{"repositories":["shop"]}"#])
        #expect(fake.issuers.allSatisfy { $0 == "Iv23liSLIPWAY" })
        fake.advance(by: 2999)
        #expect(try await app.current() == fake.tokens[0])
        fake.advance(by: 1)
        #expect(try await app.current() == fake.tokens.last)
        #expect(fake.tokens.count == 2)
    }

    @Test func `an installation that is named is not looked for`() async throws {
        let fake = try FakeGitHubApp()
        _ = try await Self.app(fake, installation: "42").current()
        #expect(fake.requests.map(\.path) == ["/app/installations/42/access_tokens"])
    }

    @Test(arguments: [300, -900] as [Int64]) func `a clock that is wrong is made up for`(_ ahead: Int64) async throws {
        let fake = try FakeGitHubApp()
        let app = try Self.app(fake, ahead: ahead)
        #expect(try await app.current() == fake.tokens.first)
        let asked = fake.requests.count
        // It is known from then on, also where a token ends.
        fake.advance(by: 2999)
        #expect(try await app.current() == fake.tokens[0])
        fake.advance(by: 1)
        #expect(try await app.current() == fake.tokens[1])
        #expect(fake.requests.count == asked + 2)
    }

    @Test func `what is not installed, and a key that is not the App's, are said to be that`() async throws {
        let missing = try FakeGitHubApp()
        missing.uninstall()
        let absent = await #expect(throws: ForgeError.self) { try await Self.app(missing).current() }
        #expect(absent?.summary == "the GitHub App is not installed for acme/shop")
        let strange = try FakeGitHubApp()
        strange.fail([.text(401, #"{"message":"A JSON web token could not be decoded"}"#)])
        let refused = await #expect(throws: ForgeError.self) { try await Self.app(strange).current() }
        #expect(refused?.summary == "GitHub refuses the App's key")
        #expect(refused?.hint?.contains("github.privateKeyFile") == true)
        let broken = await #expect(throws: ForgeError.self) { try await Self.app(strange, pem: "x").current() }
        #expect(broken?.place == "git.github.privateKeyFile")
    }

    @Test func `a token that was taken back is exchanged once, and shown nowhere`() async throws {
        let fake = try FakeGitHubApp()
        let app = try Self.app(fake)
        let forge = try ForgeProject(
            kind: .github, api: fake.api, path: "acme/shop", repositoryURL: "https://x.example/y/z"
        )
        .forge(app: app, http: Self.http(), pauses: ForgePauses())
        #expect(try await forge.find(head: "a", base: "main") == [])
        fake.advance(by: 600)
        fake.takeBack()
        #expect(try await forge.find(head: "a", base: "main") == [])
        #expect(fake.tokens.count == 2)
        // An App that may do nothing any more does not ask without end.
        fake.takeBack()
        let asked = fake.requests.count
        for _ in 1...3 {
            let error = await #expect(throws: ForgeError.self) { try await forge.find(head: "a", base: "main") }
            #expect(error?.code == .authentication)
            #expect(error.map { "\($0)".contains("ghs_") } == false, "\(error.map { "\($0)" } ?? "")")
        }
        #expect(fake.tokens.count == 2)
        #expect(fake.requests.count == asked + 3)
    }

    @Test func `while GitHub is away the token that there is still counts`() async throws {
        let fake = try FakeGitHubApp()
        let app = try Self.app(fake)
        _ = try await app.current()
        fake.advance(by: 3100)
        fake.fail([.text(502, "")])
        #expect(try await app.current() == fake.tokens[0])
        fake.advance(by: 460)
        fake.fail([.text(502, "")])
        let error = await #expect(throws: ForgeError.self) { try await app.current() }
        #expect(error?.code == .unavailable)
        #expect(try await app.current() == fake.tokens[1])
    }

    @Test(
        arguments: [
            ("git@github.com:acme/shop.git", nil, "https://api.github.com/"),
            ("https://ghe.example/acme/shop", nil, "https://ghe.example/api/v3"),
            ("https://acme.ghe.com/acme/shop", nil, "https://api.acme.ghe.com/"),
            ("git@alias:acme/shop.git", "https://ghe.example/api/v3/", "https://ghe.example/api/v3"),
        ] as [(String, String?, String)])
    func `where the API is`(_ url: String, _ api: String?, _ expected: String) throws {
        let settings = try GitHubAppSettings(issuer: "1", installation: nil, api: api, repositoryURL: url)
        #expect(settings.api.text == expected)
        #expect(settings.repository == "acme/shop")
    }

    @Test func `an App is for repositories at GitHub`() {
        let error = #expect(throws: ForgeError.self) {
            try GitHubAppSettings(
                issuer: "1", installation: nil, api: nil, repositoryURL: "https://gitlab.com/acme/shop.git")
        }
        #expect(error?.summary == "a GitHub App needs a repository at GitHub")
    }
}
