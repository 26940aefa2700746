import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Agent
@testable import Sandbox

@Suite(.tags(.unit)) struct IsolationAdviceTests {
    /// A kind of pod, and what the doctor says in it.
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var status = "Uid:\t1000\t1000\nCapBnd:\t00000000000000c0\n"
        var label: String?
        var isInPod = true
        var available: [IsolationMode] = []
        var failure: SandboxError?
        var identities = SubordinateIDs.Outcome.unneeded
        /// Code and status of each finding, and a part of what to change.
        let expected: [(DoctorFinding.Code, DoctorFinding.Status, String?)]
    }

    static let cases = [
        Case(
            testDescription: "the default pod", available: [.namespaces],
            identities: .entered(users: 65_536, groups: 65_536), expected: [(.isolation, .ok, nil)]),
        Case(
            testDescription: "a user without privilege escalation",
            status: "Uid:\t1000\t1000\nCapBnd:\t00000000000000c0\nNoNewPrivs:\t1\n", available: [.namespaces],
            identities: .unavailable(reason: "newuidmap: write to uid_map failed"),
            expected: [
                (.isolation, .ok, nil),
                (.subordinateIDs, .warning, "allowPrivilegeEscalation: true and capabilities.add: [SETUID, SETGID]"),
            ]),
        Case(
            testDescription: "a user whose programs cannot get SETUID",
            status: "Uid:\t1000\t1000\nCapBnd:\t0000000000000040\n", available: [.namespaces],
            identities: .unavailable(reason: "newuidmap: write to uid_map failed"),
            expected: [(.isolation, .ok, nil), (.subordinateIDs, .warning, "capabilities.add: [SETUID]")]),
        Case(
            testDescription: "a user to whom /etc/subuid gives nothing", available: [.namespaces],
            identities: .unavailable(reason: "/etc/subuid has no 65535 ids for 1234"),
            expected: [(.isolation, .ok, nil), (.subordinateIDs, .warning, "runAsUser: 1000")]),
        Case(
            testDescription: "restricted",
            status: "Uid:\t1000\t1000\nNoNewPrivs:\t1\nSeccomp:\t2\n", failure: SandboxError(.clone, 1),
            expected: [
                (.isolation, .error, nil), (.namespaces, .warning, "securityContext.seccompProfile.type: Unconfined"),
                (.chroot, .warning, "runAsUser: 0"),
            ]),
        Case(
            testDescription: "root under RuntimeDefault",
            status: "Uid:\t0\t0\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n", available: [.chroot],
            failure: SandboxError(.clone, 38),
            expected: [
                (.isolation, .ok, nil), (.namespaces, .note, "securityContext.seccompProfile.type: Unconfined"),
            ]),
        Case(
            testDescription: "root without capabilities", status: "Uid:\t0\t0\nCapEff:\t0\n",
            failure: SandboxError(.mapIDs, 1),
            expected: [
                (.isolation, .error, nil), (.namespaces, .warning, "sysctl user.max_user_namespaces"),
                (.chroot, .warning, "capabilities.add: [CHOWN, SETGID, SETUID, SYS_CHROOT]"),
            ]),
        Case(
            testDescription: "a node whose AppArmor profile refuses mounts",
            status: "Uid:\t0\t0\nCapEff:\t00000000a80425fb\n", label: "cri-containerd.apparmor.d (enforce)",
            available: [.chroot], failure: SandboxError(.privateMounts, 13),
            expected: [
                (.isolation, .ok, nil), (.namespaces, .note, "securityContext.appArmorProfile.type: Unconfined"),
            ]),
        Case(
            testDescription: "a state directory on the container's own root",
            status: "Uid:\t0\t0\nCapEff:\t00000000a80425fb\n", available: [.chroot],
            failure: SandboxError(.overlay, 22),
            expected: [(.isolation, .ok, nil), (.namespaces, .note, "mount an emptyDir")]),
        Case(
            testDescription: "a machine that is no pod", status: "Uid:\t1000\t1000\nSeccomp:\t2\n", isInPod: false,
            failure: SandboxError(.clone, 1),
            expected: [
                (.isolation, .error, nil), (.namespaces, .warning, "seccomp=unconfined"),
                (.chroot, .warning, "run it as root"),
            ]),
    ]

    @Test(arguments: cases) func `each kind of pod is told what to change`(pod: Case) {
        let isRootless = !pod.status.contains("Uid:\t0")
        let report = IsolationReport(
            available: pod.available, reasons: [.namespaces: "it is so", .chroot: "it is so"],
            rootless: isRootless, canChown: !isRootless, namespaceFailure: pod.failure)
        let findings = IsolationAdvice(
            confinement: ProcessConfinement(status: pod.status, label: pod.label), report: report,
            identities: pod.identities, stateDirectory: "/var/lib/slipway", isInPod: pod.isInPod
        ).findings
        #expect(findings.map(\.code) == pod.expected.map(\.0))
        #expect(findings.map(\.status) == pod.expected.map(\.1))
        for (finding, expected) in zip(findings, pod.expected) {
            guard let field = expected.2 else { continue }
            #expect(finding.hint?.contains(field) == true, "\(finding)")
        }
    }
}

@Suite(.tags(.unit)) struct StateDirectoryExaminationTests {
    typealias Room = StateDirectoryExamination.Room

    @Test(arguments: [
        (Room(freeBytes: 50 << 30, freeInodes: 1 << 20), ["state-space ok"]),
        (Room(freeBytes: 50 << 30, freeInodes: nil), ["state-space ok"]),
        (Room(freeBytes: 100 << 20, freeInodes: 1 << 20), ["state-space warning"]),
        (Room(freeBytes: 50 << 30, freeInodes: 12), ["state-space warning"]),
        (
            Room(freeBytes: 50 << 30, freeInodes: nil, forbidsPrograms: true, isInMemory: true),
            ["state-executable error", "state-space ok", "state-space warning"]
        ),
    ])
    func `what a file system allows`(room: Room, expected: [String]) {
        let findings = StateDirectoryExamination.findings(room, "/var/lib/slipway")
        #expect(findings.map { "\($0.code.rawValue) \($0.status.rawValue)" } == expected)
    }

    @Test func `a directory that cannot be written is told as that, and nothing is tried in it`() async throws {
        let scratch = try TemporaryDirectory("doctor")
        // A file in its way stops root as well.
        try Data().write(to: URL(fileURLWithPath: scratch.file("file")))
        let path = scratch.file("file") + "/state"
        let findings = StateDirectoryExamination.findings(path)
        #expect(findings.map(\.code) == [.stateDirectory])
        #expect(findings.first?.status == .error)
        let report = await Doctor(stateDirectory: path).examine()
        #expect(!report.isHealthy)
        #expect(!report.findings.contains { $0.code == .isolation })

        let said = Mutex<[String]>([])
        let error = await #expect(throws: AgentError.self) {
            _ = try await MachineIsolation.report(AgentConfiguration(stateDirectory: path)) { line in
                said.withLock { $0.append(line) }
            }
        }
        #expect(error?.place == path)
        #expect(error?.summary.contains("state directory") == true)
        #expect(said.withLock { $0 } == [])
    }

    @Test func `this machine is examined, and nothing is left behind`() async throws {
        let scratch = try TemporaryDirectory("doctor")
        let report = await Doctor(stateDirectory: scratch.file("state")).examine()
        #expect(report.findings.first == DoctorFinding(.stateDirectory, .ok, "\(scratch.file("state")) can be written"))
        #expect(report.findings.contains { $0.code == .isolation })
        let left = try FileManager.default.contentsOfDirectory(atPath: scratch.file("state"))
        #expect(left == ["CACHEDIR.TAG"])
    }
}

@Suite(.tags(.integration)) struct ReachExaminationTests {
    @Test func `repositories and registries are asked, each for itself`() async throws {
        let scratch = try TemporaryDirectory("doctor")
        let repository = try GitRepositoryFixture(in: scratch.path)
        try repository.commit(["a": "1"])
        var configuration = AgentConfiguration(stateDirectory: scratch.file("state"))
        for (name, url, branch) in [
            ("good", repository.path, "main"), ("branch", repository.path, "other"),
            ("gone", "file://\(scratch.path)/nothing.git", "main"),
        ] {
            configuration.repositories.append(.init(name: name, url: url, branch: branch))
        }
        let findings = await ReachExamination(configuration: configuration, scratch: scratch.file("probe")).findings()
        #expect(findings.map(\.code) == [.git, .git, .git])
        #expect(findings.map(\.status) == [.ok, .error, .error])
        #expect(findings.map(\.subject) == ["good", "branch", "gone"])
        #expect(findings[1].cause == "it has main")
        let left = try FileManager.default.contentsOfDirectory(atPath: scratch.file("probe"))
        #expect(left.isEmpty, "the mirrors that were made for the question are removed")
    }

    @Test func `a host without an address is named`() async throws {
        let scratch = try TemporaryDirectory("doctor")
        var configuration = AgentConfiguration(stateDirectory: scratch.file("state"))
        configuration.git.timeout = .seconds(1)
        configuration.repositories = [.init(name: "a", url: "https://git.invalid/acme/a.git", branch: "main")]
        let examination = ReachExamination(configuration: configuration, scratch: scratch.file("probe"))
        #expect(examination.hosts == ["git.invalid"])
        let names = await examination.findings().filter { $0.code == .name }
        #expect(names.map(\.status) == [.error])
        #expect(names.first?.hint?.contains("DNS") == true)
    }

    @Test(arguments: [("r.io", "r.io"), ("r.io:5000", "r.io"), ("[::1]:5000", "::1"), ("localhost", "localhost")])
    func `a registry's host without its port`(host: String, name: String) {
        #expect(ReachExamination.name(ofHost: host) == name)
    }
}

@Suite(.tags(.unit)) struct ClusterFeatureTests {
    private static let repository = "repositories: [{name: a, url: 'https://git.example/a.git', branch: main}]\n"

    @Test(
        arguments: [
            ("", [:]),
            ("leaderElection: {enabled: true}\n", [ClusterFeature.leaderElection: ["own"]]),
            ("leaderElection: {enabled: true, namespace: other}\n", [.leaderElection: ["other"]]),
            (
                "builder: kubernetes\ncluster: {builds: {image: 'r.io/slipway:1', namespace: builds}}\n",
                [.builds: ["builds"]]
            ),
            ("cluster: {builds: {image: 'r.io/slipway:1'}}\n", [:]),
            ("cluster: {events: true, kubeconfig: /k}\n", [:]), ("cluster: {events: true}\n", [.events: ["own"]]),
            ("cluster: {events: false}\n", [:]),
            ("cluster: {}\n", [:]),
        ] as [(String, [ClusterFeature: Set<String>])])
    func `rights are needed for what is configured, where it works`(
        text: String, needed: [ClusterFeature: Set<String>]
    ) throws {
        let configuration = try ConfigurationFile.parse(Array((text + Self.repository).utf8), file: "agent.yaml")
        #expect(configuration.clusterFeatures(in: "own") == needed)
    }

    @Test func `manifests of several repositories are applied to several namespaces`() {
        var configuration = AgentConfiguration(stateDirectory: "/nowhere")
        for namespace in [nil, "shop", "shop"] {
            var repository = AgentConfiguration.RepositoryConfiguration(name: "a", url: "/a.git", branch: "main")
            var apply = AgentConfiguration.ApplySettings(paths: ["deploy"])
            apply.namespace = namespace
            repository.apply = apply
            configuration.repositories.append(repository)
        }
        #expect(configuration.clusterFeatures(in: "own") == [.apply: ["own", "shop"]])
    }
}
