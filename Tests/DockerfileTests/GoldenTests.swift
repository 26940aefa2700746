import Diagnostics
import Foundation
import TestSupport
import Testing

@testable import Dockerfile

/// `Golden/<case>/Dockerfile`, with what `lint` says about it (`lint.txt`), and its tree for people (`tree.txt`) and for
/// programs (`tree.json`). `SLIPWAY_RECORD_GOLDEN=1` writes what is there now, to be read before it is committed.
@Suite("Golden files", .tags(.unit)) struct GoldenTests {
    static let directory = String(#filePath.dropLast("GoldenTests.swift".count)) + "Golden"
    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()

    private func compare(_ text: String, _ name: String, _ file: String) throws {
        let url = URL(fileURLWithPath: "\(Self.directory)/\(name)/\(file)")
        if ProcessInfo.processInfo.environment["SLIPWAY_RECORD_GOLDEN"] != nil {
            try Data((text + "\n").utf8).write(to: url)
        }
        let expected = String(decoding: try Data(contentsOf: url), as: UTF8.self)
        #expect(text + "\n" == expected)
    }

    private func content(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(Self.directory)/\(name)/Dockerfile")))
    }

    @Test("lint", arguments: names) func lint(_ name: String) throws {
        var options = DockerfileCheck.Options()
        if let ignore = FileManager.default.contents(atPath: "\(Self.directory)/\(name)/Dockerfile.dockerignore") {
            options.ignore = try IgnoreMatcher(file: [UInt8](ignore))
        }
        let check = DockerfileCheck(try content(name), file: "Dockerfile", options)
        var lines = check.warnings.map(\.description)
        if let error = check.error { lines.append("Error: \(error)") }
        try compare(lines.joined(separator: "\n"), name, "lint.txt")
    }

    @Test("tree", arguments: names) func tree(_ name: String) throws {
        let dockerfile: Dockerfile
        do { dockerfile = try Dockerfile.parse(try content(name)) } catch { return #expect(error is DockerfileError) }
        let tree = SyntaxTree(dockerfile)
        try compare(tree.outline, name, "tree.txt")
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        try compare(String(decoding: try encoder.encode(tree), as: UTF8.self), name, "tree.json")
    }

    @Test("every rule has a golden line") func everyRule() throws {
        let all = try Self.names.map {
            String(
                decoding: try Data(contentsOf: URL(fileURLWithPath: "\(Self.directory)/\($0)/lint.txt")), as: UTF8.self)
        }.joined()
        // These need the base image or the context, so `build` reports them.
        let ofBuilds: Set<LintRule> = [.invalidBaseImagePlatform, .unknownOwner, .copyMatchesNothing]
        for rule in LintRule.allCases where !ofBuilds.contains(rule) {
            #expect(all.contains("(\(rule.rawValue))"), "\(rule.rawValue)")
        }
    }
}

@Suite("The check of a file", .tags(.unit)) struct DockerfileCheckTests {
    private func check(_ text: String, _ adjust: (inout DockerfileCheck.Options) -> Void = { _ in }) -> DockerfileCheck
    {
        var options = DockerfileCheck.Options()
        adjust(&options)
        return DockerfileCheck(Array(text.utf8), file: "Dockerfile", options)
    }

    @Test("warnings fail it only when asked to") func failing() {
        let text = "FROM scratch\nCMD a\n"
        #expect(check(text).isClean)
        #expect(check(text).warnings.map(\.rule) == [.jsonArgsRecommended])
        #expect(!check(text) { $0.check.isError = true }.isClean)
        #expect(!check("# check=error=true\n" + text).isClean)
        #expect(check("# check=error=false\n" + text).isClean)
        #expect(!check("# check=error=false\n" + text) { $0.check.isError = true }.isClean)
        #expect(check("# check=error=true;skip=JSONArgsRecommended\n" + text).isClean)
        #expect(check("# check=skip=all;error=true\n" + text).isClean)
        let skipped = check("# check=error=true\n" + text) { $0.check.skip = ["JSONArgsRecommended"] }
        #expect(skipped.isClean && skipped.warnings.isEmpty)
    }

    @Test("an error leaves the warnings that are certain") func error() {
        let empty = check("ARG V\nFROM $V AS A\nCMD x")
        #expect(empty.error?.summary == "the base image '$V' is empty after expansion")
        #expect(empty.warnings.map(\.rule) == [.invalidDefaultArgInFrom, .stageNameCasing])
        #expect(check("ARG V\nFROM $V AS A") { $0.buildArguments = [("V", "x")] }.error == nil)
        #expect(check("FROM scratch\nENV a=${b:^}").error?.location?.line == 2)
        #expect(check("FROM x\nCOPY ${b:?} /").error == nil, "b may come from the base")
        #expect(check("FROM x\nCOPY 'a /").error?.code == .expansion)
        #expect(check("").error?.code == .structure)
        #expect(check("FROM x AS a") { $0.target = "b" }.error?.code == .reference)
    }

    @Test("points at the word that is meant") func columns() throws {
        let found = try graph("FROM scratch AS One\nENV OK=1 MY_TOKEN=2").lint()
        #expect(found.map { "\($0.location)" } == ["Dockerfile:1:17", "Dockerfile:2:10"])
        #expect(found[1].excerpt == " 2 | ENV OK=1 MY_TOKEN=2\n   |          ^")
    }
}
