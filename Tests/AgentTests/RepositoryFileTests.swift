import Builder
import Diagnostics
import OCI
import TestSupport
import Testing

@testable import Agent

/// `.slipway.yaml` against the agent's configuration: the same words, and another reach.
@Suite(.tags(.unit)) struct RepositoryFileTests {
    static func file(contexts: String = "", destinations: String = "[acme/web]", more: String = "") -> [UInt8] {
        Array(
            """
            builds:
              - name: web
                destinations: \(destinations)
            \(contexts.isEmpty ? "" : "    contexts: {host: '\(contexts)'}")
            \(more.isEmpty ? "" : "    \(more)")
            """.utf8)
    }

    static func configuration(_ build: String) -> [UInt8] {
        Array("repositories: [{url: /srv/a.git, builds: [\(build)]}]".utf8)
    }

    @Test(arguments: [
        "/etc", "/", "../other", "a/../../b", "~/.ssh", "oci:/srv/images/base", "oci:images",
        "oci-layout:///srv/images/base",
        "docker-image://oci:/srv/images/base", "file:///etc", "file:///srv/other.git", "/srv/other.git",
    ])
    func `a context of the machine is refused`(text: String) throws {
        let error = #expect(throws: (any Error).self) { try RepositoryFile.builds(in: Self.file(contexts: text)) }
        let refusal = try #require(error as? any Diagnostic)
        #expect(refusal.summary.contains("builds[0].contexts.host"))
        #expect(refusal.summary.contains("on the agent's machine, which a repository may not read"))
        #expect(refusal.place?.hasPrefix(".slipway.yaml:4:") == true, "\(refusal.place ?? "")")
        #expect(refusal.hint?.contains("only the agent's configuration can grant the path") == true)
        // The operator may say it.
        let trusted = Self.configuration("{destinations: [a/b], contexts: {host: '\(text)'}}")
        if !text.hasPrefix("file:"), !text.hasPrefix("docker-image:") {
            #expect(throws: Never.self) { try ConfigurationFile.parse(trusted, file: "agent.yaml") }
        }
    }

    @Test(arguments: ["http://example.com/a.tgz", "HTTP://example.com/a.tgz", "http://example.com/a.git#main"])
    func `a context by plain HTTP is refused`(text: String) throws {
        let error = #expect(throws: (any Error).self) { try RepositoryFile.builds(in: Self.file(contexts: text)) }
        let refusal = try #require(error as? any Diagnostic)
        #expect(refusal.summary.contains("by plain HTTP, which a repository may not ask for"))
        #expect(refusal.hint?.contains("https://") == true && refusal.hint?.contains("ADD the URL") == true)
    }

    @Test(arguments: [
        "ftp://x/y", "s3://bucket/key", "https://user:hunter2@example.com/x", "docker-image://a/UPPER", "",
    ])
    func `what is no context is refused`(text: String) {
        let error = #expect(throws: (any Error).self) {
            try RepositoryFile.builds(in: Self.file(more: "contexts: {host: '\(text)'}"))
        }
        guard let refusal = error as? any Diagnostic else { return }
        #expect(!"\(refusal.summary) \(refusal.cause ?? "") \(refusal.hint ?? "")".contains("hunter2"))
    }

    @Test func `what a repository's contexts may be`() throws {
        let texts: [(String, RepositoryContext)] = [
            ("docker-image://alpine:3", .image(try .init("alpine:3"))), ("docker-image://scratch", .empty),
            ("https://example.com/a.tgz", .url("https://example.com/a.tgz")), ("target:build", .stage("build")),
            ("libs/common", .folder("libs/common")), ("./libs/./common/", .folder("libs/common")), (".", .folder("")),
            ("https://example.com/a.git#v1:dist", .git(try .init("https://example.com/a.git#v1:dist"))),
            ("git@example.com:a/b.git", .git(try .init("git@example.com:a/b.git"))),
        ]
        for (text, context) in texts { #expect(try RepositoryContext(text) == context, "\(text)") }
    }

    @Test func `submodules and what Git LFS keeps`() throws {
        let build = try RepositoryFile.builds(in: Self.file(more: "submodules: true\n    lfs: false"))[0]
        #expect(build.fetchesSubmodules == true && build.fetchesLargeFiles == false)
        let pipeline = Pipeline(admitting: build)
        var settings = AgentConfiguration.BuildsConfiguration()
        #expect(settings.fetched(for: pipeline) == FetchedContent(submodules: true))
        // What a build does not say, the configuration says for all.
        settings.fetched = FetchedContent(submodules: false, largeFiles: true)
        #expect(settings.fetched(for: pipeline) == FetchedContent(submodules: true))
        #expect(
            settings.fetched(for: Pipeline(admitting: try RepositoryFile.builds(in: Self.file())[0]))
                == FetchedContent(largeFiles: true))
    }

    @Test func `a context with the repository's history`() throws {
        #expect(try RepositoryFile.builds(in: Self.file(more: "keepGitDir: true"))[0].keepsGitDirectory == true)
        #expect(try RepositoryFile.builds(in: Self.file())[0].keepsGitDirectory == nil)
        let error = #expect(throws: (any Error).self) {
            try RepositoryFile.builds(in: Self.file(more: "context: app\n    keepGitDir: true"))
        }
        let refusal = try #require(error as? any Diagnostic)
        #expect(
            refusal.summary.contains("builds[0].keepGitDir")
                && refusal.hint?.contains("dockerfile: app/Dockerfile") == true)
    }

    @Test(arguments: [("1", true), ("true", true), ("0", false), ("nonsense", false)])
    func `BuildKit's argument asks for it as well`(value: String, isAsked: Bool) {
        #expect(GitDirectoryWish.asked(by: [("A", "1")]) == nil)
        #expect(GitDirectoryWish.asked(by: [("BUILDKIT_CONTEXT_KEEP_GIT_DIR", value)]) == isAsked)
    }

    @Test(arguments: ["oci:/srv/images/app", "oci:images", "oci:5000/app"])
    func `a destination on the machine is refused`(text: String) throws {
        let bytes = Self.file(destinations: "[acme/web, '\(text)']")
        let error = #expect(throws: (any Error).self) { try RepositoryFile.builds(in: bytes) }
        let refusal = try #require(error as? any Diagnostic)
        #expect(refusal.summary.contains("directory of the agent's machine, where a repository may not write"))
        #expect(refusal.place?.hasPrefix(".slipway.yaml:3:") == true)
        #expect(refusal.hint?.contains("only 'builds' in the agent's configuration") == true)
        let trusted = try ConfigurationFile.parse(
            Self.configuration("{destinations: ['\(text)']}"), file: "agent.yaml")
        #expect(trusted.repositories[0].builds[0].destinations[0].repository.description.hasPrefix("oci:"))
    }

    @Test(arguments: ["context: /etc", "context: ../b", "dockerfile: /etc/passwd", "dockerfile: a/../../b"])
    func `a path that leaves the repository is refused`(line: String) throws {
        let error = #expect(throws: (any Error).self) { try RepositoryFile.builds(in: Self.file(more: line)) }
        let refusal = try #require(error as? any Diagnostic)
        #expect(refusal.summary.contains("leaves the repository") && refusal.place != nil && refusal.hint != nil)
    }

    // MARK: The configuration's limits

    @Test func `limits and grants are read`() throws {
        let text = """
            builds: {credentials: ["https://git.example.com/libraries"]}
            repositories:
              - url: https://git.example.com/acme/shop.git
                allowed:
                  destinations: ["registry.example.com/acme/**"]
                  bases: []
                  credentials: ["ssh://git@git.example.com/acme/"]
            """
        let configuration = try ConfigurationFile.parse(Array(text.utf8), file: "agent.yaml")
        #expect(configuration.builds.credentials.count == 1)
        let allowed = configuration.repositories[0].allowed
        #expect(allowed.destinations?.map(\.description) == ["registry.example.com/acme/**"])
        #expect(allowed.bases == [] && allowed.credentials.count == 1)
        #expect(allowed.bases(of: "shop")?.key == "repositories[shop].allowed.bases")
    }

    @Test(arguments: [
        ("allowed: {destinations: [acme/*]}", "does not begin with a registry's host"),
        ("allowed: {credentials: [/srv/git]}", "not the beginning of a git repository's URL"),
        ("allowed: {credentials: ['https://u:hunter2@h/a']}", "not the beginning of a git repository's URL"),
        ("allowed: {pushes: []}", "unknown key 'pushes'"),
    ])
    func `what is no limit`(line: String, reason: String) {
        let error = #expect(throws: (any Error).self) {
            try ConfigurationFile.parse(Array("repositories: [{url: /a.git, \(line)}]".utf8), file: "agent.yaml")
        }
        let refusal = error as? any Diagnostic
        let text = "\(refusal?.summary ?? "") \(refusal?.hint ?? "")"
        #expect(text.contains(reason) && !text.contains("hunter2"), "\(text)")
    }

    /// Builds of all origins, the operator's too.
    @Test func `a build that may not push there is left out, and said`() throws {
        var pipelines = try RepositoryFile.builds(
            in: Self.file(destinations: "[registry.example.com/acme/web, evil/web]")
        ).map { Pipeline(admitting: $0) }
        pipelines += try ConfigurationFile.parse(
            Self.configuration("{name: other, destinations: ['oci:/srv/images/app']}"), file: "agent.yaml"
        ).repositories[0].builds
        pipelines += try RepositoryFile.builds(in: Self.file(destinations: "[registry.example.com/acme/web]"))
            .map { Pipeline(admitting: $0) }
        var allowed = AllowedImages()
        allowed.destinations = [try .init("registry.example.com/acme/**")]
        let skipped = pipelines.compactMap { allowed.problem(with: $0, of: "shop") }
        #expect(pipelines.count == 3)
        #expect(skipped.map(\.isError) == [true, true])
        let reason = skipped[0].reason
        #expect(reason.contains("may not push to docker.io/evil/web"), "\(reason)")
        #expect(reason.contains("repositories[shop].allowed.destinations allows registry.example.com/acme/**"))
        #expect(skipped[0].remedy?.contains("'allowed.destinations' in the agent's configuration") == true)
        #expect(skipped[1].reason.contains("oci:/srv/images/app"))
    }
}
