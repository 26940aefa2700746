import Agent
import AgentFakes
import TestSupport
import Testing

/// Configuration of other tools beside what the agent follows: named where both would write one file, and nowhere else.
@Suite(.tags(.unit)) struct RivalToolTests {
    private static let kustomization = """
        kind: Kustomization
        metadata: {name: prod, annotations: {slipway.dev/automated: "true"}}
        images: [{name: acme/web, newTag: 1.0.0}]

        """

    private func report(_ file: String, _ text: String, mode: CycleMode = .plan) async throws -> CycleReport {
        let world = try await World()
        world.registry.push("acme/web", "1.0.0")
        world.host.commit([
            file: text, "overlays/prod/kustomization.yaml": Self.kustomization,
            "deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0"),
        ])
        return await world.cycle(mode)
    }

    @Test(arguments: [
        ("renovate.json", "{}", "Renovate (manager 'kustomize') writes overlays/prod/kustomization.yaml, too"),
        (".github/renovate.json", #"{"extends": ["config:recommended"]}"#, "overlays/prod/kustomization.yaml"),
        (
            "renovate.json",
            #"{"enabledManagers": ["kubernetes"], "kubernetes": {"managerFilePatterns": ["/deploy/.+\\.yaml$/"]}}"#,
            "Renovate (manager 'kubernetes') writes deploy/web.yaml"
        ),
        (
            "renovate.json",
            #"{"enabledManagers": ["kubernetes"], "kubernetes": {"managerFilePatterns": ["deploy/*.yaml"]}}"#,
            "deploy/web.yaml"
        ),
        (".renovaterc", #"{"enabledManagers": ["argocd"], "argocd": {"fileMatch": ["^deploy/"]}}"#, "manager 'argocd'"),
        (
            "renovate.json",
            #"{"kustomize": {"enabled": false}, "customManagers": [{"customType": "regex", "fileMatch": ["web"]}]}"#,
            "manager 'custom.regex'"
        ),
        (
            "updatecli.yaml", "targets: {t: {kind: yaml, spec: {file: ./deploy/web.yaml, key: x}}}",
            "updatecli writes deploy/web.yaml"
        ),
        (
            "updatecli.d/a.yaml", "targets: {t: {kind: file, spec: {files: [deploy/web.yaml, x]}}}",
            "updatecli writes deploy/web.yaml"
        ),
        (
            ".flux.yaml", "version: 1\ncommandUpdated: {generators: [{command: kustomize build .}]}",
            "'commandUpdated' is not obeyed"
        ),
        (
            "team/.flux.yaml", "version: 1\npatchUpdated: {generators: [{command: x}], patchFile: y}",
            "'patchUpdated' is not obeyed"
        ),
    ])
    func `it is named once, with the file that both write`(file: String, text: String, words: String) async throws {
        for mode in [CycleMode.plan, .complete] {
            let told = try await report(file, text, mode: mode).decisions.filter { $0.subject == file }
            #expect(told.count == 1 && told[0].reason.contains(words), "\(told)")
            #expect(told.first?.remedy?.isEmpty == false)
        }
    }

    @Test(arguments: [
        ("renovate.json", #"{"enabled": false}"#), ("renovate.json", #"{"kustomize": {"enabled": false}}"#),
        ("renovate.json", #"{"enabledManagers": ["npm"]}"#), ("renovate.json", #"{"ignorePaths": ["overlays/**"]}"#),
        ("renovate.json", #"{"packageRules": [{"matchManagers": ["kustomize"], "enabled": false}]}"#),
        ("sub/renovate.json", "{}"), ("renovate.json", "{ // none"), ("renovate.json", "[1]"),
        ("updatecli.yaml", "targets: {t: {kind: yaml, spec: {file: other.yaml}}}"),
        ("updatecli.yaml", "targets: {{ .x }}"),
        (".flux.yaml", "version: 1\nscanForFiles: {}"), (".flux.yaml", "{"),
        ("renovate.json", #"{"kustomize": {"enabled": false, "fileMatch": ["("]}}"#),
    ])
    func `where there is no fight there is nothing to say`(file: String, text: String) async throws {
        let report = try await report(file, text)
        #expect(!report.decisions.contains { $0.subject == file }, "\(report.decisions)")
        #expect(report.failures.isEmpty)
    }
}
