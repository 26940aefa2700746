import Foundation
import TestSupport
import Testing

/// Folders of one module: what a folder's files use of others has to lead one way, so that each can be read without what is above it.
@Suite(.tags(.unit)) struct FolderTests {
    /// What a file declares for others and what it uses, by name.
    private struct Names {
        let folder: String
        let path: String
        var declared: Set<String> = []
        var used: Set<String> = []

        init(_ file: SourceTree.File) {
            path = file.path
            folder = String(file.path.split(separator: "/").dropFirst(2).dropLast().joined(separator: "/"))
            // Types in types are no names for others: only what begins a line counts.
            let text = file.lines.map(Self.code).joined(separator: "\n")
            for match in text.matches(of: Self.declaration) where !match.output.1.contains("private") {
                declared.insert(String(match.output.2))
            }
            for match in text.matches(of: /\b[A-Z]\w+\b/) { used.insert(String(match.output)) }
        }

        private static var declaration: Regex<(Substring, Substring, Substring)> {
            /(?m)^((?:[a-z]+ )*)(?:struct|class|enum|actor|protocol|typealias) (\w+)/
        }

        /// A line without its comment and its literals.
        private static func code(_ line: Substring) -> String {
            String(line).replacing(/\/\/.*/, with: "").replacing(/"(?:\\.|[^"\\])*"/, with: "")
        }
    }

    /// The files at a module's root are its face and the values that all its folders use.
    @Test(arguments: ["Builder"]) func `folders have no circles`(module: String) throws {
        let files = try SourceTree().files.filter { $0.module == module }.map(Names.init).filter { !$0.folder.isEmpty }
        #expect(files.count > 50)
        var homes: [String: String] = [:]
        for file in files { for name in file.declared { homes[name] = file.folder } }
        var uses: [String: [String: String]] = [:]
        for file in files {
            for name in file.used {
                guard let home = homes[name], home != file.folder else { continue }
                uses[file.folder, default: [:]][home] = "\(name) in \(file.path)"
            }
        }
        for folder in Set(files.map(\.folder)) {
            var seen: Set<String> = []
            var next = Array((uses[folder] ?? [:]).keys)
            while let step = next.popLast() {
                guard seen.insert(step).inserted else { continue }
                next += (uses[step] ?? [:]).keys
            }
            let back = uses.filter { seen.contains($0.key) && $0.value[folder] != nil }
            #expect(
                !seen.contains(folder),
                "\(folder) uses \(uses[folder] ?? [:]), and is used by \(back.mapValues { $0[folder] ?? "" })")
        }
    }
}
