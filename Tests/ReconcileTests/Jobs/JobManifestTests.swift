import AgentFakes
import Foundation
import Git
import JSON
import OCI
import Registry
import TestSupport
import Testing

@testable import Agent

/// What is sent to the API server for a build, and what is run there.
@Suite(.tags(.unit)) struct JobManifestTests {
    private static func identity(
        _ repository: String = "shop", _ pipeline: String = "web", branch: String = "main",
        key: String = "sha256:" + String(repeating: "a", count: 64)
    ) -> JobIdentity {
        JobIdentity(
            PipelineKey(repository: repository, pipeline: pipeline), url: "https://git.example.com/acme/shop",
            branch: branch, contentKey: key)
    }

    private static func template(_ text: String = "{image: registry.example.com/slipway:1}") throws -> JobTemplate {
        let configuration = try ConfigurationFile.parse(
            Array(
                "builder: kubernetes\ncluster: {builds: \(text)}\nrepositories: [{url: https://git.example.com/a/b}]"
                    .utf8),
            file: "agent.yaml")
        return try #require(configuration.cluster.builds)
    }

    private static func manifest(_ template: JobTemplate) throws -> JobManifest {
        var command = JobCommand()
        command.add("build-arg", "PRICE=5$(HOME)")
        command.add("docker-config", file: "config.json", Array("{}".utf8))
        return JobManifest(
            identity: identity(), template: template, command: command, revision: "c0ffee",
            platform: try Platform("linux/arm64"))
    }

    @Test func `the whole Job`() throws {
        let template = try Self.template(
            """
            {image: registry.example.com/slipway:1, deadline: 30m, ttl: 10m, serviceAccount: builder, nodeSelector: {pool: builds},
             tolerations: [{key: builds, operator: Exists}], resources: {limits: {memory: 2Gi, cpu: 2}}, labels: {team: shop},
             securityContext: {runAsUser: 0}, podSecurityContext: {fsGroup: 1000}, imagePullPolicy: Always,
             volumes: [{name: cache, hostPath: {path: /var/cache}}], volumeMounts: [{name: cache, mountPath: /cache}],
             env: [{name: HTTPS_PROXY, value: "http://proxy:3128"}], imagePullSecrets: [{name: pull}]}
            """)
        let hash = Self.identity().name.suffix(16)
        let golden = """
            {"apiVersion":"batch/v1","kind":"Job",
             "metadata":{"name":"slipway-shop-web-\(hash)",
              "labels":{"app.kubernetes.io/component":"build","app.kubernetes.io/managed-by":"slipway",
               "slipway.dev/content-key":"\(String(repeating: "a", count: 40))","slipway.dev/pipeline":"\(Self.identity().pipeline)","team":"shop"},
              "annotations":{"slipway.dev/content-key":"sha256:\(String(repeating: "a", count: 64))","slipway.dev/pipeline":"web",
               "slipway.dev/repository":"shop","slipway.dev/revision":"c0ffee"}},
             "spec":{"suspend":true,"backoffLimit":0,"activeDeadlineSeconds":1800,"ttlSecondsAfterFinished":600,
              "template":{
               "metadata":{
                "labels":{"app.kubernetes.io/component":"build","app.kubernetes.io/managed-by":"slipway",
                 "slipway.dev/content-key":"\(String(repeating: "a", count: 40))","slipway.dev/pipeline":"\(Self.identity().pipeline)","team":"shop"},
                "annotations":{"slipway.dev/content-key":"sha256:\(String(repeating: "a", count: 64))","slipway.dev/pipeline":"web",
                 "slipway.dev/repository":"shop","slipway.dev/revision":"c0ffee"}},
               "spec":{"restartPolicy":"Never","automountServiceAccountToken":false,"enableServiceLinks":false,
                "serviceAccountName":"builder","imagePullSecrets":[{"name":"pull"}],"securityContext":{"fsGroup":1000},
                "nodeSelector":{"pool":"builds","kubernetes.io/os":"linux","kubernetes.io/arch":"arm64"},
                "tolerations":[{"key":"builds","operator":"Exists"}],
                "volumes":[
                 {"name":"slipway-files","secret":{"secretName":"slipway-shop-web-\(hash)","defaultMode":256}},
                 {"name":"slipway-workspace","emptyDir":{}},{"name":"slipway-state","emptyDir":{}},
                 {"name":"cache","hostPath":{"path":"/var/cache"}}],
                "containers":[{"name":"build","image":"registry.example.com/slipway:1","imagePullPolicy":"Always",
                 "args":["build","--build-arg=PRICE=5$$(HOME)","--docker-config=/etc/slipway/build/config.json"],
                 "workingDir":"/workspace","terminationMessagePolicy":"FallbackToLogsOnError",
                 "env":[{"name":"HTTPS_PROXY","value":"http://proxy:3128"}],
                 "resources":{"limits":{"memory":"2Gi","cpu":2}},"securityContext":{"runAsUser":0},
                 "volumeMounts":[{"name":"slipway-files","mountPath":"/etc/slipway/build","readOnly":true},
                  {"name":"slipway-workspace","mountPath":"/workspace"},{"name":"slipway-state","mountPath":"/var/lib/slipway"},
                  {"name":"cache","mountPath":"/cache"}]}]}}}}
            """
        #expect(try Self.manifest(template).object == JSONReader.read(Array(golden.utf8)))
    }

    @Test func `a volume of the template takes the place of the state directory's`() throws {
        let template = try Self.template(
            "{image: i, volumes: [{name: s, emptyDir: {medium: Memory}}], volumeMounts: [{name: s, mountPath: /var/lib/slipway}]}"
        )
        let pod = try Self.manifest(template).object["spec"]["template"]["spec"]
        #expect(pod["volumes"].items.compactMap { $0["name"].text } == ["slipway-files", "slipway-workspace", "s"])
        // Another user than root has to read the files of root's.
        #expect(pod["volumes"].items.first?["secret"]["defaultMode"] == 0o444)
    }

    @Test func `the Secret belongs to the Job`() throws {
        let secret = try Self.manifest(try Self.template()).secret(ownedBy: "uid-1")
        #expect(secret["data"] == ["config.json": "e30="])
        #expect(secret["metadata"]["ownerReferences"].items.map { $0["uid"] } == ["uid-1"])
        #expect(secret["metadata"]["name"].text == Self.identity().name)
    }

    @Test func `names are those of Kubernetes, and one build has one`() {
        let identities = [
            Self.identity(), Self.identity("Shop"), Self.identity(branch: "next"), Self.identity("shop", "we_b"),
            Self.identity("shop", "ö"), Self.identity(key: "sha256:b"),
            Self.identity(String(repeating: "x", count: 300), String(repeating: "y", count: 300)),
        ]
        #expect(Set(identities.map(\.name)).count == identities.count)
        #expect(Self.identity().name == Self.identity().name)
        #expect(Self.identity().pipeline == Self.identity(key: "sha256:b").pipeline)
        for identity in identities {
            // Pods are named after Jobs, and have a label with the Job's name.
            #expect(identity.name.utf8.count <= 57)
            #expect(identity.name.wholeMatch(of: /[a-z0-9]([-a-z0-9]*[a-z0-9])?/) != nil, "\(identity.name)")
            for (_, value) in identity.labels { #expect(value.utf8.count <= 63) }
        }
    }

    @Test(arguments: [
        ("{}", "'image' is missing"), ("{image: i, deadline: 10}", "not a duration"),
        ("{image: i, ttl: 0s}", "at least one second"),
        ("{image: i, tolerations: {a: b}}", "expected a list"), ("{image: i, resources: [a]}", "expected a mapping"),
        ("{image: i, imagePullPolicy: always}", "imagePullPolicy"), ("{image: i, nodeSelectr: {}}", "nodeSelectr"),
        ("{image: i, volumes: [{name: slipway-state, emptyDir: {}}]}", "Slipway's own"),
    ])
    func `templates that cannot be are refused with their place`(_ text: String, _ reason: String) {
        let error = #expect(throws: (any Error).self) { _ = try Self.template(text) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(reason))
    }

    @Test func `Jobs need a template`() {
        let text = "builder: kubernetes\nrepositories: [{url: https://git.example.com/a/b}]"
        let error = #expect(throws: (any Error).self) {
            _ = try ConfigurationFile.parse(Array(text.utf8), file: "agent.yaml")
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("Jobs need 'cluster.builds'"))
    }

    // MARK: The command

    /// What a build of the world runs.
    private static func arguments(
        _ file: String = World.builds(("web", "v{build.number}")),
        url: String = "https://git.example.com/acme/shop.git",
        _ change: (inout AgentConfiguration) -> Void = { _ in }
    ) async throws -> (arguments: [String], environment: JSONValue, report: CycleReport) {
        let world = try await JobWorld()
        world.world.repository.url = url
        world.world.host.commit([".slipway.yaml": file, "docs/readme": "read me"])
        var configuration = AgentConfiguration(stateDirectory: "/tmp/unused")
        change(&configuration)
        world.world.jobs = BuildCluster(
            try world.cluster.endpoint, template: JobTemplate(image: "slipway"), configuration: configuration,
            keychain: .empty, isLeaving: { false })
        let report = await world.cycle()
        let container = world.cluster.all("jobs").first?["spec"]["template"]["spec"]["containers"].items.first
        let head = "\(world.world.host.head()?.id.description ?? "")"
        return (
            container?["args"].items.compactMap { $0.text?.replacingOccurrences(of: head, with: "HEAD") } ?? [],
            container?["env"] ?? .null, report
        )
    }

    @Test func `the command builds the commit as the agent would`() async throws {
        let file = """
            builds:
              - name: web
                context: web
                dockerfile: web/Dockerfile
                target: run
                args: {FLAVOUR: red}
                labels: {a: "1"}
                platform: linux/arm64
                contexts: {assets: docs}
                destinations: [registry.example.com/acme/web]
                tags: ["v{build.number}"]
            """
        let (arguments, _, report) = try await Self.arguments(file) { configuration in
            configuration.builds.stepMemory = 1 << 30
            configuration.builds.cacheRepository = .registry(host: "registry.example.com", path: "cache")
            configuration.isolation = .chroot
            var entry = AgentConfiguration.RegistryEntry(host: "registry.example.com")
            entry.insecure = true
            entry.mirrors = ["mirror.example.com"]
            configuration.registries = [entry]
        }
        #expect(report.failures.map(\.message) == [])
        let wanted = [
            "--context=git://git.example.com/acme/shop.git#refs/heads/main:web",
            "--git=commit=HEAD,recurse-submodules=false",
            "--git-credentials-for=https://git.example.com/acme/shop.git", "--target=run", "--build-arg=FLAVOUR=red",
            "--label=a=1", "--platform=linux/arm64",
            "--annotation=org.opencontainers.image.revision=HEAD", "--annotation=dev.slipway.pipeline=main web",
            "--isolation=chroot", "--step-memory=1073741824",
            "--insecure-registry=registry.example.com", "--registry-mirror=registry.example.com=mirror.example.com",
            "--destination=registry.example.com/acme/web", "--push-by-digest", "--progress=json", "--output=json",
            "--build-context=assets=https://git.example.com/acme/shop.git?ref=HEAD&subdir=docs&submodules=false",
            "--result-file=/dev/termination-log", "--state-dir=/var/lib/slipway",
        ]
        for argument in wanted { #expect(arguments.contains(argument), "\(argument) in \(arguments)") }
        #expect(arguments.contains { $0.hasPrefix("--created=2") })
    }

    @Test func `repositories by plain HTTP and by SSH`() async throws {
        let (web, environment, _) = try await Self.arguments(url: "http://git.example.com:3000/acme/shop")
        #expect(web.contains("--context=git://git.example.com:3000/acme/shop#refs/heads/main:web"))
        #expect(environment.items.contains(["name": "GIT_PULL_METHOD", "value": "http"]))
        let (ssh, _, _) = try await Self.arguments(url: "git@git.example.com:acme/shop.git")
        #expect(ssh.contains("--context=git@git.example.com:acme/shop.git#refs/heads/main:web"))
    }

    @Test(arguments: ["/srv/git/shop.git", "git://git.example.com/acme/shop.git"])
    func `what a Job cannot fetch is refused, and fails once`(url: String) async throws {
        let (none, _, report) = try await Self.arguments(url: url)
        #expect(none == [])
        let failure = try #require(report.failures.first)
        #expect(failure.disposition == .stalled)
        #expect(failure.message.contains("cannot run as a Job"))
        #expect(failure.hint?.contains("builder: embedded") == true)
    }

    // MARK: Credentials

    @Test func `a Job gets the credentials of its repositories, and of no others`() async throws {
        let folder = try TemporaryDirectory("docker")
        try #"{"auths":{"registry.example.com":{"auth":"dTpw"},"other.example.com":{"auth":"eDp5"}}}"#
            .write(toFile: folder.file("config.json"), atomically: true, encoding: .utf8)
        try "token\n".write(toFile: folder.file("token"), atomically: true, encoding: .utf8)
        var git = AgentConfiguration.GitConfiguration()
        git.tokenFile = folder.file("token")
        let secrets = try await JobSecrets.read(
            git: git, of: "https://git.example.com/acme/shop",
            keychain: Keychain(file: folder.file("config.json"), then: .empty),
            for: [
                .registry(host: "registry.example.com", path: "acme/web"),
                .registry(host: "docker.io", path: "library/nginx"),
            ])
        #expect(secrets.git.token == "token")
        #expect(secrets.sshKey == nil)
        let file = String(decoding: secrets.registries ?? [], as: UTF8.self)
        #expect(file == #"{"auths":{"registry.example.com/acme/web":{"auth":"dTpw"}}}"#)
    }
}
