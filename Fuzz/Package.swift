// swift-tools-version: 6.2
import PackageDescription

// The parsers of foreign input under libFuzzer. A package of its own, over the same sources (`Library` links to them), so
// that `swift build` of the product knows nothing of it. See README.md.

let instrumented: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .unsafeFlags(["-sanitize=fuzzer"]),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Library/\(name)", swiftSettings: instrumented)
}

func systemLibrary(_ name: String, pkgConfig: String) -> Target {
    .systemLibrary(name: name, path: "Library/\(name)", pkgConfig: pkgConfig)
}

let package = Package(
    name: "slipway-fuzz",
    targets: [
        systemLibrary("CISAL", pkgConfig: "libisal"),
        systemLibrary("CZstd", pkgConfig: "libzstd"),
        systemLibrary("CLzma", pkgConfig: "liblzma"),
        systemLibrary("CDeflate", pkgConfig: "libdeflate"),
        systemLibrary("CYAML", pkgConfig: "yaml-0.1"),
        systemLibrary("CCrypto", pkgConfig: "libcrypto"),
        .systemLibrary(name: "CBzip2", path: "Library/CBzip2"),
        .target(name: "CLinux", path: "Library/CLinux"),
        library("Diagnostics"),
        library("Blocking"),
        library("FileSystem", ["CLinux", "Diagnostics"]),
        library(
            "Archive",
            ["CISAL", "CDeflate", "CZstd", "CBzip2", "CLzma", "CLinux", "FileSystem", "Blocking", "Diagnostics"]),
        library("Dockerfile", ["Diagnostics"]),
        library("Cryptography", ["CCrypto", "Diagnostics"]),
        library("Text"),
        library("OCI", ["Cryptography", "Diagnostics", "Text"]),
        library("YAML", ["CYAML", "Diagnostics"]),
        library("ManifestUpdater", ["YAML", "OCI", "Diagnostics"]),
        .target(name: "CFuzzer", path: "Driver"),
        .executableTarget(
            name: "slipway-fuzz",
            dependencies: ["CFuzzer", "Archive", "Dockerfile", "ManifestUpdater", "YAML", "FileSystem", "Diagnostics"],
            path: "Targets", swiftSettings: instrumented,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
    ])
