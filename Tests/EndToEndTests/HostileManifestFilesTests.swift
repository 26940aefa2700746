import Foundation
import TestSupport
import Testing

/// Files that nobody should have written: each is passed over with a reason, and the others are updated.
@Suite(.tags(.endToEnd)) struct HostileManifestFilesTests {
    private static let marked = "image: acme/web:1.0.0 # {\"$imagepolicy\": \"shop:web\"}\n"

    /// What each file's reason says, for the agent and for `slipway update`.
    private static let reasons = [
        "bomb.yaml": "aliases", "deep.yaml": "nested deeper", "bytes.yaml": "UTF-8", "template.yaml": "not YAML",
        "utf16.yaml": "UTF-16",
    ]

    private func write(into folder: String, marker: String) throws {
        func file(_ name: String, _ content: Data) throws {
            try content.write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        func text(_ name: String, _ content: String) throws { try file(name, Data((marker + content).utf8)) }
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let names = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            bomb += "a\(level): &a\(level) [\(names)]\n"
        }
        try text("bomb.yaml", bomb)
        try text("deep.yaml", "a: " + String(repeating: "[", count: 200_000) + "\n")
        try file("bytes.yaml", Data(marker.utf8) + Data("a: b\n".utf8) + Data([0x61, 0x3A, 0x20, 0xFF, 0xFE, 0x0A]))
        try text("template.yaml", "image: {{ .Values.name }}:{{ .Values.tag }}\n")
        try file("utf16.yaml", Data([0xFF, 0xFE]) + Data(marker.utf8))
        var keys = Data(marker.utf8)
        for number in 0..<1_000_000 { keys.append(contentsOf: "key\(number): v\n".utf8) }
        try file("keys.yaml", keys)
        var huge = Data(marker.utf8)
        huge.append(Data(repeating: 0x23, count: 100 << 20))
        try file("huge.yaml", huge)
    }

    @Test func `slipway update`() throws {
        let scratch = try TemporaryDirectory("hostile-update")
        try write(into: scratch.path, marker: "# {\"$imagepolicy\": \"shop:web\"}\n")
        try Data(Self.marked.utf8).write(to: URL(fileURLWithPath: scratch.file("good.yaml")))
        let output = try Shell.run([
            try Loop.binary, "update", scratch.path, "--resolved", "shop:web=acme/web:2.0.0", "--output", "json",
        ])
        let report = try #require(
            try JSONSerialization.jsonObject(with: Data(output.stdout.utf8)) as? [String: Any])
        #expect(report["files"] as? [String] == ["good.yaml"])
        let skipped = try #require(report["skipped"] as? [[String: Any]])
        func reason(_ file: String) -> String {
            skipped.filter { $0["file"] as? String == file }.compactMap { $0["reason"] as? String }.joined()
        }
        for (file, words) in Self.reasons { #expect(reason(file).contains(words), "\(file): \(reason(file))") }
        #expect(reason("keys.yaml").contains("more than 500000 nodes"), "\(reason("keys.yaml"))")
        #expect(reason("huge.yaml").contains("bytes"), "\(reason("huge.yaml"))")
        #expect(
            try String(contentsOfFile: scratch.file("good.yaml"), encoding: .utf8)
                == Self.marked.replacingOccurrences(of: "1.0.0", with: "2.0.0"))
    }

    @Test func `the agent`() throws {
        let loop = try GitLoop("hostile-sync")
        try loop.publish("acme/web", ["1.0.0", "1.1.0"])
        try loop.repository.checkOut()
        try write(into: loop.repository.workTree, marker: "# fluxcd.io/automated\n")
        try Data(GitLoop.deployment("web", image: "acme/web:1.0.0").utf8).write(
            to: URL(fileURLWithPath: loop.repository.workTree + "/good.yaml"))
        try loop.repository.commitWorkTree()
        let output = try loop.sync()
        #expect(
            try loop.repository.content(of: "good.yaml")
                == GitLoop.deployment("web", image: "acme/web:1.1.0"), "\(output.stderr)")
        for (file, words) in Self.reasons {
            #expect(
                output.stderr.split(separator: "\n").contains { $0.contains(file) && $0.contains(words) },
                "\(file)\n\(output.stderr)")
        }
        #expect(output.stderr.contains("huge.yaml: not looked at: more than 16 MiB"), "\(output.stderr)")
        let keys = output.stderr.split(separator: "\n").filter { $0.contains("keys.yaml") }
        #expect(keys.contains { $0.contains("more than 500000 nodes") }, "\(output.stderr)")
        try loop.repository.checkIntegrity()
    }
}
