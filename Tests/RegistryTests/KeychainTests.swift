import Diagnostics
import TestSupport
import Testing

@testable import Registry

@Suite(.tags(.integration)) struct KeychainTests {
    /// A keychain over one `config.json`, with helper programs beside it.
    private func keychain(
        _ json: String, helpers: [String: String] = [:], scratch: TemporaryDirectory
    ) throws -> Keychain {
        try Shell.run(["tee", scratch.file("config.json")], input: Array(json.utf8))
        for (name, script) in helpers {
            let path = scratch.file("docker-credential-\(name)")
            try Shell.run(["tee", path], input: Array("#!/bin/sh\n\(script)\n".utf8))
            try Shell.run(["chmod", "+x", path])
        }
        return Keychain(environment: ["DOCKER_CONFIG": scratch.path, "PATH": "\(scratch.path):/usr/bin:/bin"])
    }

    @Test(arguments: [
        ("docker.io", "x", Credentials.basic(user: "hub", password: "p")),
        ("registry-1.docker.io", "x", .basic(user: "hub", password: "p")),
        ("ghcr.io", "org/app", .basic(user: "gh", password: "a:b")),
        ("quay.io", "org/app", .basic(user: "org", password: "o")),
        ("quay.io", "org", .basic(user: "org", password: "o")),
        ("quay.io", "organisation/app", .basic(user: "quay", password: "q")),
        ("localhost:5000", "x", .basic(user: "plain", password: "text")),
        ("azurecr.io", "x", .identityToken("refresh")),
        ("empty.io", "x", .anonymous), ("unknown.io", "x", .anonymous), ("localhost", "x", .anonymous),
    ])
    func entries(_ host: String, _ path: String, _ expected: Credentials) async throws {
        let scratch = try TemporaryDirectory("keychain")
        let keychain = try keychain(
            """
            {"auths": {
              "https://index.docker.io/v1/": {"auth": "aHViOnA="},
              "https://ghcr.io": {"auth": "Z2g6YTpi"},
              "quay.io": {"auth": "cXVheTpx"}, "quay.io/org": {"auth": "b3JnOm8="},
              "localhost:5000": {"username": "plain", "password": "text"},
              "azurecr.io": {"auth": "MDA6", "identitytoken": "refresh"},
              "empty.io": {}
            }, "HttpHeaders": {"x": "y"}}
            """, scratch: scratch)
        #expect(try await keychain.credentials(host: host, path: path) == expected)
    }

    @Test func helpersAreAsked() async throws {
        let scratch = try TemporaryDirectory("keychain")
        let keychain = try keychain(
            #"{"auths":{"c.io":{"auth":"Yzpj"}},"credHelpers":{"a.io":"one"},"credsStore":"two"}"#,
            helpers: [
                "one":
                    #"read host; [ "$1" = get ] && printf '{"ServerURL":"%s","Username":"u","Secret":"for %s"}' "$host" "$host""#,
                "two":
                    #"read host; case $host in b.io) echo '{"Username":"<token>","Secret":"t"}';; *) echo 'credentials not found in native keychain'; exit 1;; esac"#,
            ], scratch: scratch)
        #expect(try await keychain.credentials(host: "a.io", path: "x") == .basic(user: "u", password: "for a.io"))
        #expect(try await keychain.credentials(host: "b.io", path: "x") == .identityToken("t"))
        #expect(try await keychain.credentials(host: "c.io", path: "x") == .basic(user: "c", password: "c"))
        #expect(try await keychain.credentials(host: "d.io", path: "x") == .anonymous)
    }

    @Test func badHelpersAreReportedWithoutTheirWords() async throws {
        let scratch = try TemporaryDirectory("keychain")
        let keychain = try keychain(
            #"{"credHelpers":{"fail.io":"fail","flood.io":"flood","junk.io":"junk","gone.io":"gone","evil.io":"../x"}}"#,
            helpers: ["fail": "echo hunter2; exit 3", "flood": "yes hunter2", "junk": "echo hunter2"], scratch: scratch)
        for (host, words) in [
            ("fail.io", "exited with 3"), ("flood.io", "more than"), ("junk.io", "can be read"),
            ("gone.io", "not installed"), ("evil.io", "cannot be the name"),
        ] {
            let error = await #expect(throws: RegistryError.self) {
                _ = try await keychain.credentials(host: host, path: "x")
            }
            #expect(error?.code == .credentials)
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
            #expect(error?.description.contains("hunter2") == false)
        }
    }

    @Test func helpersHaveLimitedTime() throws {
        let scratch = try TemporaryDirectory("keychain")
        _ = try keychain("{}", helpers: ["slow": "sleep 600 & sleep 600"], scratch: scratch)
        let error = #expect(throws: RegistryError.self) {
            _ = try HelperProcess.run(
                "docker-credential-slow", ["get"], searchPath: scratch.path, input: [], outputLimit: 10,
                timeout: .milliseconds(200))
        }
        #expect(error?.cause?.contains("longer than") == true)
    }

    @Test(arguments: ["{", "[]", #"{"auths":{"a.io":{"auth":"!!!"}}}"#, #"{"auths":{"a.io":{"auth":"bm9jb2xvbg=="}}}"#])
    func brokenFilesAreNotIgnored(_ json: String) async throws {
        let scratch = try TemporaryDirectory("keychain")
        let keychain = try keychain(json, scratch: scratch)
        let error = await #expect(throws: RegistryError.self) {
            _ = try await keychain.credentials(host: "a.io", path: "x")
        }
        #expect(error?.code == .credentials)
        #expect(error?.place == scratch.file("config.json"))
    }

    @Test func theEnvironmentMayHoldTheFile() async throws {
        let keychain = Keychain(environment: ["DOCKER_AUTH_CONFIG": #"{"auths":{"a.io":{"auth":"Yzpj"}}}"#])
        #expect(try await keychain.credentials(host: "a.io", path: "x") == .basic(user: "c", password: "c"))
    }
}

@Suite(.tags(.unit)) struct HeaderTests {
    @Test func challenges() {
        let parsed = Challenge.parse(
            #"Bearer realm="https://auth/token",service="a \"b\", c",scope=repository:x:pull, Basic realm="r" , Negotiate"#
        )
        #expect(parsed.map(\.scheme) == ["bearer", "basic", "negotiate"])
        #expect(
            parsed[0].parameters == [
                "realm": "https://auth/token", "service": #"a "b", c"#, "scope": "repository:x:pull",
            ])
        #expect(parsed[1].parameters == ["realm": "r"])
    }

    @Test(arguments: ["", "=", "=,=,", "\"", "Bearer realm=\"", "a=b", ",,,", "Bearer =x", "Bearer realm=\"\\"])
    func brokenChallengesEnd(_ text: String) {
        #expect(Challenge.parse(text).count <= 2)
    }

    @Test func links() {
        #expect(LinkHeader.next(["</v2/a/tags/list?last=x&n=2>; rel=\"next\""]) == "/v2/a/tags/list?last=x&n=2")
        #expect(LinkHeader.next(["<a>; rel=\"prev\", <b>; rel=next"]) == "b")
        #expect(LinkHeader.next(["<a>; rel=\"prev\""]) == nil)
        #expect(LinkHeader.next(["<a", "a>", ""]) == nil)
    }
}
