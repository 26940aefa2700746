import Builder
import Git

/// `.gitmodules`: https://git-scm.com/docs/gitmodules
enum SubmoduleFile {
    /// Addresses by path.
    static func addresses(_ bytes: [UInt8]) -> [String: String] {
        var paths: [Int: String] = [:]
        var urls: [Int: String] = [:]
        for variable in GitConfigurationText(bytes).variables {
            switch variable.key {
            case "path":
                paths[variable.section] =
                    variable.value.hasSuffix("/") ? String(variable.value.dropLast()) : variable.value
            case "url": urls[variable.section] = variable.value
            default: break
            }
        }
        var found: [String: String] = [:]
        for (section, path) in paths.sorted(by: { $0.key < $1.key }) {
            if let url = urls[section] { found[path] = url }
        }
        return found
    }

    /// Whether an address says where it is from the repository that holds it.
    static func isRelative(_ address: String) -> Bool { address.hasPrefix("./") || address.hasPrefix("../") }

    /// Whether an address is git's `HELPER::ADDRESS` (gitremote-helpers(7)).
    static func namesHelper(_ address: String) -> Bool {
        guard let colons = address.firstRange(of: "::") else { return false }
        return address[..<colons.lowerBound].allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" }
    }

    /// `../other.git` is beside the repository that says so.
    ///
    /// - Returns: `nil` where it leads above the server.
    static func resolve(_ address: String, against remote: String) -> String? {
        guard isRelative(address) else { return address }
        var base = remote[...]
        while base.hasSuffix("/") { base.removeLast() }
        // What must stay: the scheme with the host, or the host with its colon.
        let start = hostEnd(of: remote)
        var separator: Character = "/"
        var rest = address[...]
        while true {
            if rest.hasPrefix("./") {
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("../") {
                rest = rest.dropFirst(3)
                guard separator == "/", base.endIndex > start,
                    let cut = base[start...].lastIndex(where: { $0 == "/" || $0 == ":" })
                else { return nil }
                separator = base[cut]
                base = base[..<cut]
            } else {
                break
            }
        }
        return "\(base)\(separator)\(rest)"
    }

    /// Where the path begins, with the `/` or `:` before it.
    private static func hostEnd(of remote: String) -> String.Index {
        guard let scheme = remote.firstRange(of: "://") else {
            // `user@host:path`; a path of this machine has no host.
            guard let colon = remote.firstIndex(of: ":"), !remote[..<colon].contains("/") else {
                return remote.startIndex
            }
            return colon
        }
        return remote[scheme.upperBound...].firstIndex(of: "/") ?? remote.endIndex
    }
}
