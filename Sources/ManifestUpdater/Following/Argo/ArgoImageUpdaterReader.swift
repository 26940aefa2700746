import Diagnostics
import YAML

/// Reads the fields of an `ImageUpdater`, and notes those that are wrong or not obeyed.
struct ArgoImageUpdaterReader {
    typealias Locate = (YAMLNode) -> SourceLocation

    var problems: [ArgoImageUpdater.Problem] = []

    private mutating func note(_ node: YAMLNode, _ reason: String, isFatal: Bool = false, _ locate: Locate) {
        problems.append(ArgoImageUpdater.Problem(location: locate(node), reason: reason, isFatal: isFatal))
    }

    private func text(_ node: YAMLNode?) -> String? { node.flatMap { ArgoValue($0).filledText } }

    private func texts(_ node: YAMLNode?) -> [String]? {
        node?.items.map { $0.compactMap { ArgoValue($0).scalarText } }
    }

    private func flag(_ node: YAMLNode?) -> Bool? {
        guard let node, case .bool(let flag) = ArgoValue(node) else { return nil }
        return flag
    }

    /// Names fields that the tool does not have either, most likely typing errors.
    private mutating func check(_ node: YAMLNode, _ known: Set<String>, at path: String, _ locate: Locate) {
        for pair in node.pairs ?? [] {
            guard let key = pair.key.text, !known.contains(key) else { continue }
            note(pair.key, "unknown field '\(path).\(key.prefix(60))'", locate)
        }
    }

    mutating func read(_ spec: YAMLNode, into updater: inout ArgoImageUpdater, _ locate: Locate) {
        check(
            spec,
            [
                "namespace", "applicationRefs", "commonUpdateSettings", "writeBackConfig", "imagesVerification",
            ], at: "spec", locate)
        if let namespace = spec["namespace"], let text = text(namespace), text != updater.namespace {
            note(
                namespace,
                "spec.namespace is not used since version 1.2: the resource selects Applications of its own namespace, "
                    + "'\(updater.namespace ?? "(not written)")', not of '\(text)'", locate)
        }
        if let node = spec["commonUpdateSettings"] { updater.settings = settings(node, at: "spec", locate) }
        if let node = spec["writeBackConfig"] { updater.writeBack = writeBack(node, at: "spec", locate) }
        if let node = spec["imagesVerification"] { updater.isVerified = verification(node) }
        for (number, node) in (spec["applicationRefs"]?.items ?? []).enumerated() {
            if let reference = reference(node, at: "spec.applicationRefs[\(number)]", locate) {
                updater.references.append(reference)
            }
        }
        if updater.references.isEmpty {
            note(spec, "spec.applicationRefs has no usable reference", isFatal: true, locate)
        }
        var patterns: Set<String> = []
        for reference in updater.references where !patterns.insert(reference.namePattern).inserted {
            problems.append(
                ArgoImageUpdater.Problem(
                    location: reference.location,
                    reason:
                        "two references have the namePattern '\(reference.namePattern)': the API server refuses that",
                    isFatal: true))
        }
    }

    private mutating func reference(
        _ node: YAMLNode, at path: String, _ locate: Locate
    ) -> ArgoImageUpdater.Reference? {
        check(
            node,
            [
                "namePattern", "labelSelectors", "images", "commonUpdateSettings", "writeBackConfig", "useAnnotations",
                "imagesVerification",
            ], at: path, locate)
        guard let pattern = text(node["namePattern"]) else {
            note(node, "\(path) has no namePattern", isFatal: true, locate)
            return nil
        }
        var reference = ArgoImageUpdater.Reference(
            namePattern: pattern, usesAnnotations: flag(node["useAnnotations"]) ?? false, images: [],
            settings: ArgoImageUpdater.Settings(), writeBack: ArgoImageUpdater.WriteBack(), location: locate(node))
        if let selector = node["labelSelectors"], !selector.isNull {
            let read = ArgoLabelSelector(ArgoValue(selector))
            if let problem = read.problem {
                note(selector, "\(path).labelSelectors matches no Application: \(problem)", locate)
            }
            reference.selector = read
        }
        if let block = node["commonUpdateSettings"] { reference.settings = settings(block, at: path, locate) }
        if let block = node["writeBackConfig"] { reference.writeBack = writeBack(block, at: path, locate) }
        if let block = node["imagesVerification"] { reference.isVerified = verification(block) }
        var aliases: Set<String> = []
        for (number, item) in (node["images"]?.items ?? []).enumerated() {
            guard let image = image(item, at: "\(path).images[\(number)]", locate) else { continue }
            guard aliases.insert(image.alias).inserted else {
                note(item, "two images of \(path) have the alias '\(image.alias)'", isFatal: true, locate)
                continue
            }
            reference.images.append(image)
        }
        if reference.usesAnnotations {
            for key in ["images", "commonUpdateSettings", "writeBackConfig"] {
                if let ignored = node[key], !ignored.isNull {
                    note(ignored, "\(path).\(key) is ignored, because useAnnotations is true", locate)
                }
            }
        } else if reference.images.isEmpty {
            note(node, "\(path) has neither images nor useAnnotations", isFatal: true, locate)
        }
        return reference
    }

    private mutating func image(_ node: YAMLNode, at path: String, _ locate: Locate) -> ArgoImageUpdater.Image? {
        check(
            node, ["alias", "imageName", "commonUpdateSettings", "manifestTargets", "imagesVerification"], at: path,
            locate)
        guard let alias = text(node["alias"]), Self.isAlias(alias) else {
            note(node, "\(path) has no usable alias: use letters, digits, '-', '.' and '_'", isFatal: true, locate)
            return nil
        }
        guard let name = text(node["imageName"]), let image = ArgoApplication.Image(alias: alias, image: name) else {
            note(node, "\(path) has no imageName", isFatal: true, locate)
            return nil
        }
        let block = node["commonUpdateSettings"]
        var result = ArgoImageUpdater.Image(
            alias: alias, image: image, settings: block.map { settings($0, at: path, locate) } ?? .init(),
            hasSettings: block?.pairs != nil, location: locate(node))
        if let block = node["imagesVerification"] { result.isVerified = verification(block) }
        if let targets = node["manifestTargets"], !targets.isNull {
            guard let target = target(targets, at: path, locate) else { return nil }
            result.target = target
        }
        return result
    }

    private static func isAlias(_ text: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        guard let first = text.utf8.first, isWord(first) else { return false }
        return text.utf8.allSatisfy { isWord($0) || [0x2D, 0x2E, 0x5F].contains($0) }
    }

    private mutating func target(
        _ node: YAMLNode, at path: String, _ locate: Locate
    ) -> ArgoImageUpdater.Target? {
        check(node, ["helm", "kustomize", "plugin"], at: "\(path).manifestTargets", locate)
        let present = ["helm", "kustomize", "plugin"].filter { node[$0]?.pairs != nil }
        guard present.count == 1, let kind = present.first, let block = node[kind] else {
            note(
                node, "\(path).manifestTargets must have exactly one of helm, kustomize and plugin", isFatal: true,
                locate)
            return nil
        }
        check(block, kind == "kustomize" ? ["name"] : ["name", "tag", "spec"], at: "\(path).\(kind)", locate)
        let (name, tag, spec) = (text(block["name"]), text(block["tag"]), text(block["spec"]))
        switch kind {
        case "helm": return .helm(name: name, tag: tag, spec: spec)
        case "kustomize":
            guard let name else {
                note(block, "\(path).manifestTargets.kustomize has no name", isFatal: true, locate)
                return nil
            }
            return .kustomize(name: name)
        default:
            guard name != nil || spec != nil else {
                note(block, "\(path).manifestTargets.plugin has neither name nor spec", isFatal: true, locate)
                return nil
            }
            return .plugin(name: name, tag: tag, spec: spec)
        }
    }

    private mutating func settings(
        _ node: YAMLNode, at path: String, _ locate: Locate
    ) -> ArgoImageUpdater.Settings {
        let path = "\(path).commonUpdateSettings"
        check(
            node, ["updateStrategy", "forceUpdate", "allowTags", "ignoreTags", "pullSecret", "platforms"], at: path,
            locate)
        var settings = ArgoImageUpdater.Settings()
        settings.strategy = text(node["updateStrategy"])
        settings.forcesUpdate = flag(node["forceUpdate"])
        settings.allowTags = text(node["allowTags"])
        settings.ignoreTags = texts(node["ignoreTags"])
        settings.pullSecret = text(node["pullSecret"])
        settings.platforms = texts(node["platforms"])
        if let secret = node["pullSecret"], !secret.isNull {
            note(
                secret, "\(path).pullSecret is not used: registries are reached with the agent's own credentials",
                locate)
        }
        if settings.forcesUpdate == true, let force = node["forceUpdate"] {
            note(force, "\(path).forceUpdate changes nothing: images are looked up in git, not in a cluster", locate)
        }
        for item in node["ignoreTags"]?.items ?? [] where item.text?.hasPrefix("regexp:") ?? false {
            note(
                item, "\(path).ignoreTags takes globs: '\(item.text?.prefix(60) ?? "")' is one, not an expression",
                locate)
        }
        return settings
    }

    private mutating func writeBack(
        _ node: YAMLNode, at path: String, _ locate: Locate
    ) -> ArgoImageUpdater.WriteBack {
        let path = "\(path).writeBackConfig"
        check(node, ["method", "gitConfig"], at: path, locate)
        var result = ArgoImageUpdater.WriteBack()
        result.method = text(node["method"])
        guard let git = node["gitConfig"], git.pairs != nil else { return result }
        check(git, ["repository", "branch", "writeBackTarget", "pullRequest"], at: "\(path).gitConfig", locate)
        result.repository = text(git["repository"])
        result.branch = text(git["branch"])
        result.target = text(git["writeBackTarget"])
        if let request = git["pullRequest"] { result.asksForPullRequest = request.pairs != nil }
        return result
    }

    /// Whether images are verified: a block says yes unless it says `enabled: false`. A block without `enabled` inherits.
    private func verification(_ node: YAMLNode) -> Bool? {
        guard node.pairs != nil else { return nil }
        return flag(node["enabled"]) ?? true
    }
}
