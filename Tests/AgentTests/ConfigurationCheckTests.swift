import Diagnostics
import FileSystem
import Foundation
import Git
import TestSupport
import Testing

@testable import Agent

/// Configurations in a directory of the test's own; `$D` in a text stands for it.
private struct CheckFixture {
    let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("config-check") }

    @discardableResult
    func file(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: scratch.file(name), atomically: true, encoding: .utf8)
        return scratch.file(name)
    }

    /// A key without a passphrase unless one is given.
    func key(_ name: String, _ type: String = "ed25519", _ more: [String] = [], passphrase: String = "") throws {
        try Shell.run(
            ["ssh-keygen", "-q", "-t", type] + more + ["-N", passphrase, "-C", name, "-f", scratch.file(name)])
    }

    func check(
        _ text: String, looksAtFiles: Bool = true, library: SSHLibrary = SSHLibrary(version: "1.11.0")
    ) async throws -> ConfigurationCheck.Outcome {
        let path = try file("agent.yaml", text.replacingOccurrences(of: "$D", with: scratch.path))
        return try await ConfigurationCheck(looksAtFiles: looksAtFiles, library: library).check(path)
    }
}

/// `code key line` of each problem.
private func told(_ outcome: ConfigurationCheck.Outcome) -> [String] {
    outcome.problems.map { "\($0.code.rawValue) \($0.key.isEmpty ? "-" : $0.key) \($0.location?.line ?? 0)" }
}

private func channels(_ channels: String, rules: String? = nil) -> String {
    "notifications: {channels: [\(channels)]\(rules.map { ", rules: [\($0)]" } ?? "")}\n" + least
}

private let least = "repositories: [{url: https://git.example.com/acme/shop.git}]\n"

@Suite(.tags(.unit)) struct ConfigurationReadingTests {
    @Test(
        arguments: [
            // One mistake beside another.
            (
                "interval: 5\nlistne: x\nlisten: 'a:99999'\n" + least,
                ["invalid-value interval 1", "unknown-key - 2", "invalid-address listen 3"]
            ),
            ("git: {proxy: a, sshkey: b}\n" + least, ["invalid-value git.proxy 1", "unknown-key git 1"]),
            (
                "webhooks: {listen: here, receivers: [{type: github, insecure: true}]}\n" + least,
                ["invalid-address webhooks.listen 1"]
            ),
            ("webhooks: {receivers: [{type: github}]}\n" + least, ["invalid-value webhooks.receivers[0] 1"]),
            (
                "webhooks: {receivers: [{type: github, secretFile: /s, insecure: true}]}\n" + least,
                ["invalid-value webhooks.receivers[0] 1"]
            ),
            (
                "webhooks: {receivers: [{type: github, secretFile: ''}]}\n" + least,
                ["invalid-value webhooks.receivers[0] 1"]
            ),
            (
                "webhooks: {receivers: [{type: git, insecure: true}]}\n" + least,
                ["invalid-value webhooks.receivers[0].type 1"]
            ),
            (
                "webhooks: {receivers: [{type: github, insecure: true, registry: a.b}]}\n" + least,
                ["invalid-value webhooks.receivers[0].registry 1"]
            ),
            (
                "webhooks: {receivers: [{type: aliyun-acr, insecure: true}]}\n" + least,
                ["invalid-value webhooks.receivers[0] 1"]
            ),
            (
                "webhooks: {receivers: [{type: github, name: a/b, insecure: true}]}\n" + least,
                ["invalid-value webhooks.receivers[0] 1"]
            ),
            (
                "webhooks: {receivers: [{type: github, insecure: true}, {type: github, insecure: true}]}\n" + least,
                ["invalid-value webhooks.receivers[1] 1"]
            ),
            (
                "webhooks: {receivers: [{type: generic, insecure: true, repositories: [other]}]}\n" + least,
                ["invalid-value webhooks.receivers[0].repositories[0] 1"]
            ),
            ("notifications: {}\n" + least, ["missing-key notifications 1"]),
            (channels("{type: irc}"), ["invalid-value notifications.channels[0].type 1"]),
            (channels("{type: teams}"), ["missing-key notifications.channels[0] 1"]),
            (channels("{type: teams, url: 'https://a'}"), ["missing-key notifications.channels[0] 1"]),
            (channels("{type: slack}"), ["invalid-value notifications.channels[0] 1"]),
            (channels("{type: slack, tokenFile: /t}"), ["invalid-value notifications.channels[0] 1"]),
            (channels("{type: slack, urlFile: /u, channel: a}"), ["invalid-value notifications.channels[0] 1"]),
            (
                channels("{type: slack, urlFile: /u}, {type: slack, urlFile: /v}"),
                ["invalid-value notifications.channels[1] 1"]
            ),
            (channels("{type: slack, name: a/b, urlFile: /u}"), ["invalid-value notifications.channels[0] 1"]),
            (channels("{type: webhook, url: 'http://a/b'}"), ["invalid-value notifications.channels[0].url 1"]),
            (channels("{type: webhook, url: 'https://u:p@a/b'}"), ["invalid-value notifications.channels[0].url 1"]),
            (channels("{type: webhook, url: 'https://a', urlFile: /b}"), ["invalid-value notifications.channels[0] 1"]),
            (
                channels("{type: webhook, url: 'https://a', method: GET}"),
                ["invalid-value notifications.channels[0].method 1"]
            ),
            (
                channels("{type: webhook, url: 'https://a', body: text}"),
                ["invalid-value notifications.channels[0].body 1"]
            ),
            (
                channels("{type: webhook, url: 'https://a', body: {a: ['{{ .title']}}"),
                ["invalid-value notifications.channels[0].body.a[0] 1"]
            ),
            (
                channels("{type: webhook, url: 'https://a', body: {a: '{{ .titel }}'}}"),
                ["invalid-value notifications.channels[0].body 1"]
            ),
            (
                channels("{type: webhook, url: 'https://a', body: {a: '{{ .secrets.key }}'}}"),
                ["invalid-value notifications.channels[0].body 1"]
            ),
            (
                channels("{type: webhook, url: 'https://a', headers: {'X Y': a}}"),
                ["invalid-value notifications.channels[0].headers.\"X Y\" 1"]
            ),
            (
                channels("{type: email, host: 'h:25', from: a@b, to: c@d}"),
                ["invalid-value notifications.channels[0].host 1"]
            ),
            (
                channels("{type: email, host: h, from: a@b, to: [c]}"),
                ["invalid-value notifications.channels[0].to[0] 1"]
            ),
            (channels("{type: email, host: h, from: a@b, to: []}"), ["invalid-value notifications.channels[0].to 1"]),
            (
                channels("{type: email, host: h, from: a@b, to: c@d, tls: none}"),
                ["invalid-value notifications.channels[0] 1"]
            ),
            (
                channels("{type: email, host: h, from: a@b, to: c@d, insecure: true}"),
                ["invalid-value notifications.channels[0] 1"]
            ),
            (
                channels("{type: email, host: h, from: a@b, to: c@d, username: x}"),
                ["invalid-value notifications.channels[0] 1"]
            ),
            (
                channels(
                    "{type: email, host: h, from: a@b, to: c@d, tls: none, insecure: true, username: x, passwordFile: /p}"
                ),
                ["invalid-value notifications.channels[0] 1"]
            ),
            (
                channels("{type: teams, urlFile: /u}", rules: "{channels: [slack]}"),
                ["invalid-value notifications.rules[0].channels 1"]
            ),
            (
                channels("{type: teams, urlFile: /u}", rules: "{channels: [teams], events: [all]}"),
                ["invalid-value notifications.rules[0].events[0] 1"]
            ),
            (
                channels("{type: teams, urlFile: /u}", rules: "{channels: [teams], repositories: ['[']}"),
                ["invalid-value notifications.rules[0].repositories[0] 1"]
            ),
            (
                channels("{type: teams, urlFile: /u}, {type: slack, urlFile: /v}", rules: "{channels: teams}"),
                ["invalid-value notifications.rules 1"]
            ),
            ("git: {status: {host: bitbucket}}\n" + least, ["invalid-value git.status 1"]),
            ("git: {status: {host: github, pages: x}}\n" + least, ["invalid-value git.status.pages 1"]),
            ("webhooks: {listen: ':1'}\n" + least, ["missing-key webhooks 1"]),
            // What follows from a mistake is not told.
            ("repositories:\n  - url: []\n", ["wrong-type repositories[0].url 2"]),
            ("repositories:\n  - name: a\n", ["missing-key repositories[0] 2"]),
            ("repositories: x\n", ["wrong-type repositories 1"]),
            (
                "git:\n  verify: {mode: head, allowedSigners: []}\n  commit: {signing: {format: ssh, keyFile: /k}}\n"
                    + least,
                ["wrong-type git.verify.allowedSigners 2"]
            ),
            // But what does not is.
            ("interval: 5\n", ["missing-key - 1", "invalid-value interval 1"]),
            (
                "interval: 5\ngit: {verify: {mode: head}}\n" + least,
                ["invalid-value interval 1", "invalid-value git 2"]
            ),
            // Places are right behind an entry that was passed over.
            (
                "repositories:\n  - url: x\n    brnch: y\n  - name: b\n  - url: 'ftp://h/other'\nregistries: [{hots: a}, {host: 'a b'}]\n",
                [
                    "unknown-key repositories[0] 3", "missing-key repositories[1] 4",
                    "invalid-address repositories[2].url 5",
                    "unknown-key registries[0] 6", "invalid-address registries[1].host 6",
                ]
            ),
            (
                "repositories:\n  - {url: /a, name: x}\n  - {url: /b, name: x}\n  - {url: /c/x.git}\n",
                ["invalid-value repositories[1] 3", "invalid-value repositories[2] 4"]
            ),
            ("interval: 1m\ninterval: 2m\n" + least, ["duplicate-key interval 2"]),
            // What is no YAML ends it.
            ("a: [\n", ["syntax - 2"]), ("", ["missing-key - 0"]), ("- a\n", ["wrong-type - 1"]),
        ] as [(String, [String])])
    func `all mistakes are told at once, with their places`(_ text: String, _ problems: [String]) async throws {
        let outcome = try await CheckFixture().check(text, looksAtFiles: false)
        #expect(told(outcome) == problems)
        #expect(!outcome.isValid)
    }

    @Test func `a file that is wrong in every line ends, too`() async throws {
        let text = (0..<500).map { "key\($0): x\n" }.joined() + least
        let outcome = try await CheckFixture().check(text, looksAtFiles: false)
        #expect(outcome.problems.count == 100)
    }

    @Test func `the codes are what scripts look for`() {
        #expect(
            ConfigurationProblem.Code.allCases.map(\.rawValue) == [
                "syntax", "unknown-key", "missing-key", "duplicate-key", "wrong-type", "invalid-value",
                "invalid-address",
                "missing-file", "unreadable-file", "empty-file", "wrong-format", "state-directory", "no-key",
                "unusable-key",
                "missing-passphrase", "sha1-signature", "unknown-host-key", "rsa-host-key", "cannot-sign",
                "own-key-not-trusted", "pull-request", "status",
            ])
    }

    @Test func `the documentation has every code`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../.."
        let text = try String(contentsOfFile: root + "/docs/agent.md", encoding: .utf8)
        for code in ConfigurationProblem.Code.allCases {
            #expect(text.contains("| `\(code.rawValue)` |"), "docs/agent.md has no row for \(code.rawValue)")
        }
    }
}

@Suite(.tags(.unit)) struct AddressCheckTests {
    @Test(arguments: [
        "0.0.0.0:8080", ":8080", "localhost:0", "[::]:8080", "[::1]:65535", "agent.example.com:80",
    ])
    func `addresses to listen on`(_ text: String) throws {
        #expect(try ListenAddress(text).port >= 0)
    }

    @Test(arguments: [
        "", "8080", "localhost", "a:b", "a:-1", "a:+1", "a:65536", "::1:80", "[::1]", "a b:80", "http://a:80",
    ])
    func `what is no address to listen on`(_ text: String) {
        #expect(throws: AgentError.self) { try ListenAddress(text) }
    }

    @Test(arguments: [
        ("host: registry.example.com", true), ("host: registry", true), ("host: 'localhost:5000'", true),
        ("host: '[::1]:5000'", true), ("host: '*'", true), ("host: 10.0.0.1", true),
        ("host: 'https://registry.example.com'", false), ("host: registry.example.com/acme", false),
        ("host: 'a:99999'", false), ("host: 'a:'", false), ("host: 'a:x'", false), ("host: 'a b'", false),
        ("host: '-'", false),
        ("host: a.b, map: m.example.com/prefix/more", true), ("host: a.b, map: [oci:/srv/images, 'm:5000']", true),
        ("host: a.b, mirrors: m.example.com", true), ("host: a.b, map: oci:images", false),
        ("host: a.b, map: 'https://m.example.com'", false), ("host: a.b, mirrors: m.example.com/UPPER", false),
        ("host: a.b, mirrors: [m.example.com, 'n:0']", false),
        ("host: a.b, proxy: 'http://proxy:3128'", true), ("host: a.b, proxy: ''", true),
        ("host: a.b, proxy: 'socks5://proxy'", true), ("host: a.b, proxy: 'ftp://proxy'", false),
        ("host: a.b, proxy: 'http://'", false), ("host: a.b, proxy: 'http://proxy:99999'", false),
    ])
    func `registries and proxies`(_ entry: String, _ isValid: Bool) async throws {
        let outcome = try await CheckFixture().check("registries: [{\(entry)}]\n" + least, looksAtFiles: false)
        #expect(outcome.isValid == isValid, "\(outcome.problems)")
        #expect(outcome.problems.allSatisfy { $0.code == .invalidAddress && $0.key.hasPrefix("registries[0].") })
    }

    @Test(arguments: [
        ("https://git.example.com/a.git", true), ("git@git.example.com:a.git", true), ("/srv/a.git", true),
        ("https://git.example.com", false), ("svn://git.example.com/a", false), ("ssh://git@h:99999/a", false),
    ])
    func `repositories`(_ url: String, _ isValid: Bool) async throws {
        let outcome = try await CheckFixture().check("repositories: [{url: '\(url)'}]\n", looksAtFiles: false)
        #expect(told(outcome) == (isValid ? [] : ["invalid-address repositories[0].url 1"]))
    }
}

@Suite(.tags(.integration)) struct FileCheckTests {
    /// Every key of the schema that names a file is in the list of those that are looked at.
    @Test func `no key that names a file is forgotten`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../.."
        let data = try Data(contentsOf: URL(fileURLWithPath: root + "/config/schema/agent.schema.json"))
        let schema = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
        func files(_ object: [String: Any], _ prefix: String) -> [String] {
            let properties = object["properties"] as? [String: [String: Any]] ?? [:]
            return properties.flatMap { name, value -> [String] in
                let inner = (value["$ref"] as? String).flatMap { definitions[String($0.dropFirst("#/$defs/".count))] }
                if let inner, inner["properties"] != nil { return files(inner, "\(prefix)\(name).") }
                if value["properties"] != nil { return files(value, "\(prefix)\(name).") }
                let text = value["description"] as? String ?? ""
                let isText = value["$ref"] as? String == "#/$defs/text"
                let names =
                    name.hasSuffix("File")
                    || ["file", "PEM", "exported", "private key", "config.json"].contains { text.contains($0) }
                return isText && names ? [prefix + name] : []
            }
        }
        let git = try files(#require(definitions["git"]), "")
        #expect(Set(git) == Set(ConfiguredFiles.git.map(\.key)))
        // The key's description speaks of the certificate.
        let registry = try files(#require(definitions["registry"]), "")
        #expect(Set(registry) == Set(ConfiguredFiles.registry.map(\.key)))
        #expect(registry.count == 3)
        let top = files(schema, "").filter { key in
            !key.contains(".") || ["api.", "tls.", "cluster."].contains { key.hasPrefix($0) }
        }
        #expect(Set(top) == Set(ConfiguredFiles.top.map(\.key)))
    }

    @Test(
        arguments: [
            ("git: {tokenFile: $D/none}", ["missing-file git.tokenFile 1"]),
            ("git: {tokenFile: $D}", ["wrong-format git.tokenFile 1"]),
            ("git: {tokenFile: $D/empty}", ["empty-file git.tokenFile 1"]),
            ("git: {tokenFile: $D/pipe}", ["wrong-format git.tokenFile 1"]),
            ("git: {tokenFile: $D/lines}", ["wrong-format git.tokenFile 1"]),
            ("git: {passwordFile: $D/large}", ["wrong-format git.passwordFile 1"]),
            ("git: {tokenFile: $D/secret, passwordFile: $D/lines}", []),
            ("git: {knownHosts: $D/empty}", []), ("git: {knownHosts: $D/none}", ["missing-file git.knownHosts 1"]),
            ("git: {sshKey: $D/none}", ["missing-file git.sshKey 1"]), ("git: {caFile: $D/ca.pem}", []),
            ("git: {caFile: $D/secret}", ["wrong-format git.caFile 1"]),
            (
                "git: {proxy: 'http://p:1', proxyCredentialsFile: $D/secret}",
                ["wrong-format git.proxyCredentialsFile 1"]
            ),
            ("git: {proxy: 'http://p:1', proxyCredentialsFile: $D/pair}", []),
            (
                "git: {verify: {allowedSigners: $D/none, keyring: $D/none}}",
                ["missing-file git.verify.allowedSigners 1", "missing-file git.verify.keyring 1"]
            ),
            (
                "git: {commit: {signing: {format: ssh, keyFile: $D/none, passphraseFile: $D/none}}}",
                ["missing-file git.commit.signing.keyFile 1", "missing-file git.commit.signing.passphraseFile 1"]
            ),
            (
                "git: {pullRequest: {host: github, tokenFile: $D/none}}", ["missing-file git.pullRequest.tokenFile 1"]
            ),
            ("git: {pullRequest: {host: github, tokenFile: $D/secret}}", []),
            (
                "git: {pullRequest: {host: github, project: x, tokenFile: $D/secret}}",
                ["pull-request git.pullRequest 1"]
            ),
            ("git: {status: {host: github, tokenFile: $D/none}}", ["missing-file git.status.tokenFile 1"]),
            ("git: {status: {host: gitlab, tokenFile: $D/secret}}", []),
            ("git: {status: {host: github, project: x, tokenFile: $D/secret}}", ["status git.status 1"]),
            ("registries: [{host: a.b, caFile: $D/none}]", ["missing-file registries[0].caFile 1"]),
            ("registries: [{host: a.b, clientCert: $D/ca.pem}]", ["wrong-format registries[0].clientCert 1"]),
            ("registries: [{host: a.b, clientCert: $D/both.pem}]", []),
            ("registries: [{host: a.b, clientCert: $D/ca.pem, clientKey: $D/key.pem}]", []),
            (
                "registries: [{host: a.b, clientCert: $D/ca.pem, clientKey: $D/ca.pem}]",
                ["wrong-format registries[0].clientKey 1"]
            ),
            (
                "webhooks: {receivers: [{type: github, secretFile: [$D/secret, $D/none]}]}",
                ["missing-file webhooks.receivers[0].secretFile 1"]
            ),
            (
                "webhooks: {receivers: [{type: gitlab, secretFile: $D/empty}]}",
                ["empty-file webhooks.receivers[0].secretFile 1"]
            ),
            (
                "webhooks: {receivers: [{type: standard-webhooks, secretFile: $D/secret}]}",
                ["wrong-format webhooks.receivers[0].secretFile 1"]
            ),
            ("webhooks: {receivers: [{type: github, secretFile: $D/secret}]}", []),
            (
                "notifications: {channels: [{type: teams, urlFile: $D/none}]}",
                ["missing-file notifications.channels[0].urlFile 1"]
            ),
            (
                "notifications: {channels: [{type: slack, urlFile: $D/secret}]}",
                ["wrong-format notifications.channels[0].urlFile 1"]
            ),
            ("notifications: {channels: [{type: slack, urlFile: $D/url}]}", []),
            (
                "notifications: {channels: [{type: slack, tokenFile: $D/lines, channel: a}]}",
                ["wrong-format notifications.channels[0].tokenFile 1"]
            ),
            (
                "notifications: {channels: [{type: webhook, urlFile: $D/url, secretFile: $D/secret, caFile: $D/secret}]}",
                ["wrong-format notifications.channels[0].caFile 1"]
            ),
            (
                "notifications: {channels: [{type: webhook, urlFile: $D/url, secretFile: $D/secret}]}",
                ["wrong-format notifications.channels[0].secretFile 1"]
            ),
            (
                "notifications: {channels: [{type: webhook, urlFile: $D/url, secrets: {a: $D/empty}, body: {a: '{{ .secrets.a }}'}}]}",
                ["empty-file notifications.channels[0].secrets.a 1"]
            ),
            (
                "notifications: {channels: [{type: email, host: h, from: a@b, to: c@d, username: u, passwordFile: $D/none}]}",
                ["missing-file notifications.channels[0].passwordFile 1"]
            ),
            ("cluster: {kubeconfig: $D/none}", ["missing-file cluster.kubeconfig 1"]),
            ("cluster: {kubeconfig: $D/secret}", ["wrong-format cluster.kubeconfig 1"]),
            ("cluster: {kubeconfig: $D/kubeconfig}", []),
            ("dockerConfig: $D/none", ["missing-file dockerConfig 1"]),
            ("dockerConfig: $D/config.json", []), ("dockerConfig: $D", []),
            ("dockerConfig: $D/directory", ["missing-file dockerConfig 1"]),
            ("dockerConfig: $D/secret", ["wrong-format dockerConfig 1"]),
            // One file that several keys name is told once; what a repository has from all is told there.
            (
                "git: {tokenFile: $D/none, passwordFile: $D/none}\nregistries: [{host: a.b, caFile: $D/none}]",
                ["missing-file git.passwordFile 1", "missing-file registries[0].caFile 2"]
            ),
        ] as [(String, [String])])
    func `files are there, can be read, and hold what they should`(_ text: String, _ problems: [String]) async throws {
        let fixture = try CheckFixture()
        try fixture.file("secret", "s3cr3t\n")
        try fixture.file("url", "https://hooks.example.com/s3cr3t\n")
        try fixture.file("pair", "ann:s3cr3t\n")
        try fixture.file("lines", "one\ntwo\n")
        try fixture.file("empty", " \n")
        try fixture.file("large", String(repeating: "x", count: 1 << 17))
        try fixture.file("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        try fixture.file("key.pem", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")
        try fixture.file(
            "both.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nA\n-----END PRIVATE KEY-----\n"
        )
        try fixture.file("kubeconfig", "apiVersion: v1\nkind: Config\n")
        try fixture.file("config.json", #"{"auths": {}, "credsStore": "x"}"#)
        try FileManager.default.createDirectory(
            atPath: fixture.scratch.file("directory"), withIntermediateDirectories: true)
        try Shell.run(["mkfifo", fixture.scratch.file("pipe")])
        let outcome = try await fixture.check(text + "\n" + least)
        #expect(told(outcome) == problems)
        #expect(!outcome.problems.contains { "\($0)".contains("s3cr3t") })
        // Elsewhere, where the files are not, nothing is said of them.
        let elsewhere = try await fixture.check(text + "\n" + least, looksAtFiles: false)
        #expect(elsewhere.isValid)
    }

    @Test(
        arguments: [
            ("contexts: {base: $D/there, other: docker-image://alpine, away: https://example.com/a.tar}", []),
            ("contexts: {base: $D/none}", ["missing-file repositories[0].contexts.base 1"]),
            ("contexts: {base: $D/secret}", ["wrong-format repositories[0].contexts.base 1"]),
            ("contexts: {base: 'oci-layout://$D/layout'}", []),
            ("contexts: {base: 'oci-layout://$D/there'}", ["wrong-format repositories[0].contexts.base 1"]),
            ("contexts: {base: 'oci-layout://$D/none:v1'}", ["missing-file repositories[0].contexts.base 1"]),
            (
                "builds: [{destinations: [a.b/c], contexts: {x: $D/none, y: $D/there}}]",
                ["missing-file repositories[0].builds[0].contexts.x 1"]
            ),
        ] as [(String, [String])])
    func `named contexts on this machine are there`(_ text: String, _ problems: [String]) async throws {
        let fixture = try CheckFixture()
        try fixture.file("secret", "s3cr3t\n")
        for folder in ["there", "layout"] {
            try FileManager.default.createDirectory(
                atPath: fixture.scratch.file(folder), withIntermediateDirectories: true)
        }
        try fixture.file("layout/index.json", "{}")
        let configuration = "repositories: [{url: https://git.example.com/acme/shop.git, \(text)}]\n"
        #expect(told(try await fixture.check(configuration)) == problems)
        #expect(try await fixture.check(configuration, looksAtFiles: false).isValid)
    }

    @Test(arguments: [
        ("own", true), ("missing/deep/down", true), ("marked", true), ("empty", true), ("shared", false),
        ("file", false),
        ("file/below", false), ("open", false),
    ])
    func `the state directory is there or can be made, and is the agent's own`(_ name: String, _ isGood: Bool)
        async throws
    {
        let fixture = try CheckFixture()
        for (folder, mode) in [
            ("own", "700"), ("marked", "755"), ("empty", "755"), ("shared", "755"), ("open", "1777"),
        ] {
            try Shell.run(["mkdir", "-m", mode, fixture.scratch.file(folder)])
        }
        _ = try StateDirectory(fixture.scratch.file("own"))
        for folder in ["own", "shared"] { try fixture.file("\(folder)/theirs", "x") }
        try fixture.file("file", "x")
        // One that an agent made has its mark, whatever else lies in it.
        _ = try StateDirectory(fixture.scratch.file("made"))
        try Shell.run(["cp", fixture.scratch.file("made/CACHEDIR.TAG"), fixture.scratch.file("marked")])
        try fixture.file("marked/theirs", "x")
        let before = try Shell.run(["ls", "-lR", fixture.scratch.path]).stdout
        let path = fixture.scratch.file(name)
        let outcome = try await fixture.check("stateDirectory: \(path)\n" + least)
        #expect(told(outcome) == (isGood ? [] : ["state-directory stateDirectory 1"]), "\(outcome.problems)")
        // The agent decides the same, and the look changed nothing.
        let after = try Shell.run(["ls", "-lR", fixture.scratch.path]).stdout
        #expect(after.replacingOccurrences(of: "agent.yaml", with: "").count >= before.count)
        #expect(
            after.split(separator: "\n").filter { !$0.contains("agent.yaml") && !$0.hasPrefix("total") }
                == before.split(separator: "\n").filter { !$0.hasPrefix("total") })
        #expect(((try? StateDirectory(path)) != nil) == isGood)
        #expect(try await fixture.check("stateDirectory: \(path)\n" + least, looksAtFiles: false).isValid)
    }

    @Test func `a repository's own files are told at its entry`() async throws {
        let outcome = try await CheckFixture().check(
            """
            git: {tokenFile: $D/none}
            repositories:
              - url: https://git.example.com/acme/shop.git
              - url: https://git.example.com/acme/site.git
                git: {caFile: $D/other}
              - url: $D/away.git

            """)
        #expect(
            told(outcome) == [
                "missing-file git.tokenFile 1", "missing-file repositories[1].git.caFile 5",
                "missing-file repositories[2].url 6",
            ])
    }

    @Test func `a file that another user may not read`() async throws {
        let fixture = try CheckFixture()
        try fixture.file("closed", "x\n")
        try Shell.run(["chmod", "0", fixture.scratch.file("closed")])
        // Root reads everything.
        let expected = getuid() == 0 ? [] : ["unreadable-file git.tokenFile 1"]
        #expect(told(try await fixture.check("git: {tokenFile: $D/closed}\n" + least)) == expected)
    }
}

@Suite(.tags(.integration)) struct SSHCheckTests {
    private static let rsa = SSHLibrary(version: "1.10.0")

    private static func record(_ hosts: String, _ type: String) -> String {
        let name = Array(type.utf8)
        return "\(hosts) \(type) \(Data([0, 0, 0, UInt8(name.count)] + name + [1]).base64EncodedString())\n"
    }

    private static func text(_ key: String, _ url: String = "git@github.com:acme/shop.git", more: String = "") -> String
    {
        "git: {sshKey: $D/\(key), knownHosts: $D/known_hosts\(more)}\nrepositories:\n  - url: \(url)\n"
    }

    private func fixture() throws -> CheckFixture {
        let fixture = try CheckFixture()
        try fixture.file(
            "known_hosts",
            Self.record("github.com", "ssh-ed25519") + Self.record("git.example.com", "ssh-rsa")
                + Self.record("[git.example.com]:2222", "ecdsa-sha2-nistp256"))
        return fixture
    }

    @Test(
        arguments: [
            ("git@github.com:acme/shop.git", []), ("ssh://git@git.example.com:2222/a.git", []),
            ("https://unknown.example.com/a.git", []),
            ("git@gitlab.com:acme/shop.git", ["unknown-host-key git.knownHosts 1"]),
            ("ssh://git@github.com:443/a.git", ["unknown-host-key git.knownHosts 1"]),
            ("git@git.example.com:a.git", ["rsa-host-key git.knownHosts 1"]),
        ] as [(String, [String])])
    func `the server's key is recorded`(_ url: String, _ problems: [String]) async throws {
        let fixture = try fixture()
        try fixture.key("key")
        let outcome = try await fixture.check(Self.text("key", url), library: Self.rsa)
        #expect(told(outcome) == problems)
        #expect(outcome.isValid == !problems.contains { $0.hasPrefix("unknown") })
    }

    @Test func `a server is told once, with the command that asks it`() async throws {
        let fixture = try fixture()
        try fixture.key("key")
        let outcome = try await fixture.check(
            Self.text("key", "ssh://git@h.example.com:22022/a.git") + "  - url: ssh://git@h.example.com:22022/b.git\n")
        #expect(told(outcome) == ["unknown-host-key git.knownHosts 1"])
        #expect(outcome.problems.first?.hint?.contains("ssh-keyscan -p 22022 h.example.com >> ") == true)
    }

    @Test(
        arguments: [
            ("ed25519", "git@github.com:a/b.git", []), ("ecdsa", "git@github.com:a/b.git", []),
            ("rsa", "git@github.com:a/b.git", ["sha1-signature git.sshKey 1 error"]),
            ("rsa", "ssh://git@git.example.com:2222/a.git", ["sha1-signature git.sshKey 1 warning"]),
        ] as [(String, String, [String])])
    func `an RSA key is told where libssh2 signs by SHA-1`(
        _ type: String, _ url: String, _ problems: [String]
    ) async throws {
        let fixture = try fixture()
        try fixture.key("key", type)
        let outcome = try await fixture.check(Self.text("key", url), library: Self.rsa)
        #expect(zip(told(outcome), outcome.problems).map { "\($0) \($1.severity.rawValue)" } == problems)
        #expect(try await fixture.check(Self.text("key", url)).problems.isEmpty)
    }

    @Test func `keys that cannot be used`() async throws {
        let fixture = try fixture()
        try fixture.key("locked", passphrase: "open sesame")
        try fixture.key("key")
        try fixture.file("putty", "PuTTY-User-Key-File-3: ssh-ed25519\n")
        try fixture.file("junk", "junk\n")
        try fixture.file("passphrase", "open sesame\n")
        for (key, code) in [
            ("locked", "missing-passphrase"), ("key.pub", "unusable-key"), ("putty", "unusable-key"),
            ("junk", "unusable-key"),
        ] {
            #expect(told(try await fixture.check(Self.text(key))) == ["\(code) git.sshKey 1"], "\(key)")
        }
        let opened = try await fixture.check(Self.text("locked", more: ", sshPassphraseFile: $D/passphrase"))
        #expect(opened.problems.isEmpty)
    }

    @Test func `each repository by its own settings`() async throws {
        let fixture = try fixture()
        try fixture.key("good")
        try fixture.key("rsa", "rsa", ["-b", "2048"])
        let outcome = try await fixture.check(
            Self.text("good") + "  - url: git@github.com:acme/other.git\n    git: {sshKey: $D/rsa}\n", library: Self.rsa
        )
        #expect(told(outcome) == ["sha1-signature repositories[1].git.sshKey 5"])
    }
}

@Suite(.tags(.integration)) struct SigningCheckTests {
    private func fixture() throws -> CheckFixture {
        let fixture = try CheckFixture()
        for name in ["own", "other"] {
            try fixture.key(name)
            let key = try String(contentsOfFile: fixture.scratch.file(name + ".pub"), encoding: .utf8)
            try fixture.file("trusts-\(name)", "\(name)@example.com \(key)")
        }
        try fixture.file("junk", "junk\n")
        return fixture
    }

    @Test(
        arguments: [
            ("own", "own", "head", "", []), ("own", "other", "none", "", []),
            ("own", "other", "head", "", ["own-key-not-trusted git.verify 1"]),
            ("own", "other", "first-parent", "", ["own-key-not-trusted git.verify 1"]),
            // Through a branch of its own the agent's commits come back by somebody's merge.
            ("own", "other", "head", ", push: {branch: slipway/update}", []),
            ("own", "other", "all", ", push: {branch: slipway/update}", ["own-key-not-trusted git.verify 1"]),
            ("junk", "other", "none", "", ["cannot-sign git.commit.signing 1"]),
        ] as [(String, String, String, String, [String])])
    func `the agent's own signature`(
        _ key: String, _ trusted: String, _ mode: String, _ more: String, _ problems: [String]
    ) async throws {
        let outcome = try await fixture().check(
            "git: {commit: {signing: {format: ssh, keyFile: $D/\(key)}}, verify: {mode: \(mode), allowedSigners: $D/trusts-\(trusted)}\(more)}\n"
                + least)
        #expect(told(outcome) == problems, "\(outcome.problems)")
    }

    @Test func `a keyring that gpg cannot read`() async throws {
        let outcome = try await fixture().check(
            "git:\n  commit: {signing: {format: ssh, keyFile: $D/own}}\n  verify: {mode: head, keyring: $D/junk}\n"
                + least)
        #expect(told(outcome) == ["wrong-format git.verify.keyring 3"])
    }
}
