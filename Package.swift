// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// One set of settings for every Swift target: the Swift 6 language mode, the upcoming features that
/// keep imports and existentials explicit, and warnings as errors.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // SE-0461
    .treatAllWarnings(as: .error),  // SE-0443
]

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func suite(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude, swiftSettings: strict)
}

func systemLibrary(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// Whether libcurl can be in the release binary: the static one of Debian 12 that uses OpenSSL, whose own libraries scripts/link names.
let hasStaticCurl =
    (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8))?.contains("VERSION_CODENAME=bookworm") == true
    && FileManager.default.fileExists(atPath: "/usr/share/doc/libcurl4-openssl-dev")
let curl: [LinkerSetting] = [
    .linkedLibrary("curl", .when(configuration: .debug)),
    .linkedLibrary(hasStaticCurl ? "curl-static" : "curl", .when(configuration: .release)),
]

/// How the release binary is linked, so that it starts fast (docs/decisions/0004-process-start.md): by lld, with what scripts/link
/// has in the place of some shared libraries, and without a table of its own hundred thousand names.
let fastStart: [LinkerSetting] = [
    .unsafeFlags(
        ["-use-ld=lld", "-L\(Context.packageDirectory)/scripts/link", "-Xlinker", "--no-export-dynamic"],
        .when(configuration: .release))
]

let package = Package(
    name: "slipway",
    products: [.executable(name: "slipway", targets: ["slipway"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.30.0"),
    ],
    targets: [
        // Layer 0: C libraries and the C targets of our own.
        systemLibrary("CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),
        systemLibrary("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
        systemLibrary("CISAL", pkgConfig: "libisal", apt: "libisal-dev"),
        systemLibrary("CDeflate", pkgConfig: "libdeflate", apt: "libdeflate-dev"),
        systemLibrary("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
        .systemLibrary(name: "CBzip2", providers: [.apt(["libbz2-dev"])]),  // Debian's has no pkg-config file.
        systemLibrary("CLzma", pkgConfig: "liblzma", apt: "liblzma-dev"),
        systemLibrary("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
        .target(name: "CCurl", linkerSettings: curl),  // libcurl4-openssl-dev
        .target(name: "CGit2"),  // libgit2's headers (libgit2-dev); the library is loaded when git is used.
        .target(name: "CLinux"),
        .target(name: "CSandbox"),
        library("Diagnostics"),
        library("Blocking", ["CLinux"]),
        library("Text"),

        // Layer 1: one module per C library; nothing above sees an OpaquePointer.
        library("FileSystem", ["CLinux", "Diagnostics"]),
        library("Git", ["CGit2", "CZlib", "CLinux", "FileSystem", "Cryptography", "Blocking", "Diagnostics", "Text"]),
        library("HTTP", ["CCurl", "FileSystem", "Blocking", "Diagnostics", "Text"]),
        library("Cryptography", ["CCrypto", "Diagnostics"]),
        library("YAML", ["CYAML", "Diagnostics"]),
        library("JSON", ["Text"]),
        library(
            "Archive",
            ["CISAL", "CDeflate", "CZstd", "CBzip2", "CLzma", "CLinux", "FileSystem", "Blocking", "Diagnostics"]),
        library("Sandbox", ["CSandbox", "CLinux", "Blocking", "FileSystem", "Diagnostics"]),

        // Layer 2: the field's values and protocols.
        library("OCI", ["Cryptography", "Diagnostics", "Text"]),
        library("ContentStore", ["OCI", "FileSystem", "Diagnostics", "CLinux"]),
        library("CloudIdentity", ["HTTP", "Cryptography", "Blocking", "Diagnostics", "Text"]),
        library(
            "Registry",
            ["OCI", "HTTP", "ContentStore", "CloudIdentity", "FileSystem", "Blocking", "Diagnostics", "Text"]),
        library("ObjectStorage", ["HTTP", "CloudIdentity", "Cryptography", "Diagnostics", "Text"]),
        library("Dockerfile", ["Diagnostics"]),
        library("Template", ["Diagnostics"]),
        library("Forge", ["HTTP", "Cryptography", "Diagnostics", "Text"]),
        library("Webhooks", ["Cryptography", "JSON", "Diagnostics", "Text"]),
        library(
            "Notifications",
            ["HTTP", "FileSystem", "Cryptography", "Template", "Blocking", "Diagnostics", "Text"]),
        library("Telemetry", ["HTTP", "Cryptography", "Diagnostics", "Text"]),
        library("Cluster", ["HTTP", "JSON", "YAML", "FileSystem", "Blocking", "CLinux", "Diagnostics", "Text"]),

        // Layer 3: the four things that Slipway does.
        library(
            "Builder",
            [
                "Dockerfile", "OCI", "ContentStore", "Registry", "Archive", "Sandbox", "FileSystem", "Blocking",
                "Diagnostics", "Text", "CLinux",
            ]),
        library("RegistryPoller", ["OCI", "Registry", "Blocking", "FileSystem", "Diagnostics", "Text"]),
        library("ManifestUpdater", ["YAML", "OCI", "Diagnostics"]),

        // Layer 3: the agent, over the three before.
        library(
            "Agent",
            [
                "Git", "HTTP", "YAML", "OCI", "ContentStore", "Registry", "Dockerfile", "Builder", "RegistryPoller",
                "ManifestUpdater", "Template", "Forge", "Webhooks", "Notifications", "ObjectStorage", "Cluster", "JSON",
                "Sandbox",
                "Archive",
                "FileSystem", "Blocking", "Cryptography", "Diagnostics", "Telemetry", "Text",
                log,
            ]),

        // Layer 4: what the agent shows, and the command line.
        library("Server", ["Agent", "OCI", "Telemetry", "Text", "Webhooks", "Blocking", "Diagnostics"] + nio),
        library(
            "CommandLine",
            [
                "Agent", "Server", "Git", "HTTP", "YAML", "OCI", "ContentStore", "Registry", "Dockerfile", "Builder",
                "RegistryPoller", "ManifestUpdater", "Template", "Sandbox", "FileSystem", "Blocking", "Diagnostics",
                "Telemetry", "Text",
                log,
                arguments,
            ]),

        // Layer 5: the process.
        .executableTarget(
            name: "slipway", dependencies: ["CommandLine", "CLinux", arguments], swiftSettings: strict,
            linkerSettings: fastStart),

        // Tests: what the suites share, then one suite a module.
        .target(
            name: "TestSupport", path: "Tests/TestSupport", exclude: ["AgentFakes"], swiftSettings: strict),
        .target(
            name: "AgentFakes",
            dependencies: ["Agent", "Builder", "Forge", "Git", "ManifestUpdater", "OCI", "Registry", "RegistryPoller"],
            path: "Tests/TestSupport/AgentFakes", swiftSettings: strict),
        suite(
            "AgentTests",
            [
                "Agent", "Builder", "ContentStore", "Diagnostics", "FileSystem", "Git", "OCI", "Registry",
                "RegistryPoller",
                "Sandbox", "YAML",
                log,
            ]),
        suite("ArchitectureTests", []),
        suite("ArchiveTests", ["Archive", "CZlib", "FileSystem", "Diagnostics"]),
        suite(
            "BuilderTests",
            ["Builder", "OCI", "Registry", "ContentStore", "Sandbox", "Dockerfile", "Archive", "Diagnostics"]),
        suite("CloudIdentityTests", ["CloudIdentity", "Cryptography", "HTTP", "Diagnostics"]),
        suite("ClusterManifestTests", ["Agent", "Cluster", "HTTP", "JSON", "Notifications", log]),
        suite(
            "CommandLineTests", ["CommandLine", "Agent", "Builder", "FileSystem", "OCI", "RegistryPoller", arguments]),
        suite("ContentStoreTests", ["ContentStore", "OCI", "Diagnostics"]),
        suite("DockerfileTests", ["Dockerfile", "Diagnostics"], exclude: ["Golden"]),
        suite("EndToEndTests", ["slipway", "Cluster", "JSON"], exclude: ["Fixture", "expected.diff"]),
        suite("ClusterTests", ["Cluster", "HTTP", "JSON", "YAML", "Diagnostics"]),
        suite("ForgeTests", ["Forge", "HTTP", "Diagnostics"]),
        suite("ObjectStorageTests", ["ObjectStorage", "CloudIdentity", "HTTP", "Cryptography", "Diagnostics"]),
        suite("FileSystemTests", ["FileSystem", "Diagnostics"]),
        suite("GitTests", ["Git", "Cryptography"]),
        suite("HTTPTests", ["HTTP", "Diagnostics"]),
        suite("ManifestUpdaterTests", ["ManifestUpdater", "YAML", "Diagnostics"], exclude: ["Golden"]),
        suite("NotificationTests", ["Notifications", "Agent", "HTTP", "Template", "Webhooks", "Diagnostics"]),
        suite("OCITests", ["OCI", "Diagnostics"], exclude: ["Golden"]),
        suite(
            "RegistryPollerTests", ["RegistryPoller", "Registry", "OCI", "ContentStore", "Diagnostics"],
            exclude: ["Golden"]),
        suite("RegistryTests", ["Registry", "CloudIdentity", "OCI", "ContentStore", "HTTP", "Diagnostics"]),
        suite(
            "ReconcileTests",
            [
                "Agent", "AgentFakes", "Builder", "Cluster", "Cryptography", "Forge", "Git", "HTTP", "JSON",
                "ManifestUpdater",
                "Notifications", "OCI", "Registry",
                "RegistryPoller",
                "Telemetry", "Template", "Webhooks",
                log,
            ]),
        suite("SandboxTests", ["Sandbox", "CSandbox"]),
        suite(
            "ServerTests",
            ["Server", "Agent", "Builder", "Cluster", "HTTP", "JSON", "OCI", "Telemetry", "Webhooks", log] + nio),
        suite("TelemetryTests", ["Telemetry", "HTTP", "Diagnostics"]),
        suite("TemplateTests", ["Template", "Diagnostics"], exclude: ["golden.json"]),
        suite("TextTests", ["Text"]),
        suite("WebhookTests", ["Webhooks", "Cryptography", "JSON", "Diagnostics"], exclude: ["Fixtures"]),
        suite("YAMLTests", ["YAML", "Diagnostics"]),
    ]
)
