import Foundation
import TestSupport
import Testing

/// A cluster with a node, as `scripts/try-install.sh` and `scripts/try-tutorial.sh` need it.
enum NodeCluster {
    static let environment = ProcessInfo.processInfo.environment
    static let isThere = ["SLIPWAY_NODE", "REGISTRY", "ADDRESS"].allSatisfy { environment[$0]?.isEmpty == false }
}

/// The installation in a real node: from `kubectl apply -f install.yaml`, and from `helm install`, to the answer of a pod.
@Suite(
    "Installing into a cluster", .tags(.endToEnd), .thorough, .serialized,
    .enabled(
        if: NodeCluster.isThere, "SLIPWAY_NODE names no cluster with a node, or its REGISTRY and ADDRESS are not set"
    ))
struct InstallTests {
    @Test(arguments: ["manifest", "helm"])
    func `a push to a git server outside of the cluster ends in a pod with the new image`(way: String) throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        let output = try Shell.run(
            [root + "/scripts/try-install.sh", way],
            environment: [
                "KUBECONFIG": NodeCluster.environment["SLIPWAY_NODE"] ?? "", "SLIPWAY_BINARY": try Loop.binary,
                "NAMESPACE": "slipway-\(way)-\(UUID().uuidString.prefix(6).lowercased())",
            ])
        print(output.stdout)
        #expect(output.stdout.hasSuffix("install: done\n"))
        #expect(output.stdout.contains("install: version 3 answers"))
    }
}
