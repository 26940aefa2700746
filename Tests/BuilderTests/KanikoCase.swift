import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// A Dockerfile that kaniko or one of its peers builds wrongly or not at all (or that all build), and what must come out.
struct KanikoCase: Sendable, CustomTestStringConvertible {
    enum Expectation: Sendable {
        /// `ImageFile.description` of a path; `nil`: it is not there.
        case file(String, String?)
        case text(String, String)
        /// The image's `config` object holds this value (JSON) at a key; `null` for absence.
        case config(String, String)
        case check(@Sendable (KanikoImage) throws -> Void)
        /// The build is refused, with this in its message.
        case fails(String)
    }

    struct File: Sendable {
        var path: String
        var text = ""
        var mode = 0o644
        var link: String?
        /// Another owner than root, where the tests run as root.
        var owner: UInt32?
        var modified: Int?

        static func file(_ path: String, _ text: String = "", mode: Int = 0o644) -> File {
            File(path: path, text: text, mode: mode)
        }
        static func link(_ path: String, _ target: String) -> File { File(path: path, link: target) }
    }

    let name: String
    var files: [File] = []
    let dockerfile: String
    /// Images that the Dockerfile knows by a name, by their layers.
    var images: [String: [[TarItem]]] = [:]
    /// What is put into the context by hand.
    var prepare: @Sendable (String) throws -> Void = { _ in }
    var adjust: @Sendable (inout BuildRequest) throws -> Void = { _ in }
    /// A step gives files away or makes devices.
    var needsOwners = false
    var modes = Set(BuildMode.allCases)
    /// Built in the first mode, and in one of the others by turns: for rows that ask little of the isolation.
    var isSpread = false
    /// The modes in which something is still missing.
    var missing: Set<BuildMode> = []
    let expects: [Expectation]

    var testDescription: String { name }
}

/// A built image with its files.
struct KanikoImage {
    let tree: ImageTree
    /// The `config` object of its configuration.
    let config: [String: Any]
    let configuration: [String: Any]
    let output: String
    let layerCount: Int

    var history: [[String: Any]] { configuration["history"] as? [[String: Any]] ?? [] }

    func own(of base: ImageTree) -> Set<String> { Set(tree.files.keys).subtracting(base.files.keys) }
}

extension KanikoCase {
    /// Builds and compares, once in each mode that the machine has.
    func run() async throws {
        let bench = try await Workbench()
        if needsOwners && !bench.hasOwners { return }
        var wanted = bench.modes.filter(modes.contains)
        // Without a step there is nothing to isolate.
        if !dockerfile.uppercased().contains("RUN") { wanted = Array(wanted.prefix(1)) }
        if isSpread, let first = wanted.first {
            let others = wanted.dropFirst()
            let turn = name.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff }
            wanted = [first] + (others.isEmpty ? [] : [others[others.startIndex + turn % others.count]])
        }
        if wanted.isEmpty { return print("skipped \(name): this machine has none of its isolation modes") }
        try prepareContext(of: bench)
        for mode in wanted {
            guard missing.contains(mode) else {
                try await build(bench, mode)
                continue
            }
            await withKnownIssue("\(name) is not there yet in the mode \(mode)") { try await build(bench, mode) }
        }
    }

    private static func canonical(_ value: Any) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: [value], options: .sortedKeys), as: UTF8.self)
    }

    private func prepareContext(of bench: Workbench) throws {
        for file in files {
            let path = bench.directory.file("context/\(file.path)")
            if let link = file.link {
                try bench.link(file.path, to: link)
                continue
            }
            try bench.write(file.path, file.text, mode: file.mode)
            if let owner = file.owner, geteuid() == 0 { chown(path, owner, owner) }
            if let modified = file.modified {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSince1970: Double(modified))], ofItemAtPath: path)
            }
        }
        try prepare(bench.directory.file("context"))
    }

    private func build(_ bench: Workbench, _ mode: BuildMode) async throws {
        var contexts: [String: NamedContext] = [:]
        for (name, layers) in images { contexts[name] = .image(try ImageLocation(try bench.image(name, layers))) }
        let refusals = expects.compactMap { if case .fails(let text) = $0 { text } else { nil } }
        let result: Workbench.Result
        do {
            result = try await bench.build(dockerfile, mode: mode, tag: mode.rawValue) { request in
                request.namedContexts.merge(contexts) { _, new in new }
                try adjust(&request)
            }
        } catch let error as BuildError {
            if refusals.isEmpty { Issue.record("\(mode): refused: \(error)") }
            for text in refusals { #expect("\(error)".contains(text), "\(mode): \(error)") }
            return
        }
        guard refusals.isEmpty else {
            Issue.record("\(mode): built, where it must fail with '\(refusals[0])'")
            return
        }
        let image = try result.read()
        #expect(image.tree.faults == [], "\(mode)")
        for expectation in expects {
            switch expectation {
            case .file(let path, let expected): #expect(image.tree[path]?.description == expected, "\(mode): \(path)")
            case .text(let path, let expected): #expect(image.tree[path]?.text == expected, "\(mode): \(path)")
            case .config(let key, let json):
                let wanted = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
                let found = image.config[key] ?? NSNull()
                #expect(try Self.canonical(found) == Self.canonical(wanted), "\(mode): \(key)")
            case .check(let check): try check(image)
            case .fails: break
            }
        }
    }
}

extension Workbench {
    /// An image of layers that a test writes down, under a name.
    func image(_ name: String, _ layers: [[TarItem]], config: [String: Any] = [:]) throws -> String {
        let folder = directory.file("images")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let paths = try layers.enumerated().map { index, items in
            let path = "\(folder)/\(name)-\(index).tar"
            try Data(TarItem.archive(items)).write(to: URL(fileURLWithPath: path))
            return path
        }
        return try ImageFixtures.image(at: "\(folder)/layout", tag: name, layerTars: paths, config: config)
    }
}

extension Workbench.Result {
    /// The image as this module's own reader sees it.
    func read() throws -> KanikoImage {
        let blobs = image.layers.map { bench.directory.file("out/blobs/sha256/\($0.descriptor.digest.encoded)") }
        let configuration = try #require(
            try JSONSerialization.jsonObject(with: Data(image.configBytes)) as? [String: Any])
        return KanikoImage(
            tree: try ImageTree(blobs: blobs, foreign: image.layers.count { $0.origin != .built }),
            config: configuration["config"] as? [String: Any] ?? [:],
            configuration: configuration, output: log.output, layerCount: image.layers.count)
    }
}
