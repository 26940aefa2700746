/// The configuration blob of an image: what runs, on which platform, made of which layers, made how.
///
/// https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
package struct ImageConfig: Hashable, Sendable, Codable {
    /// RFC 3339, as written: reproducible images carry times that no calendar type should touch.
    package var created: String?
    package var author: String?
    package var architecture: String
    package var os: String
    package var variant: String?
    package var osVersion: String?
    package var osFeatures: [String]?
    package var config: ContainerConfig
    package var rootfs: RootFS
    package var history: [History]

    enum CodingKeys: String, CodingKey {
        case created, author, architecture, os, variant
        case osVersion = "os.version"
        case osFeatures = "os.features"
        case config, rootfs, history
    }

    package init(
        platform: Platform, created: String? = nil, author: String? = nil, config: ContainerConfig = ContainerConfig(),
        rootfs: RootFS = RootFS(), history: [History] = []
    ) {
        architecture = platform.architecture
        os = platform.os
        variant = platform.variant
        osVersion = platform.osVersion
        osFeatures = platform.osFeatures
        self.created = created
        self.author = author
        self.config = config
        self.rootfs = rootfs
        self.history = history
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        created = try container.decodeIfPresent(String.self, forKey: .created)
        author = try container.decodeIfPresent(String.self, forKey: .author)
        // Required by the specification, absent from some images that run nonetheless.
        architecture = try container.decodeIfPresent(String.self, forKey: .architecture) ?? ""
        os = try container.decodeIfPresent(String.self, forKey: .os) ?? ""
        variant = try container.decodeIfPresent(String.self, forKey: .variant)
        osVersion = try container.decodeIfPresent(String.self, forKey: .osVersion)
        osFeatures = try container.decodeIfPresent([String].self, forKey: .osFeatures)
        config = try container.decodeIfPresent(ContainerConfig.self, forKey: .config) ?? ContainerConfig()
        rootfs = try container.decodeIfPresent(RootFS.self, forKey: .rootfs) ?? RootFS()
        history = try container.decodeIfPresent([History].self, forKey: .history) ?? []
    }

    package var platform: Platform {
        Platform(os: os, architecture: architecture, variant: variant, osVersion: osVersion, osFeatures: osFeatures)
    }
}

/// The layers of the root file system, lowest first, by the digests of their uncompressed tars.
package struct RootFS: Hashable, Sendable, Codable {
    package var type = "layers"
    package var diffIDs: [Digest]

    enum CodingKeys: String, CodingKey {
        case type
        case diffIDs = "diff_ids"
    }

    package init(diffIDs: [Digest] = []) { self.diffIDs = diffIDs }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        type = try container.decodeIfPresent(String.self, forKey: .type) ?? "layers"
        diffIDs = try container.decodeIfPresent([Digest].self, forKey: .diffIDs) ?? []
    }
}

/// One step of how the image was made.
package struct History: Hashable, Sendable, Codable {
    package var created: String?
    package var createdBy: String?
    package var author: String?
    package var comment: String?
    /// The step changed only the configuration: no layer belongs to it.
    package var emptyLayer: Bool?

    enum CodingKeys: String, CodingKey {
        case created, author, comment
        case createdBy = "created_by"
        case emptyLayer = "empty_layer"
    }

    package init(
        created: String? = nil, createdBy: String? = nil, author: String? = nil, comment: String? = nil,
        emptyLayer: Bool = false
    ) {
        self.created = created
        self.createdBy = createdBy
        self.author = author
        self.comment = comment
        self.emptyLayer = emptyLayer ? true : nil
    }
}
