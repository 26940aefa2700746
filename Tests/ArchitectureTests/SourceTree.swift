import Foundation

/// The project's Swift sources as text.
struct SourceTree {
    struct File {
        /// From the root: `Sources/Git/Mirror.swift`.
        let path: String
        let module: String
        let lines: [Substring]
    }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    let files: [File]
    /// The directories right below `Sources`.
    let modules: Set<String>

    init() throws {
        let sources = Self.root + "/Sources"
        modules = Set(try FileManager.default.contentsOfDirectory(atPath: sources).filter { !$0.hasPrefix(".") })
        var files: [File] = []
        for module in modules.sorted() {
            // The work tree may be reached through links, so that each module is listed by itself.
            let folder = URL(fileURLWithPath: "\(sources)/\(module)").resolvingSymlinksInPath().path
            for case let name as String in FileManager.default.enumerator(atPath: folder)
                ?? FileManager.DirectoryEnumerator()
            where name.hasSuffix(".swift") {
                let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
                files.append(
                    File(
                        path: "Sources/\(module)/\(name)", module: module,
                        lines: text.split(separator: "\n", omittingEmptySubsequences: false)))
            }
        }
        self.files = files
    }

    /// Code lines (comments left out) with their numbers.
    static func code(_ file: File) -> [(number: Int, text: Substring)] {
        file.lines.enumerated().compactMap { index, line in
            let text = line.drop { $0 == " " }
            return text.hasPrefix("//") ? nil : (number: index + 1, text: text)
        }
    }

    /// The module that an import line names; `nil` for every other line.
    static func imported(by line: Substring) -> String? {
        let modifiers: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        var words = line.split(separator: " ").drop { modifiers.contains($0) || $0.hasPrefix("@") }
        guard words.first == "import" else { return nil }
        words = words.dropFirst().drop { kinds.contains($0) }
        return words.first.map { String($0.prefix { $0 != "." && $0 != ";" }) }
    }
}
