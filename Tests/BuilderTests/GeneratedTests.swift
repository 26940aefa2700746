import Builder
import Foundation
import OCI
import Sandbox
import Synchronization
import TestSupport
import Testing

/// Dockerfiles made from numbers, against a model of what they mean: file tree with modes, owners, links, attributes,
/// configuration, history. `SLIPWAY_SEEDS=17` runs one, `SLIPWAY_SEEDS=1000-1999` others than the usual ones.
@Suite("Generated Dockerfiles", .tags(.integration), .thorough) struct GeneratedTests {
    static let seeds: ClosedRange<Int> = {
        let text = ProcessInfo.processInfo.environment["SLIPWAY_SEEDS"] ?? ""
        let bounds = text.split(separator: "-").compactMap { Int($0) }
        return bounds.isEmpty ? 1...320 : bounds[0]...max(bounds[0], bounds[bounds.count - 1])
    }()

    @Test("come out as the model says", arguments: BuildMode.allCases)
    func all(_ mode: BuildMode) async throws {
        let bench = try await Workbench(isFast: true)
        guard bench.modes.contains(mode) else { return print("skipped: this machine has no isolation by \(mode)") }
        let base = ModelTree(try ImageTree(blobs: try bench.baseLayers()))
        let extraImage = try bench.image("extra", [Self.extra], config: [:])
        let extra = ModelTree(try ImageTree(blobs: [bench.directory.file("images/extra-0.tar")]))
        var failures = 0
        for seed in Self.seeds {
            let generated = GeneratedDockerfile(seed: seed, base: base, extra: extra, hasOwners: bench.hasOwners)
            let difference = await Self.difference(generated, bench, mode, extraImage)
            guard !difference.isEmpty else { continue }
            failures += 1
            Issue.record("seed \(seed), \(mode):\n\(difference.prefix(12).joined(separator: "\n"))\n\(generated.text)")
            if failures == 10 { break }
        }
        // Inside of a test's user namespace others, crun for one, want more of the machine than there is.
        let isRead = failures == 0 && mode == bench.modes.first && !SubordinateStepTests.isInside
        if isRead { try Self.readByOthers(bench, Array(Self.seeds)) }
    }

    /// The same images as other tools see them.
    private static func readByOthers(_ bench: Workbench, _ seeds: [Int]) throws {
        let missing = ["skopeo", "buildah", "umoci", "crun"].filter {
            (try? Shell.run(["sh", "-c", "command -v \($0)"]))?.status != 0
        }
        guard missing.isEmpty else { return print("skipped: \(missing) are not installed") }
        var images = GeneratedImages(layout: bench.directory.file("out"), directory: bench.directory.file("read"))
        if seeds.count < 100 { images.stride = 1 }
        let (problems, counts) = try images.read(seeds.map { "g\($0)" })
        #expect(problems.isEmpty, "\(problems.prefix(10).joined(separator: "\n"))")
        #expect(counts["skopeo"] == seeds.count)
        #expect(counts["buildah"] == counts["umoci"] && counts["umoci"] ?? 0 >= seeds.count / images.stride)
        if geteuid() == 0 { #expect(counts["crun"] ?? 0 > 0) }
        print("read by others: \(counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })")
    }

    private static let extra: [TarItem] = [
        .directory("x", mode: 0o711), TarItem.file("x/f", "f", mode: 0o4755).owned(9, 10),
        // As tar writes it: the header of a further name repeats the file's.
        TarItem.hardLink("x/g", "x/f").owned(9, 10).with { $0.mode = 0o4755 },
        .symlink("x/l", "f"), TarItem.directory("x/s", mode: 0o1775).owned(3, 4),
        TarItem.file("x/s/t", "tagged").with { $0.attributes = [("user.note", [1, 0, 255])] },
    ]

    private static func difference(
        _ generated: GeneratedDockerfile, _ bench: Workbench, _ mode: BuildMode, _ extra: String
    ) async -> [String] {
        do {
            let context = bench.directory.file("context-\(generated.ignore)")
            try prepare(context, ModelContext.tree(0), ModelContext.ignores[generated.ignore].text)
            let result = try await bench.build(generated.text, mode: mode, tag: "g\(generated.seed)") {
                $0.context = try DirectoryContext(path: context)
                $0.namedContexts["extra"] = .image(try ImageLocation(extra))
                $0.buildArguments = generated.buildArguments
            }
            let image = try result.read()
            return image.tree.faults + trees(image.tree, generated.expected.tree)
                + configurations(image, generated.expected)
        } catch {
            return ["refused: \(error)"]
        }
    }

    private static func prepare(_ path: String, _ tree: ModelTree, _ ignore: String?) throws {
        let files = FileManager.default
        if files.fileExists(atPath: path) { return }
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, file) in tree.files.sorted(by: { $0.key < $1.key }) {
            let place = "\(path)/\(name)"
            switch file.type {
            case "d": try files.createDirectory(atPath: place, withIntermediateDirectories: true)
            case "l":
                try files.createSymbolicLink(atPath: place, withDestinationPath: file.link)
                continue
            default: try Data(file.content).write(to: URL(fileURLWithPath: place))
            }
            try files.setAttributes([.posixPermissions: file.mode], ofItemAtPath: place)
        }
        if let ignore { try Data(ignore.utf8).write(to: URL(fileURLWithPath: path + "/.dockerignore")) }
    }

    private static func trees(_ found: ImageTree, _ expected: ModelTree) -> [String] {
        var lines: [String] = []
        // The names of a file, by what all of them share.
        let links = Dictionary(grouping: found.files.keys) { found.files[$0]?.identity ?? 0 }.mapValues { $0.sorted() }
        for path in Set(found.files.keys).union(expected.files.keys).sorted() where !path.isEmpty {
            guard let file = found[path] else {
                lines.append("\(path): is missing, expected \(expected[path]?.description ?? "")")
                continue
            }
            guard let wanted = expected[path] else {
                lines.append("\(path): is there as \(file)")
                continue
            }
            if file.description != wanted.description || file.attributes != wanted.attributes {
                lines.append("\(path): is \(file), expected \(wanted)")
            }
            if file.content != wanted.content { lines.append("\(path): holds \(file.text.prefix(60))") }
            let names = links[file.identity] ?? []
            if file.type == "f", names != expected.names(wanted.identity) {
                lines.append("\(path): is one file with \(names), expected \(expected.names(wanted.identity))")
            }
            if file.modified > Int(Workbench.createdAt) { lines.append("\(path): has a time of today") }
        }
        return lines
    }

    private static func configurations(_ image: KanikoImage, _ stage: ModelStage) -> [String] {
        var lines: [String] = []
        func compare(_ key: String, _ wanted: Any?) {
            func text(_ value: Any?) -> String {
                guard let value, !(value is NSNull) else { return "nothing" }
                if let text = value as? String, text.isEmpty { return "nothing" }
                if let object = value as? [String: Any], object.isEmpty { return "nothing" }
                let data = try? JSONSerialization.data(withJSONObject: [value], options: [.sortedKeys])
                return String(decoding: data ?? Data(), as: UTF8.self)
            }
            let (left, right) = (text(image.config[key]), text(wanted))
            if left != right { lines.append("\(key) is \(left), expected \(right)") }
        }
        func keys(_ names: Set<String>) -> [String: [String: String]] {
            Dictionary(uniqueKeysWithValues: names.map { ($0, [:]) })
        }
        compare("Env", stage.environment.map { "\($0.name)=\($0.value)" })
        compare("Cmd", stage.command)
        compare("Entrypoint", stage.entrypoint)
        compare("User", stage.user)
        compare("Labels", stage.labels)
        compare("ExposedPorts", keys(stage.ports))
        compare("Volumes", keys(stage.volumes))
        compare("StopSignal", stage.stopSignal)
        compare("Healthcheck", stage.healthcheck)
        compare("Shell", stage.shell)
        compare("OnBuild", stage.triggers.isEmpty ? nil : stage.triggers.map(\.line))
        let directory = image.config["WorkingDir"] as? String ?? ""
        if (directory.isEmpty ? "/" : directory) != stage.directory {
            lines.append("WorkingDir is \(directory), expected \(stage.directory)")
        }
        if image.configuration["author"] as? String != stage.author { lines.append("the author is wrong") }
        let history = image.history.map { entry in
            "\(entry["created_by"] as? String ?? "")\(entry["empty_layer"] as? Bool == true ? " -" : "")"
        }
        let wanted = stage.history.map { $0.text + ($0.hasLayer ? "" : " -") }
        if history != wanted {
            for (index, pair) in zip(history, wanted).enumerated() where pair.0 != pair.1 {
                lines.append("history \(index) is \(pair.0), expected \(pair.1)")
            }
            if history.count != wanted.count {
                lines.append("history has \(history.count) entries, not \(wanted.count)")
            }
        }
        let layers = stage.history.count { $0.hasLayer }
        if image.layerCount != layers { lines.append("\(image.layerCount) layers, expected \(layers)") }
        return lines
    }
}

extension Workbench {
    /// The files of the base image's layers.
    func baseLayers() throws -> [String] {
        let path = String(
            base.dropFirst("oci:".count).prefix(upTo: base.dropFirst("oci:".count).lastIndex(of: ":") ?? base.endIndex))
        func object(_ file: String) throws -> [String: Any] {
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file))) as? [String: Any]
                ?? [:]
        }
        func blob(_ descriptor: [String: Any]) -> String {
            "\(path)/blobs/sha256/" + ((descriptor["digest"] as? String) ?? "").dropFirst("sha256:".count)
        }
        let index = try object("\(path)/index.json")
        let manifest = try object(blob((index["manifests"] as? [[String: Any]])?.first ?? [:]))
        return (manifest["layers"] as? [[String: Any]] ?? []).map(blob)
    }
}
