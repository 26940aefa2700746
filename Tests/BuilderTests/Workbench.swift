import Builder
import Foundation
import OCI
import Registry
import Sandbox
import Synchronization
import TestSupport

/// A builder with a busybox base, a context and a layout to push to, all in one temporary directory.
final class Workbench: Sendable {
    let directory: TemporaryDirectory
    let registry: RegistryAccess
    let report: IsolationReport
    /// The base image's name.
    let base: String
    static let createdAt: Int64 = 1_600_000_000

    /// - Parameters:
    ///   - ownsBase: the base image is in the directory `base`, for tests that change it.
    ///   - isFast: for tests with very many builds.
    init(onBuild: [String] = [], ownsBase: Bool = false, isFast: Bool = false) async throws {
        // The suites that run once more for another user have shown elsewhere what they do on a disk.
        let isInMemory = isFast || SubordinateStepTests.isInside
        directory = try TemporaryDirectory("builder", in: isInMemory ? TemporaryDirectory.fastParent : "/tmp")
        registry = RegistryAccess()
        let machine = try await Machine.shared.value
        base =
            onBuild.isEmpty && !ownsBase
            ? machine.base : try ImageFixtures.busybox(at: directory.file("base"), onBuild: onBuild)
        report = machine.report
        try FileManager.default.createDirectory(atPath: directory.file("context"), withIntermediateDirectories: true)
    }

    /// Puts a file into the context.
    func write(_ path: String, _ text: String = "", mode: Int = 0o644) throws {
        let file = directory.file("context/\(path)")
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    }

    func link(_ path: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: directory.file("context/\(path)"), withDestinationPath: target)
    }

    func request(_ dockerfile: String) throws -> BuildRequest {
        var request = BuildRequest(
            context: try DirectoryContext(path: directory.file("context")),
            dockerfile: .bytes(Array(dockerfile.utf8), name: "Dockerfile"), createdAt: Self.createdAt)
        // So that images of equal content can be told by their digests.
        request.isReproducible = true
        request.namedContexts["busybox"] = .image(try ImageLocation(base))
        return request
    }

    func builder(state: String = "state", mode: BuildMode? = nil) throws -> Builder {
        guard let mode else {
            return try Builder(stateDirectory: directory.file(state), registry: registry, report: report)
        }
        guard let report = mode.report(of: report) else { throw TestSupportError("no \(mode.rawValue) here") }
        let root = directory.file("throw-away")
        if mode == .inPlace {
            try FileManager.default.createDirectory(atPath: root + "/usr/lib", withIntermediateDirectories: true)
            try Data("of the pod".utf8).write(to: URL(fileURLWithPath: root + "/usr/lib/pod"))
        }
        return try Builder(
            stateDirectory: self.state(mode, state), registry: registry, report: report, inPlaceRoot: root)
    }

    /// Owners that are written down and owners that are real do not go into one store.
    func state(_ mode: BuildMode, _ name: String = "state") -> String {
        directory.file(mode == .ordinaryUser ? name + ".ordinary" : name)
    }

    /// Builds, pushes to a layout under a tag, and gives both.
    func build(
        _ dockerfile: String, mode: BuildMode? = nil, state: String = "state", tag: String = "out",
        adjust: (inout BuildRequest) throws -> Void = { _ in }
    ) async throws -> Result {
        var request = try request(dockerfile)
        request.isolation = mode?.isolation
        // Who asks for a mode wants to see it work, not what another mode made before.
        request.noCache = mode != nil
        try adjust(&request)
        let builder = try builder(state: state, mode: mode)
        let log = EventLog()
        let image = try await builder.build(request) { log.append($0) }
        let location = try ImageLocation("oci:\(directory.file("out")):\(tag)")
        _ = try await builder.push(image, to: [location]) { log.append($0) }
        return Result(image: image, tag: tag, log: log, bench: self)
    }

    /// Whether files can be given to other owners in RUN steps: by root, or by the emulation of it.
    var hasOwners: Bool { !modes.isEmpty }

    /// The modes that this machine has; says which it has not.
    var modes: [BuildMode] {
        let wanted = ProcessInfo.processInfo.environment["SLIPWAY_MODES"]?.split(separator: ",").map(String.init)
        return BuildMode.allCases.filter { mode in
            if let wanted, !wanted.contains(mode.rawValue) { return false }
            let isThere = mode.report(of: report) != nil
            if !isThere { print("not tested: \(mode.rawValue), which this machine or user has not got") }
            return isThere
        }
    }

    struct Result {
        let image: BuiltImage
        let tag: String
        let log: EventLog
        let bench: Workbench

        /// The image's files, one line each: type, mode, owner, link target.
        func tree() throws -> [String: String] {
            var listing = TarListing()
            for layer in image.layers {
                try listing.add(layer: bench.directory.file("out/blobs/sha256/\(layer.descriptor.digest.encoded)"))
            }
            return listing.files
        }

        /// The image as umoci unpacks it.
        func unpack() throws -> String {
            let target = bench.directory.file("unpacked-\(tag)")
            if !FileManager.default.fileExists(atPath: target) {
                let rootless = geteuid() == 0 ? [] : ["--rootless"]
                try Shell.run(
                    ["umoci", "raw", "unpack"] + rootless + [
                        "--image", "\(bench.directory.file("out")):\(tag)", target,
                    ])
            }
            return target
        }

        func text(_ path: String) throws -> String {
            try String(contentsOfFile: unpack() + "/" + path, encoding: .utf8)
        }

        func exists(_ path: String) throws -> Bool {
            try Shell.run(["test", "-e", unpack() + "/" + path], allowFailure: true).status == 0
        }

        /// The names in a layer, counted from the image's first.
        func names(inLayer index: Int) throws -> [String] {
            let blob = bench.directory.file("out/blobs/sha256/\(image.layers[index].descriptor.digest.encoded)")
            return try Shell.run(["tar", "-tzf", blob]).stdout.split(separator: "\n").map(String.init)
        }
    }
}

/// What is the same for all tests: the plain base image, and what the machine allows.
private struct Machine: Sendable {
    let directory: TemporaryDirectory
    let base: String
    let report: IsolationReport

    private static let path = Mutex("")
    static let shared = Task {
        let directory = try TemporaryDirectory("machine")
        path.withLock { $0 = directory.path }
        atexit { try? FileManager.default.removeItem(atPath: Machine.path.withLock { $0 }) }
        return Machine(
            directory: directory, base: try ImageFixtures.busybox(at: directory.file("base")),
            report: await SandboxProbe.probe(stateDirectory: directory.file("probe")))
    }
}

final class EventLog: Sendable {
    private let events = Mutex<[BuildEvent]>([])

    func append(_ event: BuildEvent) {
        if case .inStage(_, let inner) = event { return append(inner) }
        events.withLock { $0.append(event) }
    }

    var all: [BuildEvent] { events.withLock { $0 } }

    var output: String {
        all.reduce(into: "") { text, event in
            if case .stepOutput(_, let bytes) = event { text += String(decoding: bytes, as: UTF8.self) }
        }
    }
}
