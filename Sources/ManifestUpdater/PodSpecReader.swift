package import Diagnostics
package import YAML

/// A pod template of a manifest as plain values.
package struct PodSpec: Sendable, Equatable {
    package var workload: WorkloadID
    package var documentIndex: Int
    /// Where the object starts.
    package var location: SourceLocation
    /// Of the workload itself.
    package var annotations: [String: String]
    /// Of the pod template; for a Pod the same as `annotations`.
    package var podAnnotations: [String: String]
    package var initContainers: [PodContainer]
    package var containers: [PodContainer]
    package var volumes: [PodVolume]
}

package struct PodContainer: Sendable, Equatable {
    package var name: String
    package var image: String
    package var command: [String]
    package var args: [String]
    package var environment: [EnvironmentVariable]
    package var workingDirectory: String?
    package var volumeMounts: [VolumeMount]
    package var location: SourceLocation

    package struct EnvironmentVariable: Sendable, Equatable {
        package var name: String
        /// `nil` for `valueFrom`.
        package var value: String?
    }

    package struct VolumeMount: Sendable, Equatable {
        package var name: String
        package var mountPath: String
        package var subPath: String?
    }
}

package struct PodVolume: Sendable, Equatable {
    package var name: String
    /// The key that says what it is: `emptyDir`, `secret`, `configMap`, `hostPath`, `persistentVolumeClaim`, `gitRepo`
    /// …; empty when nothing says it.
    package var kind: String
    /// `gitRepo` volumes: what is checked out, at which revision, into which directory of the volume.
    package var gitRepository: String?
    package var gitRevision: String?
    package var gitDirectory: String?
}

/// Reads every pod template of a file, in all kinds that have one, also in lists and several documents.
package enum PodSpecReader {
    /// - Throws: `YAMLError` when the file is not YAML. Parts that are not shaped as Kubernetes wants them read as
    /// absent.
    package static func pods(in bytes: [UInt8], file: String) throws(YAMLError) -> [PodSpec] {
        let documents = try YAMLStream.parse(bytes, file: file)
        let reader = Reader(file: file, lines: LineIndex(bytes))
        return documents.flatMap { document in
            (document.root.map(Manifest.all) ?? []).compactMap { reader.pod($0, document: document.index) }
        }
    }

    private struct Reader {
        let file: String
        let lines: LineIndex

        func pod(_ manifest: Manifest, document: Int) -> PodSpec? {
            guard let template = manifest.podTemplate, let spec = template["spec"] else { return nil }
            return PodSpec(
                workload: manifest.id, documentIndex: document, location: location(manifest.node),
                annotations: manifest.annotations,
                podAnnotations: Manifest.texts(template["metadata"]?["annotations"]),
                initContainers: (spec["initContainers"]?.items ?? []).map(container),
                containers: (spec["containers"]?.items ?? []).map(container),
                volumes: (spec["volumes"]?.items ?? []).map(volume))
        }

        private func location(_ node: YAMLNode) -> SourceLocation {
            lines.location(of: node.range.lowerBound, in: file)
        }

        private func container(_ node: YAMLNode) -> PodContainer {
            PodContainer(
                name: text(node["name"]) ?? "", image: text(node["image"]) ?? "", command: texts(node["command"]),
                args: texts(node["args"]),
                environment: (node["env"]?.items ?? []).compactMap { item in
                    text(item["name"]).map { .init(name: $0, value: text(item["value"])) }
                },
                workingDirectory: text(node["workingDir"]),
                volumeMounts: (node["volumeMounts"]?.items ?? []).compactMap { item in
                    guard let name = text(item["name"]), let path = text(item["mountPath"]) else { return nil }
                    return .init(name: name, mountPath: path, subPath: text(item["subPath"]))
                },
                location: location(node))
        }

        private func volume(_ node: YAMLNode) -> PodVolume {
            let git = node["gitRepo"]
            return PodVolume(
                name: text(node["name"]) ?? "",
                kind: node.mergedPairs.compactMap(\.key.text).first { $0 != "name" } ?? "",
                gitRepository: text(git?["repository"]), gitRevision: text(git?["revision"]),
                gitDirectory: text(git?["directory"]))
        }

        private func text(_ node: YAMLNode?) -> String? {
            guard let node, !node.isNull else { return nil }
            return node.text
        }

        private func texts(_ node: YAMLNode?) -> [String] {
            (node?.items ?? []).compactMap { text($0) }
        }
    }
}
