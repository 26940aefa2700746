import Agent
import ArgumentParser
import Builder
import TestSupport
import Testing

@testable import CommandLine

/// Every flag of kaniko's executor and warmer, one a line: taken and tried (by the test that is named), taken with a note,
/// or refused with a reason.
@Suite(.tags(.unit), .thorough) struct KanikoFlagTests {
    enum Fate: Sendable {
        case honoured(String), noted, refused
        /// A spelling that kaniko has given up: as the flag that is named, with kaniko's warning.
        case former(String)
    }

    /// Google's 1.24, then what the living fork added.
    static let executor: [(arguments: [String], fate: Fate)] = [
        (["--context=dir:///workspace"], .honoured("KanikoJobTests")),
        (["-c", "tar://stdin"], .honoured("KanikoJobTests")),
        (["--context-sub-path=app"], .honoured("KanikoJobTests")),
        (["--dockerfile=docker/Dockerfile"], .honoured("KanikoJobTests")),
        (["-f", "Dockerfile"], .honoured("KanikoJobTests")),
        (
            ["--git=branch=main,single-branch=true,recurse-submodules=true,insecure-skip-tls=false,depth=1"],
            .honoured("ContextLocationTests")
        ),
        (["--bucket=b"], .honoured("ContextLocationTests")), (["-b", "b"], .honoured("ContextLocationTests")),
        (["--build-arg=A=two words"], .honoured("KanikoJobTests")),
        (["--target=release"], .honoured("BuildOutputTests")),
        (["--skip-unused-stages"], .honoured("BuildOutputTests")),
        (["--skip-unused-stages=false"], .honoured("BuildOutputTests")),
        (["--custom-platform=linux/amd64"], .honoured("BuildOutputTests")),
        (["--customPlatform=linux/amd64"], .former("custom-platform")),
        (["--label=a=b"], .honoured("BuildCommandTests")),
        (["--single-snapshot"], .honoured("BuildOutputTests")), (["--use-new-run"], .noted),
        (["--snapshot-mode=redo"], .noted), (["--snapshotMode=redo"], .former("snapshot-mode")),
        (["--ignore-path=/x"], .honoured("BuildOutputTests")),
        (["--ignore-var-run"], .honoured("BuildOutputTests")),
        (["--whitelist-var-run=false"], .former("ignore-var-run")),
        (["--reproducible"], .honoured("BuildOutputTests")), (["--force-build-metadata"], .noted),
        (["--force"], .noted),
        (["--cleanup"], .noted), (["--kaniko-dir=/k"], .honoured("KanikoJobTests")),
        (["--cache"], .honoured("RemoteCacheTests")), (["--cache=true"], .honoured("RemoteCacheTests")),
        (["--cache-repo=r/cache"], .honoured("RemoteCacheTests")),
        (["--cache-dir=/cache"], .honoured("WarmCommandTests")),
        (["--cache-run-layers=false"], .honoured("RemoteCacheTests")),
        (["--cache-copy-layers"], .honoured("RemoteCacheTests")), (["--cache-ttl=6h"], .honoured("RemoteCacheTests")),
        (["--compressed-caching=false"], .noted), (["--no-push-cache"], .honoured("RemoteCacheTests")),
        (["--compression=zstd"], .honoured("BuildOutputTests")),
        (["--compression-level=3"], .honoured("BuildOutputTests")),
        (["--destination=r/a:1"], .honoured("KanikoJobTests")), (["-d", "r/a:1"], .honoured("KanikoJobTests")),
        (["--no-push"], .honoured("KanikoJobTests")), (["--push-retry=3"], .honoured("KanikoJobTests")),
        (["--push-ignore-immutable-tag-errors"], .honoured("BuildOutputTests")),
        (["--image-download-retry=3"], .honoured("KanikoJobTests")),
        (["--image-fs-extract-retry=3"], .honoured("BuildRetryTests")),
        (["--skip-push-permission-check"], .honoured("KanikoJobTests")), (["--insecure"], .honoured("KanikoJobTests")),
        (["--insecure-pull"], .honoured("KanikoJobTests")), (["--insecure-registry=r"], .honoured("KanikoJobTests")),
        (["--skip-tls-verify"], .honoured("KanikoJobTests")), (["--skip-tls-verify-pull"], .honoured("KanikoJobTests")),
        (["--skip-tls-verify-registry=r"], .honoured("KanikoJobTests")),
        (["--registry-certificate=r=/ca.crt"], .honoured("RegistryTests")),
        (["--registry-client-cert=r=/c.crt,/c.key"], .honoured("RegistryTests")),
        (["--registry-mirror=m"], .honoured("RegistryTests")), (["--registry-map=a=b;c=d"], .honoured("RegistryTests")),
        (["--skip-default-registry-fallback"], .honoured("RegistryTests")),
        (["--tarPath=/o.tar"], .former("tar-path")), (["--tarPath", "/o.tar"], .former("tar-path")),
        (["--tar-path=/o.tar"], .honoured("KanikoJobTests")), (["--oci-layout-path=/o"], .honoured("BuildOutputTests")),
        (["--digest-file=/d"], .honoured("KanikoJobTests")),
        (["--image-name-with-digest-file=/d"], .honoured("KanikoJobTests")),
        (["--image-name-tag-with-digest-file=/d"], .honoured("KanikoJobTests")),
        (["--verbosity=debug"], .honoured("KanikoJobTests")), (["-v=warning"], .honoured("KanikoJobTests")),
        (["--log-format=json"], .honoured("KanikoJobTests")), (["--log-timestamp"], .honoured("KanikoJobTests")),
        // The living fork's.
        (["--preserve-context"], .noted), (["--pre-cleanup"], .noted), (["--materialize"], .refused),
        (["--annotation=a=b"], .honoured("BuildCommandTests")), (["--secret=id=HOME"], .honoured("BuildCommandTests")),
        (["--dryrun"], .honoured("BuildOutputTests")), (["--image-format=docker"], .honoured("BuildCommandTests")),
        (["--credential-helpers=google,ecr"], .honoured("KanikoFlagTests")),
        (["--credential-helpers="], .honoured("KanikoFlagTests")),
    ]

    static let warmer: [(arguments: [String], fate: Fate)] = [
        (["--image=a"], .honoured("WarmCommandTests")), (["-i", "a"], .honoured("WarmCommandTests")),
        (["--dockerfile=D"], .honoured("WarmCommandTests")), (["-d=D"], .honoured("WarmCommandTests")),
        (["--build-arg=A=b"], .honoured("WarmCommandTests")), (["--cache-dir=/c"], .honoured("WarmCommandTests")),
        (["-c", "/c"], .honoured("WarmCommandTests")), (["--force"], .honoured("WarmCommandTests")),
        (["-f"], .honoured("WarmCommandTests")), (["--cache-ttl=6h"], .noted),
        (["--customPlatform=linux/amd64"], .honoured("WarmCommandTests")),
        (["--custom-platform=linux/amd64"], .honoured("WarmCommandTests")),
        (["--image-download-retry=2"], .honoured("WarmCommandTests")),
        (["--insecure-pull"], .honoured("WarmCommandTests")),
        (["--insecure-registry=r"], .honoured("WarmCommandTests")),
        (["--skip-tls-verify-pull"], .honoured("WarmCommandTests")),
        (["--skip-tls-verify-registry=r"], .honoured("WarmCommandTests")),
        (["--registry-certificate=r=/ca"], .honoured("RegistryTests")),
        (["--registry-client-cert=r=/c,/k"], .honoured("RegistryTests")),
        (["--registry-map=a=b"], .honoured("RegistryTests")), (["--registry-mirror=m"], .honoured("RegistryTests")),
        (["--skip-default-registry-fallback"], .honoured("RegistryTests")),
        (["-v", "info"], .honoured("WarmCommandTests")),
        (["--log-format=text"], .honoured("WarmCommandTests")),
        (["--credential-helpers=ecr"], .honoured("KanikoFlagTests")),
        (["--log-timestamp=true"], .honoured("WarmCommandTests")),
    ]

    /// Parsing checks the whole command each time, so flags that go together are parsed together.
    @Test func `each flag of the executor`() throws {
        func parse(_ arguments: [String]) throws -> ExecutorCommand {
            let words = Invocation.arguments(["/kaniko/executor", "--destination=r/a:1"] + arguments)
            #expect(words.first == "executor")
            return try ExecutorCommand.parse(Array(words.dropFirst()))
        }
        var honoured: [String] = []
        var noted: [[String]] = []
        for (arguments, fate) in Self.executor {
            switch fate {
            case .honoured: honoured += arguments
            case .noted: noted.append(arguments)
            case .former(let name):
                let written = arguments[0].prefix { $0 != "=" }
                let options = try parse(arguments).options
                #expect(options.notes().first == "Flag \(written) is deprecated. Use: --\(name)")
                let modern = try parse(
                    ["--\(name)" + arguments[0].drop { $0 != "=" }] + arguments.dropFirst()
                ).options
                #expect(options.output.tarPath == modern.output.tarPath)
                #expect(options.image.platform == modern.image.platform)
                #expect(options.image.ignoresVarRun?.isOn == modern.image.ignoresVarRun?.isOn)
                #expect(options.kanikoFlags == modern.kanikoFlags)
            case .refused:
                let error = #expect(throws: (any Error).self) { try parse(arguments) }
                #expect(error.map { ExecutorCommand.message(for: $0).contains("cannot be honoured") } == true)
            }
        }
        // The two that exclude each other are one each.
        let all = try parse(honoured.filter { $0 != "--compression=zstd" })
        #expect(all.options.kanikoFlags == [], "an option stands for each")
        #expect(try parse(["--compression=zstd"]).options.image.compression == .zstd)
        let notes = try parse(noted.flatMap { $0 }).options.notes().filter { $0.contains("has no effect") }
        #expect(notes.count == noted.count)
        for arguments in noted {
            let name = arguments[0].prefix { $0 != "=" }
            #expect(notes.contains { $0.hasPrefix("\(name) has no effect: ") }, "\(name)")
        }
    }

    /// As docker takes them.
    @Test(arguments: [("a=b", "a", "b"), ("a", "a", ""), ("a=", "a", ""), ("a=b=c", "a", "b=c")])
    func `labels with a value and without`(text: String, name: String, value: String) throws {
        #expect(try BuildRequestReader.label(text) == (name, value))
    }

    @Test(arguments: ["", "=b"]) func `labels without a name`(text: String) {
        #expect(throws: ValidationError.self) { try BuildRequestReader.label(text) }
    }

    @Test func `standard input is one thing`() throws {
        let words = ["-f", "-", "--no-push", "--context"]
        _ = try ExecutorCommand.parse(Array(Invocation.arguments(["executor"] + words + ["."]).dropFirst()))
        let error = #expect(throws: (any Error).self) {
            try ExecutorCommand.parse(Array(Invocation.arguments(["executor"] + words + ["tar://stdin"]).dropFirst()))
        }
        #expect(error.map { ExecutorCommand.message(for: $0).contains("the Dockerfile and the context") } == true)
    }

    @Test func `each flag of the warmer`() throws {
        let words = Invocation.arguments(["/kaniko/warmer"] + Self.warmer.flatMap(\.arguments))
        #expect(words.first == "warm")
        let command = try WarmCommand.parse(Array(words.dropFirst()))
        #expect(command.kanikoFlags == ["cache-ttl=6h"])
        #expect(KanikoFlags.warmer.notes(command.kanikoFlags).count == 1)
    }

    /// Nothing in the table of flags is missing above.
    @Test func `the lists are whole`() {
        func names(_ list: [(arguments: [String], fate: Fate)], _ flags: KanikoFlags) -> Set<String> {
            Set(list.compactMap { flags.token($0.arguments[0])?.flag?.name })
        }
        #expect(names(Self.executor, .executor) == Set(KanikoFlags.executor.all.map(\.name)))
        #expect(names(Self.warmer, .warmer) == Set(KanikoFlags.warmer.all.map(\.name)))
    }

    @Test(
        arguments: [
            (["executor", "-c=x", "-dr/a:1"], ["executor", "--context=x", "--destination=r/a:1"]),
            (
                ["/usr/bin/slipway", "build", "--no-push=true", "--cache=false"],
                ["build", "--no-push", "--cache=false"]
            ),
            (["slipway", "build", "--no-push", "--no-push=false"], ["build"]),
            (["slipway", "build", "--build-arg", "-x=1"], ["build", "--build-arg=-x=1"]),
            (["slipway", "build", "--build-arg"], ["build", "--build-arg"]),
            (
                ["slipway", "build", "--state-dir", "x", "--cleanup"],
                ["build", "--state-dir", "x", "--kaniko-flag=cleanup=true"]
            ),
            (["slipway", "--context=x"], ["executor", "--context=x"]), (["slipway", "--version"], ["--version"]),
            (["slipway", "sync", "--context"], ["sync", "--context"]),
            (["/kaniko/warmer", "-f"], ["warm", "--force"]),
            (["slipway", "warmer", "-c", "x"], ["warm", "--cache-dir=x"]), (["slipway"], []), ([], []),
            (["executor", "--target=", "--registry-mirror", "", "--destination="], ["executor", "--destination"]),
            (["executor", "--", "--no-push=true"], ["executor", "--", "--no-push=true"]),
        ] as [([String], [String])])
    func `spellings`(arguments: [String], expected: [String]) {
        #expect(Invocation.arguments(arguments) == expected)
    }

    @Test(arguments: [
        (["--no-push=maybe"], "neither true nor false"), (["--snapshot-mode=fast"], "full, redo and time"),
        (["--cache=perhaps"], "cache"), (["--compression-level=99"], "0 to 12"),
        (["--compression=zstd", "--image-format=docker"], "Docker's format"), (["--push-retry=-1"], "push-retry"),
        (["--credential-helpers=aws"], "ecr"), (["--digest-file=http://x/y"], "HTTPS"), (["login"], "config.json"),
        (["push"], "registry copy"), (["stray"], "no flag"), (["--no-such-flag"], "no-such-flag"),
        (["--output=type=local,dest=x"], "not supported"), (["--output=type=oci"], "dest"),
        (["--output=type=oci,dest=-", "--tar-path=-"], "standard output"),
        (["--output=type=oci,dest=x,rewrite-timestamp=maybe"], "rewrite-timestamp"),
    ])
    func `refused with a reason`(arguments: [String], reason: String) {
        let words = Invocation.arguments(["executor", "--destination=r/a:1"] + arguments)
        let error = #expect(throws: (any Error).self) { try ExecutorCommand.parse(Array(words.dropFirst())) }
        let text = error.map { ExecutorCommand.fullMessage(for: $0) } ?? ""
        #expect(text.contains(reason), "\(text)")
    }
}

@Suite(.tags(.unit)) struct ContextLocationTests {
    @Test func `directories and archives`() throws {
        #expect(try ContextLocation("dir:///a/../b") == .directory(path: "/b"))
        #expect(try ContextLocation("/workspace/") == .directory(path: "/workspace"))
        #expect(try ContextLocation("tar:///c.tar.gz") == .tar(path: "/c.tar.gz"))
        #expect(try ContextLocation("tar://stdin") == .standardInput)
        #expect(try ContextLocation("https://h.example/c.tar.gz") == .archive(url: "https://h.example/c.tar.gz"))
    }

    @Test func `kaniko's git`() throws {
        func git(_ text: String, _ options: String = "", pullMethod: String? = nil) throws -> GitContext {
            let location = try ContextLocation(text, git: try GitContextOptions(options), pullMethod: pullMethod)
            guard case .git(let context) = location else { throw TestSupportError("\(text) is no git context") }
            return context
        }
        let plain = try git("git://github.com/acme/app")
        #expect(plain.locator.remote == "https://github.com/acme/app")
        #expect(plain.locator.reference == nil && plain.commit == nil && !plain.locator.fetchesSubmodules)
        let full = try git("git://github.com/acme/app.git#refs/heads/main#3a33f0a", "recurse-submodules=true")
        #expect(full.locator.reference == "refs/heads/main" && full.commit == "3a33f0a")
        #expect(full.locator.fetchesSubmodules)
        #expect(try git("git://h/a", "branch=dev,depth=1").locator.reference == "dev")
        #expect(try git("git://h/a#main", "branch=dev").locator.reference == "main")
        #expect(try git("git://h:8080/a", pullMethod: "http").locator.remote == "http://h:8080/a")
        let secret = try git("git://user:hunter2@h/a#main", "insecure-skip-tls=true")
        #expect(secret.locator.remote == "https://h/a" && secret.username == "user" && secret.password == "hunter2")
        #expect(secret.skipsTLSVerification)
        #expect(try git("https://h/a.git#main:sub").locator.folder == "sub")
        #expect(try git("git@h:a.git").locator.remote == "git@h:a.git")
    }

    @Test(arguments: ["ftp://x/y", "tar://", "git://h/a#b#c#d", ""]) func `refused`(text: String) {
        #expect(throws: AgentError.self) { try ContextLocation(text) }
    }

    @Test(arguments: ["branch", "depth=x", "recurse-submodules=maybe", "what=1"]) func `git options`(text: String) {
        #expect(throws: AgentError.self) { try GitContextOptions(text) }
    }
}
