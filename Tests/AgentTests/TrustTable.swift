import Foundation
import TestSupport

/// The tables of docs/security.md: who may say what.
struct TrustTable {
    struct Row {
        let section: String
        /// What the first column names, each in backticks.
        let names: [String]
        /// What becomes of it from a repository: the first word of the last column.
        let verdict: String
        let text: String
    }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    let rows: [Row]

    init() throws {
        let text = try String(contentsOfFile: Self.root + "/docs/security.md", encoding: .utf8)
        var section = ""
        var rows: [Row] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("## ") { section = String(line.dropFirst(3)) }
            guard line.hasPrefix("| ") else { continue }
            let cells = line.dropFirst(2).dropLast(2).components(separatedBy: " | ")
            guard let last = cells.last, last != "from a repository" else { continue }
            let names = cells[0].components(separatedBy: "`").enumerated().compactMap { $0 % 2 == 1 ? $1 : nil }
            rows.append(
                Row(
                    section: section, names: names, verdict: String(last.prefix { $0.isLetter }),
                    text: String(line)))
        }
        self.rows = rows
    }

    func rows(of section: String) -> [Row] { rows.filter { $0.section == section } }

    /// The verdict on one name of a section.
    func verdict(_ name: String, in section: String) -> String? {
        rows(of: section).first { $0.names.contains(name) }?.verdict
    }

    /// Every key that the schema knows, as `repositories[].allowed.bases`; what is defined once is listed once.
    static func schemaKeys() throws -> [String] {
        let data = try Data(contentsOf: URL(fileURLWithPath: root + "/config/schema/agent.schema.json"))
        guard let schema = try JSONSerialization.jsonObject(with: data) as? [String: Any],
            let definitions = schema["$defs"] as? [String: [String: Any]]
        else { throw TestSupportError("the schema is not as expected") }
        var seen: Set<String> = []
        var keys: [String] = []
        func walk(_ node: [String: Any], _ prefix: String) {
            var node = node
            if let name = (node["$ref"] as? String)?.split(separator: "/").last.map(String.init) {
                guard let definition = definitions[name] else { return }
                if definition["properties"] != nil || definition["items"] != nil {
                    guard seen.insert(name).inserted else { return }
                }
                node = definition
            }
            let properties = node["properties"] as? [String: [String: Any]] ?? [:]
            for (key, value) in properties.sorted(by: { $0.key < $1.key }) {
                let path = prefix.isEmpty ? key : "\(prefix).\(key)"
                keys.append(path)
                walk(value, path)
            }
            if let items = node["items"] as? [String: Any] { walk(items, prefix + "[]") }
        }
        walk(schema, "")
        return keys
    }
}
