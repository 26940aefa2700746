/// What becomes of an annotation.
struct AnnotationRule {
    let tool: MigrationFinding.Tool
    let feature: String
    let verdict: MigrationFinding.Verdict
    var note = ""

    static func rule(for key: String) -> AnnotationRule? {
        guard let slash = key.firstIndex(of: "/") else { return nil }
        let (prefix, name) = (String(key[..<slash]), String(key[key.index(after: slash)...]))
        switch prefix {
        case "fluxcd.io", "flux.weave.works": return flux(prefix, name)
        case "filter.fluxcd.io", "repository.fluxcd.io", "tag.fluxcd.io", "registry.fluxcd.io", "image.fluxcd.io":
            return AnnotationRule(tool: .flux1, feature: "\(prefix)/*", verdict: .works)
        case "keel.sh": return keel(name)
        case "argocd-image-updater.argoproj.io": return argo(name)
        default: return nil
        }
    }

    private static func flux(_ prefix: String, _ name: String) -> AnnotationRule {
        if name.hasPrefix("tag.") { return AnnotationRule(tool: .flux1, feature: "\(prefix)/tag.*", verdict: .works) }
        let isKnown = ["automated", "locked", "locked_user", "locked_msg", "ignore"].contains(name)
        return AnnotationRule(
            tool: .flux1, feature: "\(prefix)/\(name)", verdict: isKnown ? .works : .missing,
            note: isKnown ? "" : "it says nothing here")
    }

    private static func keel(_ name: String) -> AnnotationRule {
        let (verdict, note): (MigrationFinding.Verdict, String) =
            switch name {
            case "policy", "matchTag", "match-tag", "matchPreRelease", "match-prerelease", "monitorContainers",
                "initContainers":
                (.works, "")
            case "trigger", "pollSchedule":
                (.differs, "registries are looked at in the agent's 'interval', and may call it")
            case "approvals", "approvalDeadline":
                (
                    .differs,
                    "an approval is slipway.dev/approved.<container>, or a pull request ('git.push.branch'); it has no deadline"
                )
            case "imagePullSecret": (.differs, "credentials are the agent's own: 'dockerConfig'")
            default: (.missing, "it says nothing here")
            }
        return AnnotationRule(tool: .keel, feature: "keel.sh/\(name)", verdict: verdict, note: note)
    }

    private static func argo(_ name: String) -> AnnotationRule {
        // Behind an alias, as in `web.update-strategy`.
        let suffixes = [
            "update-strategy", "allow-tags", "ignore-tags", "platforms", "helm.image-name", "helm.image-tag",
            "helm.image-spec",
            "kustomize.image-name", "pull-secret", "force-update",
        ]
        let option = suffixes.first { name == $0 || name.hasSuffix("." + $0) }
        let feature = option.map { name == $0 ? $0 : "*.\($0)" } ?? name
        let whole = ["image-list", "write-back-method", "write-back-target", "git-branch", "git-repository"]
        let (verdict, note): (MigrationFinding.Verdict, String) =
            switch option ?? name {
            case "pull-secret": (.differs, "credentials are the agent's own: 'dockerConfig'")
            case "force-update": (.missing, "nothing is asked of a cluster: every image of the list is followed")
            case let known where option != nil || whole.contains(known): (.works, "")
            default: (.missing, "it says nothing here")
            }
        return AnnotationRule(tool: .argocd, feature: feature, verdict: verdict, note: note)
    }
}
