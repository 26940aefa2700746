import Foundation
import TestSupport
import Testing

private let source = NodeCluster.environment["SOURCE"] ?? ""

/// A public repository that kaniko built and Flux bumped, replayed in a real node.
@Suite(
    "The tutorial in a cluster", .tags(.endToEnd), .thorough,
    .enabled(
        if: NodeCluster.isThere && !source.isEmpty,
        "SLIPWAY_NODE names no cluster with a node, or its REGISTRY and ADDRESS, or SOURCE, the tutorial's repository, are not set"
    ))
struct TutorialTests {
    @Test func `its commits end in pods that answer with version 4, and in its own files`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let output = try Shell.run(
            [root + "/scripts/try-tutorial.sh"],
            environment: [
                "KUBECONFIG": NodeCluster.environment["SLIPWAY_NODE"] ?? "", "SLIPWAY_BINARY": try Loop.binary,
                "NAMESPACE": "web-\(UUID().uuidString.prefix(6).lowercased())",
            ])
        print(output.stdout)
        let lines = output.stdout.split(separator: "\n")
        let answers = lines.filter { $0.hasPrefix("tutorial: a pod answers 'This is version ") }
        #expect(
            answers.compactMap { $0.dropFirst("tutorial: a pod answers 'This is version ".count).first } == [
                "3", "4", "4",
            ])
        let bumps = lines.filter { $0.contains(" Slipway: Auto-release ") }.compactMap { $0.split(separator: ":").last }
        #expect(bumps == ["v4", "v3"])
        let end = lines.suffix(4)
        #expect(end.first == "tutorial: the files are the tutorial's")
        #expect(end.dropFirst().first?.wholeMatch(of: /Waiting for [0-9a-f]{7} to be applied \.\.\./) != nil)
        #expect(end.suffix(2) == ["Done.", "tutorial: a pod answers 'This is version 4'"])
    }
}
