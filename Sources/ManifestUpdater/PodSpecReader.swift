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
    package var commandWords: [Word]
    package var argWords: [Word]
    package var environment: [EnvironmentVariable]
    /// Where `envFrom` takes whole ConfigMaps and Secrets from; `nil` when it takes none. Which variables these hold, only
    /// the cluster knows.
    package var environmentSource: SourceLocation?
    package var workingDirectory: String?
    package var volumeMounts: [VolumeMount]
    package var location: SourceLocation

    package var command: [String] { commandWords.map(\.text) }
    package var args: [String] { argWords.map(\.text) }

    /// One element of `command` or `args`, as it is written.
    package struct Word: Sendable, Equatable {
        package var text: String
        package var location: SourceLocation
    }

    package struct EnvironmentVariable: Sendable, Equatable {
        package var name: String
        /// As it is written: references to other variables are not expanded. Empty when neither `value` nor `valueFrom` is
        /// given, as in Kubernetes; `nil` for `valueFrom`.
        package var value: String?
        package var location: SourceLocation
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
                name: text(node["name"]) ?? "", image: text(node["image"]) ?? "", commandWords: words(node["command"]),
                argWords: words(node["args"]),
                environment: (node["env"]?.items ?? []).compactMap(variable),
                environmentSource: node["envFrom"]?.items?.first.map(location),
                workingDirectory: text(node["workingDir"]),
                volumeMounts: (node["volumeMounts"]?.items ?? []).compactMap { item in
                    guard let name = text(item["name"]), let path = text(item["mountPath"]) else { return nil }
                    return .init(name: name, mountPath: path, subPath: text(item["subPath"]))
                },
                location: location(node))
        }

        private func variable(_ node: YAMLNode) -> PodContainer.EnvironmentVariable? {
            guard let name = text(node["name"]) else { return nil }
            // Kubernetes looks at `valueFrom` only where the value is empty.
            let value = text(node["value"]) ?? ""
            let isElsewhere = value.isEmpty && node["valueFrom"].map { !$0.isNull } ?? false
            return .init(name: name, value: isElsewhere ? nil : value, location: location(node))
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

        private func words(_ node: YAMLNode?) -> [PodContainer.Word] {
            (node?.items ?? []).compactMap { item in text(item).map { .init(text: $0, location: location(item)) } }
        }
    }
}
