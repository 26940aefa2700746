import YAML

/// Keel's rule for a workload: https://keel.sh/docs/#policies.
package struct KeelPolicy: Hashable, Sendable {
    /// `all`, `major`, `minor`, `patch`, `force`, `glob:…`, `regexp:…`.
    package var text: String
    /// With `force`: only the tag that is in use, followed by its digest.
    package var matchTag = false
    package var matchPreRelease = true
    /// Only containers whose name this regular expression matches.
    package var monitorContainers: String?
    /// How many people have to agree.
    package var approvals = 0

    package init(_ text: String) { self.text = text }

    /// The policy stands in the annotations, or else in the labels, with the options of the match; other options are asked for in
    /// the order in which Keel does.
    init?(annotations: [String: String], labels: [String: String]) {
        let keys = ["keel.sh/policy", "keel.observer/policy"]
        let place = keys.contains { annotations[$0] != nil } ? annotations : labels
        guard let text = keys.lazy.compactMap({ place[$0] }).first else { return nil }
        self.text = text
        matchTag = (place["keel.sh/matchTag"] ?? place["keel.sh/match-tag"]) == "true"
        matchPreRelease = (place["keel.sh/matchPreRelease"] ?? place["keel.sh/match-prerelease"]) != "false"
        approvals = [labels, annotations].lazy.compactMap { $0["keel.sh/approvals"] }.first.flatMap { Int($0) } ?? 0
        monitorContainers =
            [annotations, labels].lazy.compactMap { texts in
                texts.first { $0.key.lowercased() == "keel.sh/monitorcontainers" }?.value
            }.first
    }

    /// Whether labels or annotations say anything to Keel.
    static func isMentioned(in texts: [String: String]) -> Bool {
        texts["keel.sh/policy"] != nil || texts["keel.observer/policy"] != nil
    }

    /// The keys that Keel reads.
    private static let keys = [
        "policy", "trigger", "pollSchedule", "matchTag", "match-tag", "matchPreRelease", "match-prerelease",
        "approvals",
        "approvalDeadline", "notify", "releaseNotes", "initContainers", "monitorContainers", "imagePullSecret",
        "imageVolumes", "update-time", "digest",
    ]

    /// A key that Keel does not read and that looks like one that it does; what it was probably meant to be.
    static func mistyped(in texts: [String: String]) -> (key: String, meant: String)? {
        for key in texts.keys.sorted() where key.hasPrefix("keel.sh/") {
            let name = String(key.dropFirst("keel.sh/".count))
            if keys.contains(name) || name.lowercased() == "monitorcontainers" { continue }
            if let meant = suggestion(for: name, among: keys) { return (key, "keel.sh/\(meant)") }
        }
        return nil
    }
}
