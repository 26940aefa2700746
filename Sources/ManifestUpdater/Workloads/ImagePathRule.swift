import YAML

/// Where the objects of a kind have their images, for custom resources that have them elsewhere than workloads do.
package struct ImagePathRule: Hashable, Sendable {
    package var kind: String
    /// The API group, or the group and the version; `nil`: any.
    package var apiVersion: String?
    package var paths: [ImagePath]

    package init(kind: String, apiVersion: String? = nil, paths: [ImagePath]) {
        self.kind = kind
        self.apiVersion = apiVersion
        self.paths = paths
    }

    func covers(_ manifest: Manifest) -> Bool {
        guard manifest.kind == kind else { return false }
        guard let apiVersion else { return true }
        let written = manifest.node["apiVersion"]?.text ?? ""
        return written == apiVersion || written.hasPrefix(apiVersion + "/")
    }
}

/// A path to images in an object: `spec.steps[].image`, with `[]` for every item of a list and `[1]` for one.
package struct ImagePath: Hashable, Sendable, CustomStringConvertible {
    private enum Step: Hashable {
        case key(String)
        case index(Int)
        case every
    }

    private let steps: [Step]
    package let description: String

    /// - Returns: `nil` for what is no path.
    package init?(_ text: String) {
        var steps: [Step] = []
        for part in text.split(separator: ".", omittingEmptySubsequences: false) {
            let key = part.prefix { $0 != "[" }
            guard !key.isEmpty, !key.contains("]") else { return nil }
            steps.append(.key(String(key)))
            var rest = part[key.endIndex...]
            while !rest.isEmpty {
                guard rest.first == "[", let close = rest.firstIndex(of: "]") else { return nil }
                let index = rest[rest.index(after: rest.startIndex)..<close]
                if index.isEmpty {
                    steps.append(.every)
                } else {
                    guard let number = Int(index), number >= 0 else { return nil }
                    steps.append(.index(number))
                }
                rest = rest[rest.index(after: close)...]
            }
        }
        guard !steps.isEmpty, steps.count <= 30 else { return nil }
        self.steps = steps
        description = text
    }

    /// The values at the path, each with the name of the item of a list that it is in, else with its own path.
    func values(in node: YAMLNode) -> [(node: YAMLNode, name: String)] {
        var found: [(node: YAMLNode, path: String, item: YAMLNode?)] = [(node, "", nil)]
        for step in steps {
            found = found.flatMap { one -> [(node: YAMLNode, path: String, item: YAMLNode?)] in
                switch step {
                case .key(let key):
                    return one.node[key].map { [($0, one.path.isEmpty ? key : "\(one.path).\(key)", one.item)] } ?? []
                case .index(let index):
                    guard let items = one.node.items, items.indices.contains(index) else { return [] }
                    return [(items[index], "\(one.path)[\(index)]", items[index])]
                case .every:
                    return (one.node.items ?? []).enumerated().map { ($1, "\(one.path)[\($0)]", $1) }
                }
            }
        }
        return found.map { ($0.node, $0.item?["name"]?.text ?? $0.path) }
    }
}
