import Git
import ManifestUpdater
import OCI
import Template

/// What templates of messages and of branch names see of a change: the values of Flux v2 (`.Changed`, `.AutomationObject`,
/// `.Values`, and `.Updated` of its first versions), those of Argo CD Image Updater (`.AppName`, `.AppChanges`, `.Images`,
/// `.SHA256`), and Slipway's own.
struct CommitValues {
    let repository: AgentConfiguration.RepositoryConfiguration
    let settings: AgentConfiguration.CommitSettings
    let revision: ObjectID
    let updates: [CycleReport.Update]

    var root: TemplateValue {
        let images = images
        let automation = (settings.automation ?? "slipway/\(repository.name)").split(separator: "/", maxSplits: 1).map(
            String.init)
        var fields: [(name: String, value: TemplateValue)] = [
            (
                "AutomationObject",
                .object(
                    text: automation.joined(separator: "/"),
                    [("Namespace", .string(automation[0])), ("Name", .string(automation.last ?? ""))])
            ), ("Changed", changed), ("Updated", updated),
            ("Values", .map(settings.values.mapValues { .string($0) })),
            ("AppName", .string(isArgo ? "" : repository.name)),
            ("AppNamespace", .string(isArgo ? "" : automation[0])), ("TargetKey", .string("")),
            ("AppChanges", .list(images.map(\.change))),
            ("Images", .list(images.map(\.change))), ("SHA256", .string(digest(images))),
            ("Repository", .string(repository.name)), ("Branch", .string(repository.branch)),
            ("Revision", .string(revision.description)), ("Updates", .list(updates.map(Self.update))),
        ]
        // With several images a template has to walk through `.Images`.
        fields.append(("Image", images.count == 1 ? images[0].change : .none))
        return .object(fields)
    }

    /// Whether the template is one of Argo CD Image Updater's, which names Applications in its pull requests alone.
    private var isArgo: Bool { settings.aliases != nil }

    // MARK: Flux v2

    private var changed: TemplateValue {
        let files = Dictionary(grouping: updates) { fileName($0.file) }
        return .object([
            ("FileChanges", .map(files.mapValues { .map(Self.objects($0) { .list($0.map(Self.change)) }) })),
            ("Objects", .map(Self.objects(updates) { .list($0.map(Self.change)) })),
            ("Changes", .list(updates.map(Self.change))),
        ])
    }

    /// Flux names files from the automation's `update.path`.
    private func fileName(_ path: String) -> String {
        let prefix = settings.fileRoot + "/"
        return path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path
    }

    private var updated: TemplateValue {
        let files = Dictionary(grouping: updates, by: \.file)
        let objects = { (updates: [CycleReport.Update]) in TemplateValue.map(Self.objects(updates, Self.references)) }
        return .object([
            ("Files", .map(files.mapValues { .object([("Objects", objects($0))]) })), ("Objects", objects(updates)),
            ("Images", Self.references(updates)),
        ])
    }

    /// The new images, each once and whole, also where only a part of one is written.
    private static func references(_ updates: [CycleReport.Update]) -> TemplateValue {
        var seen: Set<String> = []
        return .list(updates.map { $0.image ?? $0.new }.filter { seen.insert($0).inserted }.map(reference))
    }

    /// Changes by the object that they are in, in the order in which Go walks through such a map.
    private static func objects(
        _ updates: [CycleReport.Update], _ value: ([CycleReport.Update]) -> TemplateValue
    ) -> [TemplateValue.Entry] {
        Dictionary(grouping: updates) { Workload($0) }
            .sorted { $0.key < $1.key }
            .map { TemplateValue.Entry($0.key.value, value($0.value)) }
    }

    private static func change(_ update: CycleReport.Update) -> TemplateValue {
        .object([
            ("OldValue", .string(update.old)), ("NewValue", .string(update.new)),
            ("Setter", .string(update.setter ?? "")),
        ])
    }

    private static func reference(_ text: String) -> TemplateValue {
        let image = ImageName(text)
        return .object(
            text: text,
            [
                ("Name", .string(text)), ("Repository", .string(image.name)), ("Identifier", .string(image.version)),
                ("Registry", .string((try? Reference(text))?.registry ?? "")),
            ])
    }

    // MARK: Images

    /// One image that changed, whichever workloads run it.
    private struct Image {
        let name: String
        let old: String
        let new: String
        let oldTag: String
        let newTag: String
        let alias: String

        var change: TemplateValue {
            .object(
                text: new,
                [
                    ("Name", .string(name)), ("Image", .string(name)), ("Alias", .string(alias)), ("Old", .string(old)),
                    ("New", .string(new)), ("OldTag", .string(oldTag)), ("NewTag", .string(newTag)),
                    ("Labels", .map([:])),
                ])
        }

    }

    private var images: [Image] {
        var seen: Set<String> = []
        return updates.map { update in
            let (old, new) = (ImageName(update.old), ImageName(update.image ?? update.new))
            // Without an alias the last part of the name.
            let alias = settings.aliases?[new.name] ?? new.name.split(separator: "/").last.map(String.init) ?? new.name
            return Image(
                name: isArgo ? ArgoPlace.withoutRegistry(new.name) : new.name, old: update.old, new: update.new,
                oldTag: old.version, newTag: new.version, alias: alias)
        }.filter { seen.insert($0.old + " " + $0.new).inserted }.sorted {
            ($0.name, $0.newTag, $0.oldTag) < ($1.name, $1.newTag, $1.oldTag)
        }
    }

    private func digest(_ images: [Image]) -> String {
        let text = images.map { "\($0.name)-\($0.oldTag)-\($0.newTag)," }.joined()
        return Digest.sha256(of: Array(text.utf8)).encoded
    }

    // MARK: Slipway's own

    private static func update(_ update: CycleReport.Update) -> TemplateValue {
        let workload = Workload(update)
        let (old, new) = (ImageName(update.old), ImageName(update.image ?? update.new))
        return .object([
            ("File", .string(update.file)), ("Line", .integer(update.line)), ("Workload", .string(update.workload)),
            ("Namespace", .string(workload.namespace)), ("Kind", .string(workload.kind)),
            ("Name", .string(workload.name)), ("Container", .string(update.container)), ("Old", .string(update.old)),
            ("New", .string(update.new)), ("Image", .string(new.name)), ("OldTag", .string(old.version)),
            ("NewTag", .string(new.version)), ("Reason", .string(update.reason)),
        ])
    }
}

/// An image as a manifest writes it, taken apart; also what is only a tag.
struct ImageName {
    let name: String
    /// The tag, else the digest.
    let version: String

    init(_ text: String) {
        // The whole value of a marker for the digest.
        if (try? Digest(text)) != nil {
            (name, version) = ("", text)
            return
        }
        let parts = text.split(separator: "@", maxSplits: 1).map(String.init)
        let head = parts.first ?? text
        let digest = parts.count == 2 ? parts[1] : ""
        if let colon = head.lastIndex(of: ":"), !head[colon...].contains("/") {
            name = String(head[..<colon])
            version = String(head[head.index(after: colon)...])
        } else {
            name = head
            version = digest.isEmpty && !head.contains("/") ? head : digest
        }
    }
}

/// `namespace:kind/name` taken apart, with the kind as Kubernetes writes it.
private struct Workload: Hashable, Comparable {
    let namespace: String
    let kind: String
    let name: String

    init(_ update: CycleReport.Update) {
        let text = update.workload
        let colon = text.firstIndex(of: ":")
        let rest = colon.map { text[text.index(after: $0)...] } ?? text[...]
        let slash = rest.firstIndex(of: "/")
        namespace = colon.map { String(text[..<$0]) } ?? ""
        name = slash.map { String(rest[rest.index(after: $0)...]) } ?? String(rest)
        let word = slash.map { String(rest[..<$0]) } ?? ""
        kind = update.kind ?? Self.kinds[word.lowercased()]?.kind ?? word
    }

    private static let kinds: [String: (kind: String, version: String)] = [
        "deployment": ("Deployment", "apps/v1"), "daemonset": ("DaemonSet", "apps/v1"),
        "statefulset": ("StatefulSet", "apps/v1"), "replicaset": ("ReplicaSet", "apps/v1"),
        "cronjob": ("CronJob", "batch/v1"), "job": ("Job", "batch/v1"), "pod": ("Pod", "v1"),
        "helmrelease": ("HelmRelease", "helm.toolkit.fluxcd.io/v2"),
        "kustomization": ("Kustomization", "kustomize.config.k8s.io/v1beta1"),
    ]

    private var version: String { Self.kinds[kind.lowercased()]?.version ?? "" }

    var value: TemplateValue {
        .object([
            ("APIVersion", .string(version)), ("Kind", .string(kind)), ("Name", .string(name)),
            ("Namespace", .string(namespace)),
        ])
    }

    static func < (left: Workload, right: Workload) -> Bool {
        (left.version, left.kind, left.name, left.namespace) < (right.version, right.kind, right.name, right.namespace)
    }
}
