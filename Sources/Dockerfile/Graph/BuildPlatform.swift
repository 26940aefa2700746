/// An operating system and a processor, as `--platform` and the automatic arguments name them.
package struct BuildPlatform: Hashable, Sendable, CustomStringConvertible {
    package var os: String
    package var architecture: String
    package var variant: String
    package var osVersion: String

    package init(os: String, architecture: String, variant: String = "", osVersion: String = "") {
        self.os = os
        self.architecture = architecture
        self.variant = variant
        self.osVersion = osVersion
        normalize()
    }

    /// Reads `os/architecture[/variant]`, or one of the two alone; what is missing is taken from `host`.
    ///
    /// - Throws: `.platform`, without a place.
    package init(_ text: String, host: BuildPlatform? = nil) throws(DockerfileError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { $0.lowercased() }
        let isValid = parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy { byte in
                    (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || "_.-()".utf8.contains(byte)
                }
        }
        guard isValid, (1...3).contains(parts.count) else {
            throw DockerfileError(
                .platform, "\(quoted(text)) is not a platform", near: text,
                hint: "write OS/ARCHITECTURE[/VARIANT], for example linux/arm64")
        }
        var os = parts[0]
        var version = ""
        if let open = os.firstIndex(of: "("), os.hasSuffix(")") {
            version = String(os[os.index(after: open)...].dropLast())
            os = String(os[..<open])
        }
        if parts.count == 1 {
            let known = [
                "linux", "windows", "darwin", "macos", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "plan9",
                "aix", "js", "wasip1",
            ]
            if known.contains(os) {
                self.init(
                    os: os, architecture: host?.architecture ?? "amd64", variant: host?.variant ?? "",
                    osVersion: version)
            } else {
                self.init(os: host?.os ?? "linux", architecture: os)
            }
        } else {
            self.init(
                os: os, architecture: parts[1], variant: parts.count == 3 ? parts[2] : "", osVersion: version)
        }
    }

    private mutating func normalize() {
        if os == "macos" { os = "darwin" }
        switch architecture {
        case "i386": architecture = "386"
        case "x86_64", "x86-64": architecture = "amd64"
        case "aarch64": architecture = "arm64"
        case "armhf": (architecture, variant) = ("arm", "v7")
        case "armel": (architecture, variant) = ("arm", "v6")
        default: break
        }
        switch (architecture, variant) {
        case ("amd64", "v1"), ("386", _), ("arm64", "8"), ("arm64", "v8"): variant = ""
        case ("arm", ""), ("arm", "7"): variant = "v7"
        case ("arm", "5"), ("arm", "6"), ("arm", "8"): variant = "v" + variant
        default: break
        }
    }

    /// `linux/arm/v7`
    package var description: String {
        "\(os)/\(architecture)" + (variant.isEmpty ? "" : "/\(variant)")
    }

    /// With the version: `windows(10.0)/amd64`.
    var full: String {
        osVersion.isEmpty ? description : "\(os)(\(osVersion))/\(architecture)" + (variant.isEmpty ? "" : "/\(variant)")
    }
}

/// Named contexts are matched by the familiar form of image names.
package enum ContextName {
    /// `docker.io/library/alpine:latest` → `alpine`
    package static func normalize(_ name: String) -> String {
        var rest = name[...]
        for host in ["docker.io/", "index.docker.io/"] where rest.hasPrefix(host) { rest = rest.dropFirst(host.count) }
        if rest.hasPrefix("library/"), !rest.dropFirst(8).contains("/") { rest = rest.dropFirst(8) }
        if rest.hasSuffix(":latest") { rest = rest.dropLast(7) }
        return String(rest)
    }
}
