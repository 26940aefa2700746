import Agent
import Builder
import OCI
import Registry

/// Brings what was built to all places that `slipway build` was told, and writes down what it is.
struct ImageDelivery {
    let builder: Builder
    let options: OutputOptions
    let progress: @Sendable (BuildEvent) -> Void

    /// - Parameter names: the destinations, also those that nothing is pushed to.
    func deliver(
        _ product: BuildProduct, to pushes: [ImageLocation], names: [ImageLocation], _ outputs: [ImageOutput]
    ) async throws {
        if let path = options.layoutPath {
            try await builder.export(product, toLayout: TextFile.absolute(path), tag: names.first?.tag)
        }
        let familiar = names.compactMap(Self.archiveName)
        if let path = options.tarPath {
            try await builder.export(product, toDockerArchive: Self.path(path), names: familiar)
        }
        for output in outputs {
            let own = try output.names.map { try ImageLocation($0).withDefaultTag }
            switch output.kind {
            case .push: break
            case .layoutDirectory(let path):
                try await builder.export(
                    product, toLayout: TextFile.absolute(path), tag: own.first?.tag ?? names.first?.tag)
            case .layoutArchive(let path):
                let name = (own + names).first
                try await builder.export(
                    product, toLayoutArchive: Self.path(path), tag: name?.tag, name: name.flatMap(Self.wholeName))
            case .dockerArchive(let path):
                try await builder.export(
                    product, toDockerArchive: Self.path(path),
                    names: own.isEmpty ? familiar : own.compactMap(Self.archiveName))
            }
        }
        try await builder.push(
            product, to: pushes, ignoringImmutableTags: options.ignoresImmutableTags, progress: progress)
        try await DigestFiles(options).write(product.manifest.digest, names)
    }

    /// Docker's archives hold one platform: said before the platforms are built.
    static func refuseArchives(_ options: OutputOptions, _ outputs: [ImageOutput]) throws(BuildError) {
        let archives = outputs.compactMap { if case .dockerArchive(let path) = $0.kind { path } else { nil } }
        guard let path = ([options.tarPath].compactMap { $0 } + archives).first else { return }
        throw BuildError.severalPlatforms(inDockerArchive: path)
    }

    /// `-` is standard output.
    private static func path(_ text: String) -> String { text == "-" ? text : TextFile.absolute(text) }

    /// With the registry, as containerd keeps names; `nil` for a layout.
    private static func wholeName(_ location: ImageLocation) -> String? {
        guard case .registry = location.repository else { return nil }
        return ImageLocation(repository: location.repository, tag: location.tag ?? "latest").description
    }

    private static func archiveName(_ location: ImageLocation) -> String? {
        guard case .registry = location.repository else { return nil }
        return ImageLocation(repository: location.repository, tag: location.tag ?? "latest").familiar
    }
}
