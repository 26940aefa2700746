import Foundation
import TestSupport

@testable import Agent

/// An agent whose every page has something of everything: for what looks at all of them.
enum PageGallery {
    private static let digest = "sha256:" + String(repeating: "b3894cce", count: 8)

    /// - Returns: the pages, by name.
    static func fill(_ agent: FakeAgent, text: String = "a text") throws -> [(name: String, path: String)] {
        let image = CycleReport.Image(
            pipeline: "web", references: ["registry.example.com/acme/shop:\(text)"], digest: digest, layers: [],
            built: true,
            seconds: 41)
        let states: [RepositoryStatus.State] = [.ok, .building, .failing, .stalled, .held, .paused, .starting]
        agent.show(
            states.map { state in
                PageFixtures.status(state == .held ? "shop" : "\(state)", state) { status in
                    status.branch = "main \(text)"
                    status.lastImages = [image]
                    status.lastCommit = CycleReport.Published(commit: "f3f86bc000", message: text, branch: text)
                    switch state {
                    case .failing, .stalled:
                        var failure = CycleReport.Failure(
                            phase: .sync, message: text, hint: text, disposition: state == .failing ? .retry : .stalled)
                        failure.since = 1_700_000_000
                        failure.attempts = 3
                        status.failures = [failure]
                    case .paused: status.paused = RepositoryPause(since: 1_700_000_000, user: text, message: text)
                    case .held:
                        status.holds = [
                            CycleReport.Decision(
                                subject: "deploy/web.yaml:14 shop:deployment/web app", reason: text, remedy: text,
                                isHold: true)
                        ]
                        status.passedOver = [
                            CycleReport.Decision(subject: "deploy/big.yaml", reason: text, isPassedOver: true)
                        ]
                    default: break
                    }
                }
            })
        var report = CycleReport(repository: "shop", url: "u", branch: "main")
        report.decisions = [
            CycleReport.Decision(subject: "deploy/db.yaml:9 shop:deployment/db db", reason: text, remedy: text)
        ]
        report.updates = [
            CycleReport.Update(
                file: "deploy/web.yaml", line: 14, workload: "shop:deployment/web", container: "app", old: "web:v46",
                new: "web:v47", reason: text)
        ]
        report.commit = "f3f86bc000"
        report.diff =
            "--- a/deploy/web.yaml\n+++ b/deploy/web.yaml\n@@ -14 +14 @@\n-image: web:v46\n+image: web:\(text)\n"
        agent.show(report)
        let failed = try PageFixtures.build(2, .failed, reason: text) { build in
            build.failure = BuildRecord.Failure(
                kind: .input,
                reason: FailureRecord.Reason(
                    code: "step", AgentError(text, place: "Dockerfile:7", cause: text, hint: text)))
            build.steps = steps(text)
        }
        let built = try PageFixtures.build(1, .succeeded, reason: text) { build in
            build.digest = digest
            build.description.names = ["registry.example.com/acme/shop:\(text)"]
            build.layers = [CycleReport.Layer(digest: "sha256:aabb", size: 30_000_000, createdBy: "COPY \(text) /srv")]
            build.steps = steps(text)
        }
        let lines = (1...60).map {
            "    | \u{1b}[3\($0 % 8)mline \($0)\u{1b}[0m \u{1b}[9\($0 % 8)m\(text)\u{1b}[0m\n"
        }
        let log =
            "  base busybox \(text)\n  [deps 1/1] RUN \(text)\n    cached sha256:aa\n  [\(text) 2/2] RUN \(text)\n"
            + lines.joined()
        var cycle = CycleEntry(at: 1_700_000_080, seconds: 1)
        cycle.commits = [CycleReport.Published(commit: "f3f86bc000", message: text, branch: text)]
        cycle.updates = report.updates.map { update in
            var update = update
            update.new = "registry.example.com/acme/shop:\(text)"
            return update
        }
        agent.show(cycles: [cycle])
        agent.show(
            [failed, built, try PageFixtures.build(3, .running, reason: text) { $0.steps = steps(text) }], log: log)
        var details = ImageDetails(digest: digest, references: image.references, repository: "shop", pipeline: "web")
        details.build = built
        details.places = [
            ImageDetails.Place(
                repository: "shop", workload: "shop:deployment/web", container: text, file: "deploy/web.yaml", line: 14,
                image: "registry.example.com/acme/shop:\(text)")
        ]
        agent.show(details)
        agent.show(explanations: [try explanation(text)])
        return [
            ("fleet", "/"), ("repository", "/repositories/shop"), ("paused", "/repositories/paused"),
            ("build", "/builds/\(built.id)"), ("failed", "/builds/\(failed.id)?log=line"),
            ("running", "/builds/20261130082800-00003-7k3f9x?done=retry"), ("image", "/images/\(digest)"),
            ("policy", "/repositories/shop/policies/deploy%2Fweb.yaml%3A14?policy=glob%3Av*"), ("nothing", "/nothing"),
            ("empty", "/?q=nobody"), ("search", "/search?q=acme"), ("near", "/repositories/shap"),
        ]
    }

    private static func steps(_ text: String) -> [BuildRecord.Step] {
        [
            BuildRecord.Step(
                stage: "deps", index: 1, count: 1, text: "RUN \(text)", startedAt: 1_700_000_001, seconds: 0,
                isCached: true),
            BuildRecord.Step(
                stage: text, index: 1, count: 2, text: "COPY . .", startedAt: 1_700_000_001, seconds: 62.4),
            BuildRecord.Step(stage: text, index: 2, count: 2, text: "RUN \(text)", startedAt: 1_700_000_063),
        ]
    }

    private static func explanation(_ text: String) throws -> Explanation {
        var one = Explanation(subject: "deploy/web.yaml:14 shop:deployment/web app", state: .update, reason: text)
        one.policy = "semver:1.x"
        one.decidedBy = text
        one.repository = "registry.example.com/acme/web"
        one.current = "registry.example.com/acme/web:1.0.0"
        one.chosen = "registry.example.com/acme/web:1.1.0"
        one.remedy = text
        one.outcomes = ["selected": 1, "eligible": 1, "refused": 1]
        one.tagCount = 3
        one.tags = [
            Explanation.Tag(tag: "1.1.0", outcome: "selected", reason: text, created: 1_700_000_000, digest: digest),
            Explanation.Tag(tag: "1.0.0", outcome: "eligible", reason: text),
            Explanation.Tag(tag: text, outcome: "refused", reason: text),
        ]
        one.trial = Explanation.Trial(policy: "glob:v*", current: "1.0.0", chosen: text, reason: text)
        return one
    }
}
