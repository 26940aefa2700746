import Foundation
import TestSupport

/// The project's own files, and the tools that look at them.
enum Cluster {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    private static let python = root + "/.build-venv/bin/python"
    private static let program = root + "/scripts/validate-yaml.py"

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
    }

    /// What is wrong with YAML, a line each.
    static func problems(_ yaml: String, _ arguments: String...) throws -> [String] {
        try validator(arguments, yaml).split(separator: "\n").map(String.init)
    }

    static func json(_ yaml: String) throws -> [[String: Any]] {
        let text = try validator(["json"], yaml)
        return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]] ?? []
    }

    private static func validator(_ arguments: [String], _ yaml: String) throws -> String {
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw TestSupportError("\(python) is missing: run scripts/install-deps.sh --test")
        }
        return try Shell.run([python, program] + arguments, input: Array(yaml.utf8)).stdout
    }

    /// What `kubectl apply -k` would send.
    static func kustomize(_ directory: String) throws -> String {
        // Debian 12's kubectl carries a kustomize that is too old for `patches`.
        let kubectl = root + "/.build-venv/bin/kubectl"
        guard FileManager.default.isExecutableFile(atPath: kubectl) else {
            throw TestSupportError("\(kubectl) is missing: run scripts/install-deps.sh --test")
        }
        return try Shell.run([kubectl, "kustomize", "\(root)/config/cluster/\(directory)"]).stdout
    }
}

/// A value in a tree of JSON, by keys and indices: `tree[at: "spec", 0, "name"]`.
func value(_ tree: Any?, _ path: Any...) -> Any? {
    path.reduce(tree) { node, step in
        if let index = step as? Int, let list = node as? [Any] {
            return list.indices.contains(index) ? list[index] : nil
        }
        if let key = step as? String { return (node as? [String: Any])?[key] }
        return nil
    }
}
