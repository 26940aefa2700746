import Builder
import Foundation
import OCI
import Registry
import TestSupport

/// A workbench before a registry that writes down what it is asked; `busybox` is there as `base:1`.
struct CacheBench {
    let bench: Workbench
    let server: RegistryServer
    let proxy: FaultProxy
    let access: RegistryAccess

    /// - Parameter stallTimeout: seconds after which a transfer without progress is given up.
    init(stallTimeout: Int? = nil) async throws {
        bench = try await Workbench()
        server = try await RegistryServer(directory: bench.directory.file("registry"))
        proxy = try FaultProxy(before: server.port)
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [proxy.host, server.host]
        configuration.retry.attempts = 2
        if let stallTimeout { configuration.stallTimeout = stallTimeout }
        access = RegistryAccess(configuration: configuration, keychain: .empty)
        try Shell.run([
            "skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", bench.base,
            "docker://\(server.host)/base:1",
        ])
        try bench.write("a", "a")
        try bench.write("b", "b")
    }

    var base: String { "\(proxy.host)/base:1" }

    struct Result {
        let image: BuiltImage
        let log: EventLog
        /// What the registry was asked meanwhile.
        let requests: [StubRequest]

        /// One letter a step with a layer: `c` from the cache, `w` written.
        var trace: String {
            log.all.reduce(into: "") { trace, event in
                switch event {
                case .stepCached: trace += "c"
                case .layerWritten: trace += "w"
                default: break
                }
            }
        }

        var notes: [String] { log.all.compactMap { if case .note(let text) = $0 { text } else { nil } } }
        var reasons: [String] { image.steps.compactMap(\.reason) }

        /// Layers that were downloaded, of those given.
        func downloads(of layers: [BuiltImage.Layer]) -> Int {
            requests.count { request in
                request.method == "GET" && layers.contains { request.path.hasSuffix("/blobs/\($0.descriptor.digest)") }
            }
        }

        var uploads: Int { requests.count { $0.method == "PUT" && $0.target.contains("digest=") } }
    }

    func cache(_ repository: String? = nil, adjust: (inout RemoteCache) -> Void = { _ in }) throws -> RemoteCache {
        var cache = RemoteCache(
            repository: try RepositoryLocation(repository ?? "\(proxy.host)/app/cache"), now: 1_700_000_000)
        adjust(&cache)
        return cache
    }

    func build(
        _ dockerfile: String, state: String, to name: String? = "app:1",
        adjust: (inout BuildRequest) throws -> Void = { _ in }
    ) async throws -> Result {
        var request = try bench.request(dockerfile)
        let before = proxy.requests.count
        let locations = try [name].compactMap { $0 }.map { try ImageLocation("\(proxy.host)/\($0)") }
        request.uploads = locations
        try adjust(&request)
        let builder = try Builder(
            stateDirectory: bench.directory.file(state), registry: access, report: bench.report)
        let log = EventLog()
        let image = try await builder.build(request) { log.append($0) }
        _ = try await builder.push(image, to: locations) { log.append($0) }
        return Result(image: image, log: log, requests: Array(proxy.requests[before...]))
    }

    /// The directories of layers in a state directory.
    func directories(_ state: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("\(state)/layers"))
            .filter { !$0.hasSuffix(".lock") }
    }

    func blobs(_ state: String) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: bench.directory.file("\(state)/content/blobs/sha256")))?
            .count ?? 0
    }
}
