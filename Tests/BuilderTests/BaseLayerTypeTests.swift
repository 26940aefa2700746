import Builder
import Diagnostics
import Foundation
import OCI
import TestSupport
import Testing

/// The media types of a base image's layers.
@Suite(.tags(.integration), .thorough) struct BaseLayerTypeTests {
    /// The base with its layers called something else.
    private func base(_ bench: Workbench, type: String) throws -> String {
        let folder = bench.directory.file("base")
        func replace(_ file: String, _ change: (inout [String: Any]) -> Void) throws -> Data {
            let data = try Data(contentsOf: URL(fileURLWithPath: file))
            var object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            change(&object)
            return try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        }
        let index = try JSONDecoder().decode(
            ImageIndex.self, from: Data(contentsOf: URL(fileURLWithPath: "\(folder)/index.json")))
        let entry = try #require(index.manifests.first)
        let manifest = try replace("\(folder)/blobs/sha256/\(entry.digest.encoded)") { manifest in
            manifest["layers"] = (manifest["layers"] as? [[String: Any]])?.map { layer in
                var layer = layer
                layer["mediaType"] = type
                return layer
            }
        }
        let digest = Digest.sha256(of: Array(manifest))
        try manifest.write(to: URL(fileURLWithPath: "\(folder)/blobs/sha256/\(digest.encoded)"))
        let changed = try replace("\(folder)/index.json") { index in
            index["manifests"] = (index["manifests"] as? [[String: Any]])?.map { entry in
                var entry = entry
                entry["digest"] = digest.description
                entry["size"] = manifest.count
                return entry
            }
        }
        try changed.write(to: URL(fileURLWithPath: "\(folder)/index.json"))
        return "oci:\(folder):latest"
    }

    @Test(arguments: [
        ("application/vnd.oci.image.layer.v1.tar+gzip", true),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", true),
        // What registries need not hold, and this one does.
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", true),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", true),
        ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", false),
        ("application/vnd.oci.image.layer.v1.tar+xz", false),
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", false),
        ("application/octet-stream", false),
        ("\u{1b}[31mred", false),
    ])
    func `layers of unknown types are refused by name`(_ type: String, _ isKnown: Bool) async throws {
        let bench = try await Workbench(ownsBase: true)
        let base = try base(bench, type: type)
        // Whether its files are needed or not.
        for instruction in ["LABEL a=b", "RUN true", "COPY --from=base /etc/passwd /passwd"] {
            let text = "FROM base AS one\n\(instruction)\n"
            let name = try ImageLocation(base)
            guard !isKnown else {
                _ = try await bench.build(text) { $0.namedContexts["base"] = .image(name) }
                continue
            }
            let error = await #expect(throws: BuildError.self) {
                _ = try await bench.build(text) { $0.namedContexts["base"] = .image(name) }
            }
            let words = try #require(error).description
            #expect(error?.code == .baseImage && error?.place?.hasPrefix("Dockerfile:1") == true, "\(words)")
            #expect(words.contains(base) && !words.contains("\u{1b}"), "\(words)")
            #expect(words.contains("layer 1 of 1"), "\(words)")
            #expect(words.contains(type.replacingOccurrences(of: "\u{1b}", with: "\u{FFFD}")), "\(words)")
            #expect(error?.hint?.contains("application/vnd.oci.image.layer.v1.tar+zstd") == true, "\(words)")
        }
    }
}
