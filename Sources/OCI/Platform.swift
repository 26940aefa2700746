import Text

/// An operating system and a processor, in Go's words: `linux/amd64`, `linux/arm/v7`.
package struct Platform: Hashable, Sendable, Codable, CustomStringConvertible {
    package var os: String
    package var architecture: String
    package var variant: String?
    package var osVersion: String?
    package var osFeatures: [String]?

    enum CodingKeys: String, CodingKey {
        case os, architecture, variant
        case osVersion = "os.version"
        case osFeatures = "os.features"
    }

    package init(
        os: String, architecture: String, variant: String? = nil, osVersion: String? = nil, osFeatures: [String]? = nil
    ) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
        self.osVersion = osVersion
        self.osFeatures = osFeatures
    }

    /// Parses `os/architecture[/variant]`, and the short forms `os` and `architecture` that `--platform` allows; the
    /// other names of a processor (`x86_64`, `aarch64`, `armhf` …) become Go's, as containerd does it.
    package init(_ text: String) throws(OCIError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { $0.lowercased() }
        guard (1...3).contains(parts.count), parts.allSatisfy(Self.isWord) else {
            throw OCIError(
                .invalidPlatform, "'\(printable(text))' is no platform",
                hint: "write os/architecture[/variant], for example linux/amd64 or linux/arm/v7")
        }
        var platform: Platform
        if parts.count > 1 {
            platform = Platform(
                os: parts[0], architecture: parts[1], variant: parts.count == 3 ? parts[2] : nil)
        } else if Self.systems.contains(parts[0]) {
            platform = Platform.host
            platform.os = parts[0]
        } else if Self.processors.contains(Self.canonical(parts[0], nil).architecture) {
            platform = Platform(os: "linux", architecture: parts[0])
        } else {
            throw OCIError(
                .invalidPlatform, "'\(printable(text))' is neither a known operating system nor a known architecture",
                hint: "write os/architecture[/variant], for example linux/amd64 or linux/arm/v7")
        }
        self = platform.normalized
    }

    /// The platform that this process runs on.
    package static var host: Platform {
        #if arch(x86_64)
        Platform(os: "linux", architecture: "amd64")
        #elseif arch(arm64)
        Platform(os: "linux", architecture: "arm64")
        #elseif arch(powerpc64le)
        Platform(os: "linux", architecture: "ppc64le")
        #elseif arch(s390x)
        Platform(os: "linux", architecture: "s390x")
        #else
        Platform(os: "linux", architecture: "unknown")
        #endif
    }

    package var description: String {
        ([os, architecture] + (variant.map { [$0] } ?? [])).joined(separator: "/")
            + (osVersion.map { " (\($0))" } ?? "")
    }

    /// Whether an image made for `self` runs where `wanted` is asked for: same system and processor; a variant that is
    /// the wanted one or an older one of the same processor.
    package func matches(_ wanted: Platform) -> Bool { rank(for: wanted) != nil }

    /// How far from what is wanted, 0 = exactly; `nil` = does not run there.
    package func rank(for wanted: Platform) -> Int? {
        let offered = normalized
        let wanted = wanted.normalized
        guard offered.os == wanted.os, offered.architecture == wanted.architecture else { return nil }
        if let version = wanted.osVersion, version != offered.osVersion { return nil }
        if offered.variant == wanted.variant { return 0 }
        let level = { (platform: Platform) -> Int? in
            guard let variant = platform.variant else {
                // No variant is the oldest there is, except for arm, where it is v7 (see `canonical`).
                return platform.architecture == "arm64" ? 8 : 1
            }
            guard variant.utf8.first == UInt8(ascii: "v") else { return nil }
            return Int(variant.dropFirst())
        }
        guard let offers = level(offered), let wants = level(wanted), (0...wants).contains(offers) else { return nil }
        return wants - offers
    }

    package var normalized: Platform {
        var result = self
        (result.architecture, result.variant) = Self.canonical(architecture.lowercased(), variant)
        result.os = os.lowercased() == "macos" ? "darwin" : os.lowercased()
        return result
    }

    private static func canonical(_ architecture: String, _ variant: String?) -> (architecture: String, String?) {
        let variant = variant.flatMap { $0.isEmpty ? nil : $0.lowercased() }
        switch architecture {
        case "i386": return ("386", nil)
        case "x86_64", "x86-64", "amd64": return ("amd64", variant == "v1" ? nil : variant)
        case "aarch64", "arm64": return ("arm64", variant == "8" || variant == "v8" ? nil : variant)
        case "armhf": return ("arm", "v7")
        case "armel": return ("arm", "v6")
        case "arm":
            switch variant {
            case nil, "7": return ("arm", "v7")
            case "5": return ("arm", "v5")
            case "6": return ("arm", "v6")
            case "8": return ("arm", "v8")
            default: return ("arm", variant)
            }
        default: return (architecture, variant)
        }
    }

    private static func isWord(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    private static let systems: Set<String> = [
        "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "macos", "netbsd",
        "openbsd", "plan9", "solaris", "wasip1", "windows",
    ]
    private static let processors: Set<String> = [
        "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
        "riscv64", "s390x", "wasm",
    ]
}
