/// The flags that an instruction knows, and their values.
struct FlagSet {
    enum Kind { case bool, string, strings }

    private var values: [String: [String]] = [:]

    /// - Throws: `.flag` for flags that are unknown, doubled or without their value.
    init(_ flags: [String], of keyword: Keyword, _ known: KeyValuePairs<String, Kind>) throws(DockerfileError) {
        for flag in flags {
            let parts = flag.utf8.dropFirst(2).split(separator: 0x3d, maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(Substring(parts[0]))
            let value = parts.count == 2 ? String(Substring(parts[1])) : nil
            guard let kind = known.first(where: { $0.key == name })?.value else {
                throw Self.unknown(name, keyword, known.map(\.key))
            }
            if kind != .strings, values[name] != nil {
                throw DockerfileError(.flag, "\(keyword.name) has the flag --\(name) twice", near: "--\(name)")
            }
            switch kind {
            case .bool:
                switch value?.lowercased() {
                case nil, "true": values[name] = ["true"]
                case "false": values[name] = ["false"]
                case "": throw Self.missingValue(name, keyword)
                default:
                    throw DockerfileError(
                        .flag, "--\(name) is true or false, not \(quoted(value ?? ""))", near: "--\(name)")
                }
            case .string, .strings:
                guard let value else { throw Self.missingValue(name, keyword) }
                values[name, default: []].append(value)
            }
        }
    }

    private static func missingValue(_ name: String, _ keyword: Keyword) -> DockerfileError {
        DockerfileError(
            .flag, "the flag --\(name) of \(keyword.name) needs a value", near: "--\(name)",
            hint: "write --\(name)=VALUE, without blanks")
    }

    private static func unknown(_ name: String, _ keyword: Keyword, _ known: [String]) -> DockerfileError {
        var hint = Suggestion.hint(for: name, among: known, prefix: "--")
        if hint == nil {
            hint =
                known.isEmpty
                ? "\(keyword.name) has no flags; arguments that start with '--' go after a lone '--'"
                : "it has " + known.map { "--\($0)" }.joined(separator: ", ")
        }
        return DockerfileError(
            .flag, "\(keyword.name) has no flag \(quoted("--" + name))", near: "--\(name)", hint: hint)
    }

    func bool(_ name: String) -> Bool? { values[name]?.last.map { $0 == "true" } }
    func string(_ name: String) -> String? { values[name]?.last }
    func strings(_ name: String) -> [String] { values[name] ?? [] }
}
