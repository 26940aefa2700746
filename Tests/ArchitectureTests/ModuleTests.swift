import Foundation
import TestSupport
import Testing

@Suite(.tags(.unit)) struct ModuleTests {
    @Test func `the table is that of Package.swift and of the folders`() throws {
        let tree = try SourceTree()
        #expect(Set(ModuleTable.modules.keys) == tree.modules)
        let text = try String(contentsOfFile: SourceTree.root + "/Package.swift", encoding: .utf8)
            .filter { !$0.isWhitespace }
        for (name, module) in ModuleTable.modules where !name.hasPrefix("C") || name == "ContentStore" {
            let declared: Set<String>
            if let start = text.range(of: "library(\"\(name)\"")?.upperBound
                ?? text.range(of: ".executableTarget(name:\"\(name)\"")?.upperBound,
                let end = text[start...].firstIndex(where: { $0 == "]" || $0 == ")" })
            {
                declared = Set(
                    text[start..<end].split(separator: "\"").map(String.init).filter {
                        ModuleTable.modules[$0] != nil
                    })
            } else {
                Issue.record("Package.swift declares no library '\(name)'")
                continue
            }
            #expect(declared == module.mayImport.filter { ModuleTable.modules[$0] != nil }, "\(name)")
        }
    }

    @Test func `modules import only what the table allows`() throws {
        let files = try SourceTree().files
        #expect(Set(files.map(\.module)).isSuperset(of: ModuleTable.modules.keys.filter { !$0.hasPrefix("C") }))
        for file in files {
            let allowed = (ModuleTable.modules[file.module]?.mayImport ?? []).union(ModuleTable.everywhere)
            for (number, line) in SourceTree.code(file) {
                guard let module = SourceTree.imported(by: line) else { continue }
                #expect(allowed.contains(module), "\(file.path):\(number): \(file.module) may not import \(module)")
            }
        }
    }

    @Test func `dependencies point down, without cycles`() {
        for (name, module) in ModuleTable.modules {
            for other in module.mayImport.compactMap({ ModuleTable.modules[$0] }) {
                #expect(other.layer <= module.layer, "\(name)")
            }
            var seen: Set<String> = []
            var next = module.mayImport
            while let step = next.popFirst() {
                guard seen.insert(step).inserted else { continue }
                next.formUnion(ModuleTable.modules[step]?.mayImport ?? [])
            }
            #expect(!seen.contains(name), "\(name) imports itself by way of others")
        }
    }

    @Test func `a C library is imported by one module, and its handles stay there`() throws {
        var users: [String: Set<String>] = [:]
        for file in try SourceTree().files {
            for (number, line) in SourceTree.code(file) {
                if let module = SourceTree.imported(by: line), ModuleTable.modules[module]?.layer == 0,
                    module.hasPrefix("C")
                {
                    users[module, default: []].insert(file.module)
                }
                if line.contains("OpaquePointer") {
                    #expect(
                        ModuleTable.modules[file.module]?.mayImport.contains {
                            $0.hasPrefix("C") && $0 != "ContentStore"
                        }
                            == true, "\(file.path):\(number): a C handle")
                }
            }
        }
        for (library, modules) in users where !ModuleTable.sharedC.contains(library) {
            #expect(modules.count == 1, "\(library) is imported by \(modules.sorted())")
        }
    }
}
