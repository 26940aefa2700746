import Cluster
import Git
import JSON
import YAML

/// Reads the objects that a revision's files hold.
struct ManifestReader: Sendable {
    let remote: any GitRemote
    let tree: RevisionTree
    let kustomize: KustomizeProgram

    struct Found: Sendable {
        var objects: [ManifestObject] = []
        /// Files, or parts of them, that could not be read.
        var failures: [AgentError] = []
    }

    private static let sizeLimit = 16 << 20
    private static let suffixes = [".yaml", ".yml", ".json"]
    private static let kustomizations: Set<String> = ["kustomization.yaml", "kustomization.yml", "Kustomization"]

    /// - Parameter paths: directories and files. A directory with a kustomization is what that makes of it; of others, all files below
    ///   them are read, but for directories with a kustomization of their own.
    func objects(below paths: [String]) async -> Found {
        var found = Found()
        for path in paths {
            if let file = tree.file(path) {
                await read([file], into: &found)
            } else if tree.isDirectory(path) {
                await directory(path, into: &found)
            } else {
                found.failures.append(
                    AgentError(
                        "there is nothing to apply at '\(path)'", place: tree.revision.id.short,
                        hint: "correct 'apply.paths' of the repository"))
            }
        }
        var seen: Set<String> = []
        found.objects = found.objects.filter { object in
            let key = [object.group, object.kind, object.namespace ?? "", object.name].joined(separator: "\u{0}")
            if object.problem != nil || seen.insert(key).inserted { return true }
            found.failures.append(
                AgentError(
                    "\(object.kind) \(object.name) is there twice", place: object.place, hint: "remove one of the two"))
            return false
        }
        return found
    }

    private func directory(_ path: String, into found: inout Found) async {
        let prefix = path.isEmpty ? "" : path + "/"
        let below = tree.entries.filter { $0.path.hasPrefix(prefix) }
        let roots = Set(
            below.filter { Self.kustomizations.contains(Self.name(of: $0.path)) }.map { Self.folder(of: $0.path) })
        // Those that another one includes are parts of it; which these are only kustomize knows, so the outermost count.
        let outer = roots.filter { root in
            !roots.contains { $0 != root && ($0.isEmpty || root.hasPrefix($0 + "/")) }
        }
        let plain = below.filter { entry in
            Self.suffixes.contains { entry.path.hasSuffix($0) }
                && !outer.contains { $0.isEmpty || entry.path.hasPrefix($0 + "/") }
        }
        await read(plain, into: &found)
        for root in outer.sorted() { await kustomization(root, into: &found) }
    }

    private static func name(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    private func read(_ entries: [TreeEntry], into found: inout Found) async {
        let files = entries.filter { $0.mode == .file || $0.mode == .executable }
        let all = await remote.read(files, limit: Self.sizeLimit) { entry, content in
            switch content {
            case .success(let bytes): Self.objects(in: bytes, file: entry.path)
            case .failure(let error): Found(failures: [AgentError(failing: error, place: entry.path, hint: nil)])
            }
        }
        for one in all {
            found.objects += one.objects
            found.failures += one.failures
        }
    }

    private func kustomization(_ root: String, into found: inout Found) async {
        do throws(AgentError) {
            let bytes = try await kustomize.build(root, of: tree, from: remote)
            let made = Self.objects(in: bytes, file: root.isEmpty ? "kustomization" : "\(root)/kustomization")
            found.objects += made.objects
            found.failures += made.failures
        } catch {
            found.failures.append(error)
        }
    }

    /// The objects of a file; a `List` is its items. What is no object of Kubernetes is passed over: values of charts, say.
    static func objects(in bytes: [UInt8], file: String) -> Found {
        var found = Found()
        let documents: [YAMLDocument]
        do {
            documents = try YAMLStream.parse(bytes, file: file)
        } catch {
            found.failures.append(
                AgentError(error.summary, place: error.place ?? file, hint: error.hint))
            return found
        }
        let lines = LineIndex(bytes)
        for document in documents {
            guard let root = document.root else { continue }
            let place = "\(lines.location(of: root.range.lowerBound, in: file))"
            guard let value = JSONValue(root) else {
                found.failures.append(AgentError("an object is too large to be applied", place: place))
                continue
            }
            if value["kind"].text?.hasSuffix("List") == true, case .array(let items) = value["items"] {
                found.objects += items.map { ManifestObject($0, place: place) }
            } else if value["apiVersion"].text != nil || value["kind"].text != nil {
                found.objects.append(ManifestObject(value, place: place))
            }
        }
        return found
    }
}
