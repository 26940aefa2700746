/// What `slipway update` is asked to write, wherever in a directory it belongs.
package struct UpdateRequest: Sendable, Equatable {
    /// `namespace:name` of an image policy of Flux v2.
    package struct PolicyName: Hashable, Sendable, CustomStringConvertible {
        package var namespace: String
        package var name: String

        package init(namespace: String, name: String) {
            self.namespace = namespace
            self.name = name
        }

        package var description: String { "\(namespace):\(name)" }
    }

    /// The image of one container, as `fluxctl release` sets it.
    package struct WorkloadImage: Sendable, Equatable {
        /// The kind in any case.
        package var workload: WorkloadID
        /// `nil`: the workload's only container.
        package var container: String?
        package var image: WrittenReference

        package init(workload: WorkloadID, container: String?, image: WrittenReference) {
            self.workload = workload
            self.container = container
            self.image = image
        }
    }

    /// An entry of a kustomization's `images:`, as `kustomize edit set image` writes it.
    package struct KustomizeImage: Sendable, Equatable {
        /// What an entry has and keeps: `NEWNAME:*`, `NEWNAME@*`.
        package enum Kept: Sendable, Equatable { case tag, digest }

        package var name: String
        /// `nil`: as it is.
        package var newName: String?
        package var newTag: String?
        package var digest: String?
        package var kept: Kept?

        package init(name: String, newName: String?, newTag: String?, digest: String?) {
            self.name = name
            self.newName = newName
            self.newTag = newTag
            self.digest = digest
        }
    }

    /// A value of a Helm values file.
    package struct HelmValue: Sendable, Equatable {
        package var path: ValuePath
        package var text: String

        package init(path: ValuePath, text: String) {
            self.path = path
            self.text = text
        }
    }

    /// What the image policies chose.
    package var resolved: [PolicyName: WrittenReference] = [:]
    package var workloads: [WorkloadImage] = []
    package var kustomizeImages: [KustomizeImage] = []
    /// The file that gets an entry of its own for the image of this number, because no kustomization has one.
    package var kustomizeAdditions: [Int: String] = [:]
    package var helmValues: [HelmValue] = []
    /// The values files, relative to the directory; none: every file called `values.yaml` or `values.yml`.
    package var helmFiles: Set<String> = []
    /// Where custom resources have their images.
    package var rules: [ImagePathRule] = []
    /// Also workloads that are locked or ignored.
    package var force = false

    package init() {}

    /// Bytes of a manifest: larger files are not looked at, whoever asks.
    package static let sizeLimit = 16 << 20

    /// Whether a file of this path can hold manifests at all.
    package static func isManifest(_ path: some StringProtocol) -> Bool {
        ends(path, ".yaml") || ends(path, ".yml") || ends(path, ".json") || isKustomization(path)
    }

    package static func isKustomization(_ path: some StringProtocol) -> Bool {
        ["kustomization.yaml", "kustomization.yml", "Kustomization"].contains { name in
            ends(path, name)
                && (path.utf8.count == name.utf8.count || path.utf8.dropLast(name.utf8.count).last == UInt8(ascii: "/"))
        }
    }

    /// By bytes: it is asked of every path of a repository.
    private static func ends(_ path: some StringProtocol, _ end: String) -> Bool {
        path.utf8.count >= end.utf8.count && path.utf8.suffix(end.utf8.count).elementsEqual(end.utf8)
    }

    func isHelmFile(_ path: String) -> Bool {
        if helmValues.isEmpty { return false }
        if !helmFiles.isEmpty { return helmFiles.contains(path) }
        let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
        return name == "values.yaml" || name == "values.yml"
    }
}

/// A path into a values file: `image.tag`, `foo[1].image`, `a\.b.c` for a key that holds a dot.
package struct ValuePath: Sendable, Equatable, CustomStringConvertible {
    package enum Step: Sendable, Equatable {
        case key(String)
        case index(Int)
    }

    package let steps: [Step]
    package let description: String

    /// - Returns: `nil` for what is no path: empty keys, brackets that do not match, indexes that are no numbers.
    package init?(_ text: String) {
        var steps: [Step] = []
        var key = ""
        var hasKey = false
        var rest = Substring(text)
        func isEnd(_ rest: Substring) -> Bool { rest.isEmpty || rest.first == "." || rest.first == "[" }
        while let character = rest.popFirst() {
            switch character {
            case "\\":
                guard let next = rest.popFirst() else { return nil }
                key.append(next)
                hasKey = true
            case ".":
                guard hasKey || steps.last.map({ if case .index = $0 { true } else { false } }) ?? false,
                    !rest.isEmpty, rest.first != "[", rest.first != "."
                else { return nil }
                if hasKey { steps.append(.key(key)) }
                (key, hasKey) = ("", false)
            case "[":
                if hasKey { steps.append(.key(key)) }
                (key, hasKey) = ("", false)
                guard let close = rest.firstIndex(of: "]"), let index = Int(rest[..<close]), index >= 0,
                    isEnd(rest[rest.index(after: close)...])
                else { return nil }
                steps.append(.index(index))
                rest = rest[rest.index(after: close)...]
            default:
                key.append(character)
                hasKey = true
            }
        }
        if hasKey { steps.append(.key(key)) }
        guard !steps.isEmpty, steps.count <= 100 else { return nil }
        self.steps = steps
        description = text
    }
}
