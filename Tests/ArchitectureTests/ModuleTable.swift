/// The modules, what each may import of the others, and their layers. `Package.swift` says the same to the compiler, which
/// does not hold anybody to it: a module that some other target has built can be imported by all.
enum ModuleTable {
    struct Module {
        let layer: Int
        let mayImport: Set<String>
    }

    static let modules: [String: Module] = [
        "CGit2": Module(layer: 0, mayImport: []),
        "CCurl": Module(layer: 0, mayImport: []),
        "CYAML": Module(layer: 0, mayImport: []),
        "CZlib": Module(layer: 0, mayImport: []),
        "CISAL": Module(layer: 0, mayImport: []),
        "CDeflate": Module(layer: 0, mayImport: []),
        "CZstd": Module(layer: 0, mayImport: []),
        "CBzip2": Module(layer: 0, mayImport: []),
        "CLzma": Module(layer: 0, mayImport: []),
        "CCrypto": Module(layer: 0, mayImport: []),
        "CLinux": Module(layer: 0, mayImport: []),
        "CSandbox": Module(layer: 0, mayImport: []),
        "Diagnostics": Module(layer: 0, mayImport: []),
        "Blocking": Module(layer: 0, mayImport: ["CLinux"]),
        "Text": Module(layer: 0, mayImport: []),

        "FileSystem": Module(layer: 1, mayImport: ["CLinux", "Diagnostics"]),
        "Git": Module(
            layer: 1,
            mayImport: ["CGit2", "CZlib", "CLinux", "FileSystem", "Cryptography", "Blocking", "Diagnostics", "Text"]),
        "HTTP": Module(layer: 1, mayImport: ["CCurl", "FileSystem", "Blocking", "Diagnostics", "Text"]),
        "Cryptography": Module(layer: 1, mayImport: ["CCrypto", "Diagnostics"]),
        "YAML": Module(layer: 1, mayImport: ["CYAML", "Diagnostics"]),
        "JSON": Module(layer: 1, mayImport: ["Text"]),
        "Archive": Module(
            layer: 1,
            mayImport: [
                "CISAL", "CDeflate", "CZstd", "CBzip2", "CLzma", "CLinux", "FileSystem", "Blocking", "Diagnostics",
            ]),
        "Sandbox": Module(layer: 1, mayImport: ["CSandbox", "CLinux", "Blocking", "FileSystem", "Diagnostics"]),

        "OCI": Module(layer: 2, mayImport: ["Cryptography", "Diagnostics", "Text"]),
        "CloudIdentity": Module(layer: 2, mayImport: ["HTTP", "Cryptography", "Blocking", "Diagnostics", "Text"]),
        "ContentStore": Module(layer: 2, mayImport: ["OCI", "FileSystem", "Diagnostics", "CLinux"]),
        "Registry": Module(
            layer: 2,
            mayImport: [
                "OCI", "HTTP", "ContentStore", "CloudIdentity", "FileSystem", "Blocking", "Diagnostics", "Text",
            ]),
        "ObjectStorage": Module(
            layer: 2, mayImport: ["HTTP", "CloudIdentity", "Cryptography", "Diagnostics", "Text"]),
        "Dockerfile": Module(layer: 2, mayImport: ["Diagnostics"]),
        "Template": Module(layer: 2, mayImport: ["Diagnostics"]),
        "Forge": Module(layer: 2, mayImport: ["HTTP", "Cryptography", "Diagnostics", "Text"]),
        "Webhooks": Module(layer: 2, mayImport: ["Cryptography", "JSON", "Diagnostics", "Text"]),
        "Notifications": Module(
            layer: 2,
            mayImport: ["HTTP", "FileSystem", "Cryptography", "Template", "Blocking", "Diagnostics", "Text"]),
        "Telemetry": Module(layer: 2, mayImport: ["HTTP", "Cryptography", "Diagnostics", "Text"]),
        "Cluster": Module(
            layer: 2,
            mayImport: ["HTTP", "JSON", "YAML", "FileSystem", "Blocking", "CLinux", "Diagnostics", "Text"]),

        "Builder": Module(
            layer: 3,
            mayImport: [
                "Dockerfile", "OCI", "ContentStore", "Registry", "Archive", "Sandbox", "FileSystem", "Blocking",
                "Diagnostics", "Text", "CLinux",
            ]),
        "RegistryPoller": Module(
            layer: 3, mayImport: ["OCI", "Registry", "Blocking", "FileSystem", "Diagnostics", "Text"]),
        "ManifestUpdater": Module(layer: 3, mayImport: ["YAML", "OCI", "Diagnostics"]),

        "Agent": Module(
            layer: 3,
            mayImport: [
                "Git", "HTTP", "YAML", "OCI", "ContentStore", "Registry", "Dockerfile", "Builder", "RegistryPoller",
                "ManifestUpdater", "Template", "Forge", "Webhooks", "Notifications", "ObjectStorage", "Cluster", "JSON",
                "Sandbox",
                "Archive", "FileSystem", "Blocking", "Cryptography", "Diagnostics", "Telemetry", "Text",
                "Logging",
            ]),

        "Server": Module(
            layer: 4,
            mayImport: [
                "Agent", "OCI", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL", "Telemetry", "Text", "Webhooks",
                "Blocking", "Diagnostics",
            ]),
        "CommandLine": Module(
            layer: 4,
            mayImport: [
                "Agent", "Server", "Git", "HTTP", "YAML", "OCI", "ContentStore", "Registry", "Dockerfile", "Builder",
                "RegistryPoller", "ManifestUpdater", "Template", "Sandbox", "FileSystem", "Blocking", "Diagnostics",
                "Telemetry", "Text",
                "Logging", "ArgumentParser",
            ]),

        "slipway": Module(layer: 5, mayImport: ["CommandLine", "CLinux", "ArgumentParser"]),
    ]

    /// What every module may import. `Foundation` is not there: it brings 45 MB.
    static let everywhere: Set<String> = [
        "Swift", "Glibc", "Synchronization", "Dispatch", "FoundationEssentials",
    ]

    /// C code of our own, made to be used in several places; every other C module has one user.
    static let sharedC: Set<String> = ["CLinux"]
}
