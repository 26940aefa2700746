import Diagnostics
import YAML

/// A container of a workload with what the annotations say of it, for lists.
package struct WorkloadContainer: Sendable, Equatable {
    package var workload: WorkloadID
    package var container: String
    /// The whole image as written.
    package var image: WrittenReference
    package var file: String
    package var line: Int
    /// `automated`, `ignore`, `locked`, sorted.
    package var policies: [String]
    /// The tag filter as written.
    package var filter: String?
    package var held: HoldReason?
}

extension ManifestScan {
    package static func holds(_ word: String, in bytes: [UInt8]) -> Bool { contains(bytes, word) }

    /// Every container of every workload, annotated or not. What cannot be read is skipped with a reason.
    ///
    /// - Parameter rules: where custom resources have their images.
    package static func containers(
        file: String, bytes: [UInt8], rules: [ImagePathRule] = []
    ) -> ([WorkloadContainer], [ManifestSkip]) {
        guard contains(bytes, "kind"),
            contains(bytes, "image") || rules.contains(where: { contains(bytes, $0.kind) })
        else { return ([], []) }
        let documents: [YAMLDocument]
        do {
            documents = try YAMLStream.parse(bytes, file: file)
        } catch {
            return ([], [ManifestSkip(file: file, line: error.location?.line, reason: error.summary)])
        }
        let lines = LineIndex(bytes)
        var found: [WorkloadContainer] = []
        for document in documents {
            for manifest in document.root.map(Manifest.all) ?? [] {
                var scanner = Scanner(file: file, bytes: bytes, lines: lines)
                scanner.rules = rules
                scanner.listsAll = true
                scanner.scan(manifest, document: document.index)
                let policies = FluxPolicies(annotations: manifest.annotations).names
                for target in scanner.finished().targets {
                    found.append(
                        WorkloadContainer(
                            workload: target.workload, container: target.container, image: target.image, file: file,
                            line: target.location.line, policies: policies, filter: target.policy, held: target.held))
                }
            }
        }
        return (found, [])
    }
}
