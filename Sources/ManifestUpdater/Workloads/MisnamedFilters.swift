import YAML

extension FluxPolicies {
    /// The keys that say which tags may be used, with the container that each names.
    private var filterKeys: [(key: String, container: String)] {
        annotations.keys.sorted().compactMap { key in
            for prefix in Self.prefixes.map({ $0 + "tag." }) + [Self.filterPrefix] where key.hasPrefix(prefix) {
                return (key, String(key.dropFirst(prefix.count)))
            }
            return nil
        }
    }

    /// A filter that does not do what it looks as if it did, with the reason: without it any image would be taken.
    ///
    /// - Parameter containers: what filters can be for.
    func misnamedFilter(_ containers: [String]) -> String? {
        let known = Set(containers)
        for (key, container) in filterKeys where !known.contains(container) {
            let meant = suggestion(for: container, among: containers).map { "; did you mean '\($0)'?" } ?? ""
            let there =
                known.isEmpty ? "there is none" : "there is " + known.sorted().prefix(10).joined(separator: ", ")
            return "the annotation '\(key)' names no container of it: \(there)\(meant)"
        }
        for key in annotations.keys.sorted() {
            guard let slash = key.firstIndex(of: "/") else { continue }
            let (prefix, name) = (String(key[...slash]), key[key.index(after: slash)...])
            let word = String(name.prefix { $0 != "." })
            if Self.prefixes.contains(prefix) {
                // `tags.web`, `tga.web`, `filter.web`.
                guard name.contains("."), !Self.dottedWords.contains(word),
                    word == "filter" || suggestion(for: word, among: ["tag"]) != nil
                else { continue }
                return "the annotation '\(key)' is not known; write \(prefix)tag.\(name.dropFirst(word.count + 1))"
            }
            guard prefix != Self.filterPrefix, word == "tag" && name.contains(".") || prefix.hasPrefix("filter"),
                let meant = suggestion(for: prefix, among: Self.prefixes + [Self.filterPrefix])
            else { continue }
            return "the annotation '\(key)' is not known; did you mean \(meant)\(name)?"
        }
        return nil
    }

    /// What stands before a container's name in annotations.
    private static let dottedWords: Set<String> = ["tag", "pin", "platforms", "approval", "approved", "requires"]
}
