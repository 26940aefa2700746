import Builder
import Foundation
import OCI
import Registry
import TestSupport
import Testing

@Suite(.tags(.integration), .thorough) struct PushTests {
    private func access(_ server: RegistryServer) -> RegistryAccess {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        return RegistryAccess(configuration: configuration, keychain: .empty)
    }

    /// A large layer is a gzip stream of several members.
    @Test func otherToolsReadLargeLayers() async throws {
        let bench = try await Workbench()
        let file = bench.directory.file("context/big")
        try Shell.run(["sh", "-c", "seq 1000000 > \(file)"])
        let result = try await bench.build("FROM busybox\nCOPY big /big\n")
        try Shell.run(["cmp", file, result.unpack() + "/big"])
        let archive = bench.directory.file("archive.tar")
        try Shell.run([
            "skopeo", "copy", "--insecure-policy", "oci:\(bench.directory.file("out")):out",
            "docker-archive:\(archive):x:y",
        ])
        let diffID = try #require(result.image.layers.last?.diffID)
        let names = try Shell.run(["tar", "-tf", archive]).stdout
        #expect(names.contains("\(diffID.encoded).tar"))
        try Shell.run([
            "sh", "-c", "tar -xOf \(archive) \(diffID.encoded).tar | tar -xOf - big | cmp - \(file)",
        ])
    }

    @Test func pushesToARegistryAndALayoutUnderSeveralNames() async throws {
        let bench = try await Workbench()
        let server = try await RegistryServer(directory: bench.directory.file("registry"))
        let builder = try Builder(
            stateDirectory: bench.directory.file("state"), registry: access(server), report: bench.report)
        try bench.write("f", "x")
        let image = try await builder.build(bench.request("FROM busybox\nCOPY f /f\n")) { _ in }
        let log = EventLog()
        let names = [
            "\(server.host)/team/app:1", "\(server.host)/team/app:latest", "oci:\(bench.directory.file("out")):v",
        ]
        let report = try await builder.push(image, to: names.map { try ImageLocation($0) }) { log.append($0) }
        #expect(report.destinations.count == 2)
        #expect(report.destinations[0].uploaded > 0)
        for name in names.prefix(2) {
            let seen = try Shell.run(["skopeo", "inspect", "--tls-verify=false", "docker://\(name)"]).stdout
            #expect(seen.contains(image.manifestDigest.description))
        }
        // Manifests come after all blobs, in both places.
        let order = log.all.map { event in if case .manifestPushed = event { true } else { false } }
        #expect(order.drop { !$0 }.allSatisfy { $0 })
        #expect(order.filter { $0 }.count == 3)

        // A base in the same registry is mounted, not sent again.
        let next = try await builder.build(
            bench.request("FROM \(server.host)/team/app:1\nLABEL a=b\n")
        ) { _ in }
        #expect(next.base?.name == "\(server.host)/team/app:1")
        let second = try await builder.push(next, to: [try ImageLocation("\(server.host)/team/other:1")]) { _ in }
        #expect(second.destinations[0].mounted == 2)

        let renamed = try await builder.stored(
            image.manifestDigest, in: try RepositoryLocation("\(server.host)/team/app"), annotations: ["k": "v"])
        let name = try ImageLocation("\(server.host)/team/app:2")
        try await builder.upload(renamed, to: [name])
        #expect(try await builder.claim(name, for: renamed.manifest) { _ in true } == .given)
        let raw = try Shell.run(
            ["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(server.host)/team/app:2"]).stdout
        #expect(raw.contains(#""k":"v""#))
        #expect(renamed.manifest.digest != image.manifestDigest)
    }

    /// Names of `slipway build` are the user's: whatever a push left is completed by the same one again.
    @Test func `a push that was cut off anywhere is completed by the next`() async throws {
        let bench = try await Workbench()
        let server = try await RegistryServer(directory: bench.directory.file("registry"))
        let proxy = try FaultProxy(before: server.port)
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [proxy.host]
        configuration.retry.attempts = 1
        let builder = try Builder(
            stateDirectory: bench.directory.file("state"),
            registry: RegistryAccess(configuration: configuration, keychain: .empty), report: bench.report)
        try bench.write("f", "x")
        let image = try await builder.build(bench.request("FROM scratch\nCOPY f /f\n")) { _ in }
        // docker-registry answers 500 for a moment to who asks for what a push that was cut off still writes.
        configuration.retry = RegistryConfiguration().retry
        let next = try Builder(
            stateDirectory: bench.directory.file("state"),
            registry: RegistryAccess(configuration: configuration, keychain: .empty), report: bench.report)
        let direct = access(server)
        func names(_ number: Int) throws -> [ImageLocation] {
            try ["one\(number):v1", "one\(number):latest", "two\(number):v1", "two\(number):stable"].map {
                try ImageLocation("\(proxy.host)/\($0)")
            }
        }
        proxy.spoil(0, with: .failing)
        _ = try await builder.push(image, to: names(0)) { _ in }
        let requests = proxy.count
        for number in 1...requests {
            proxy.spoil(number, with: number.isMultiple(of: 2) ? .failing : .answerLost)
            // A question that fails costs nothing but a request.
            _ = try? await builder.push(image, to: names(number)) { _ in }
            proxy.spoil(0, with: .failing)
            _ = try await next.push(image, to: names(number)) { _ in }
            for name in try names(number) {
                guard case .registry(_, let path) = name.repository, let tag = name.tag else { continue }
                let repository = try direct.repository(.registry(host: server.host, path: path))
                #expect(try await repository.digest(ofTag: tag) == image.manifestDigest, "\(number): \(name)")
            }
        }
    }

    @Test func aFailedPushNamesTheRegistry() async throws {
        let bench = try await Workbench()
        var configuration = RegistryConfiguration()
        configuration.retry.attempts = 1
        let builder = try Builder(
            stateDirectory: bench.directory.file("state"),
            registry: RegistryAccess(configuration: configuration, keychain: .empty), report: bench.report)
        let image = try await builder.build(bench.request("FROM scratch\nLABEL a=b\n")) { _ in }
        let port = try Server.freePort()
        let error = await #expect(throws: BuildError.self) {
            try await builder.push(image, to: [try ImageLocation("127.0.0.1:\(port)/x:1")]) { _ in }
        }
        #expect(error?.code == .registry)
        #expect(error?.summary.contains("127.0.0.1:\(port)/x:1") == true)
    }

    @Test func writesDockersMediaTypes() async throws {
        let bench = try await Workbench()
        try bench.write("f", "x")
        let result = try await bench.build("FROM busybox\nCOPY f /\n") { $0.format = .docker }
        #expect(result.image.manifest.mediaType == .dockerManifest)
        #expect(result.image.manifest.config.mediaType == .dockerConfig)
        #expect(result.image.manifest.layers.map(\.mediaType) == [.dockerLayerGzip, .dockerLayerGzip])
    }
}
