import Foundation
import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct ApplyReaderTests {
    private static func read(_ apply: String, cluster: String = "{}") throws -> AgentConfiguration {
        let folder = try TemporaryDirectory("configuration")
        let text = """
            stateDirectory: /tmp/state
            cluster: \(cluster)
            repositories:
              - url: https://git.example.com/acme/shop
                apply: \(apply)
            """
        try text.write(toFile: folder.file("agent.yaml"), atomically: true, encoding: .utf8)
        return try ConfigurationFile.read(folder.file("agent.yaml"))
    }

    @Test func `all keys`() throws {
        let configuration = try Self.read(
            "{paths: [./deploy/, 'a/b.yaml'], namespace: shop, prune: false, wait: false, timeout: 90s, serviceAccount: ops/x}",
            cluster: "{kubeconfig: /etc/kubeconfig, context: prod}")
        var expected = AgentConfiguration.ApplySettings(paths: ["deploy", "a/b.yaml"])
        expected.namespace = "shop"
        expected.prunes = false
        expected.waits = false
        expected.timeout = .seconds(90)
        expected.serviceAccount = "ops/x"
        #expect(configuration.repositories.first?.apply == expected)
        #expect(configuration.cluster.kubeconfig == "/etc/kubeconfig")
        #expect(configuration.cluster.context == "prod")
        #expect(
            try Self.read("{paths: ['.']}").repositories.first?.apply == AgentConfiguration.ApplySettings(paths: [""]))
    }

    @Test(arguments: [
        ("{}", "'paths' is missing"), ("{paths: []}", "there are no paths"), ("{paths: [../x]}", "leads out"),
        ("{paths: [/x]}", "leads out"), ("{paths: [x], serviceAccount: a/b/c}", "is not a service account"),
        ("{paths: [x], serviceAccount: /b}", "is not a service account"), ("{paths: [x], namspace: a}", "namspace"),
    ])
    func `what cannot be is refused with its place`(_ apply: String, _ reason: String) throws {
        let error = #expect(throws: (any Error).self) { _ = try Self.read(apply) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(reason))
    }

    @Test(
        arguments: [
            ("{}", nil, true), ("{events: true}", true, true), ("{events: false}", false, false),
            ("{events: false, kubeconfig: /etc/kubeconfig}", false, true),
            ("{events: false, builds: {image: 'r.io/slipway:1'}}", false, true),
        ] as [(String, Bool?, Bool)])
    func `turning Events off gives the pages no cluster to look at`(
        cluster: String, events: Bool?, isObserved: Bool
    ) throws {
        let text = "repositories: [{url: 'https://git.example/a.git', branch: main}]\ncluster: \(cluster)\n"
        let configuration = try ConfigurationFile.parse(Array(text.utf8), file: "agent.yaml")
        #expect(configuration.cluster.events == events)
        #expect((configuration.observedCluster != nil) == isObserved)
    }

    @Test func `a context needs a kubeconfig`() throws {
        #expect(throws: (any Error).self) { _ = try Self.read("{paths: [x]}", cluster: "{context: prod}") }
    }

    @Test func `inventories of different entries have different names that Kubernetes takes`() {
        let names = ["shop", "Shop", "shop.api", "shop_api", "shop-api", String(repeating: "x", count: 300)]
        let made = names.map(ManifestApplication.inventoryName)
        #expect(Set(made).count == names.count)
        #expect(made.first == "slipway-inventory-shop")
        for name in made {
            #expect(name.utf8.count <= 253)
            #expect(name.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d })
        }
    }
}
