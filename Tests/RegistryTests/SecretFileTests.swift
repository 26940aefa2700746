import Diagnostics
import TestSupport
import Testing

@testable import Registry

/// The two kinds of secrets that Kubernetes has for registries, as they are mounted, and what the environment may say.
@Suite(.tags(.integration)) struct SecretFileTests {
    private static let new = #"{"auths":{"r.io":{"username":"n","password":"p","auth":"bjpw"}}}"#
    private static let old = #"{"https://r.io/v1/":{"username":"o","password":"p","email":"e@x","auth":"bzpw"}}"#

    @Test(arguments: [
        (".dockerconfigjson", new, "n"), (".dockercfg", old, "o"), ("config.json", new, "n"), ("config.json", old, "o"),
    ])
    func bothKindsAndTheirDirectories(_ name: String, _ text: String, _ user: String) async throws {
        let scratch = try TemporaryDirectory("secret")
        try Shell.run(["tee", scratch.file(name)], input: Array(text.utf8))
        let expected = Credentials.basic(user: user, password: "p")
        for keychain in [
            Keychain(environment: ["DOCKER_CONFIG": scratch.path]),
            Keychain(file: scratch.path, then: .empty), Keychain(file: scratch.file(name), then: .empty),
        ] {
            #expect(try await keychain.credentials(host: "r.io", path: "app") == expected)
            #expect(try await keychain.credentials(host: "other.io", path: "app") == .anonymous)
        }
    }

    @Test(
        arguments: [
            ("a.example.com", "star"), ("b.a.example.com", nil), ("exact.example.com", "exact"), ("example.com", nil),
            ("reg-7.test", "middle"), ("reg-.test", "middle"), ("re.test", nil), ("a.example.com.evil.io", nil),
        ] as [(String, String?)])
    func starsInNames(_ host: String, _ user: String?) async throws {
        let entry = { (user: String) in #"{"username":"\#(user)","password":"p"}"# }
        let text =
            #"{"auths":{"*.example.com":\#(entry("star")),"exact.example.com":\#(entry("exact")),"#
            + #""reg-*.test":\#(entry("middle"))}}"#
        let found = try await Keychain(environment: ["DOCKER_AUTH_CONFIG": text]).credentials(host: host, path: "app")
        #expect(found == user.map { .basic(user: $0, password: "p") } ?? .anonymous)
    }

    @Test func theEnvironmentIsForOneHost() async throws {
        let keychain = Keychain(environment: [
            "SLIPWAY_REGISTRY": "r.io:5000", "SLIPWAY_REGISTRY_USERNAME": "ci", "SLIPWAY_REGISTRY_PASSWORD": "p:w",
        ])
        #expect(try await keychain.credentials(host: "r.io:5000", path: "x") == .basic(user: "ci", password: "p:w"))
        #expect(try await keychain.credentials(host: "r.io", path: "x") == .anonymous)
    }
}
