import Cryptography
import FoundationEssentials
import Glibc

/// The lines of known_hosts files (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), for verifying an SSH server's key.
///
/// libgit2's own check reads only ~/.ssh/known_hosts; a daemon's keys come from a mounted file.
struct KnownHosts: Sendable {
    enum Verdict: Equatable, Sendable {
        case known
        /// No line names the host.
        case unknown
        /// Lines name the host with other keys of the same type.
        case mismatch
        /// Lines name the host, but only with keys of these other types.
        case otherTypes([String])
        /// The key is marked @revoked.
        case revoked
    }

    private struct Line: Sendable {
        var isRevoked: Bool
        var hosts: String
        var type: String
        var key: [UInt8]
    }

    private var lines: [Line] = []

    init() {}

    /// Reads a file's text. Lines that cannot be understood name no host; they are no error, as with ssh.
    init(_ text: String) { append(text) }

    mutating func append(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            var fields = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)[...]
            guard let first = fields.first, !first.hasPrefix("#") else { continue }
            var isRevoked = false
            if first.hasPrefix("@") {
                // Certificates of hosts (@cert-authority) are beyond libssh2.
                guard first == "@revoked" else { continue }
                isRevoked = true
                fields = fields.dropFirst()
            }
            guard fields.count >= 3, let key = Data(base64Encoded: fields[fields.startIndex + 2]) else { continue }
            lines.append(
                Line(
                    isRevoked: isRevoked, hosts: fields[fields.startIndex], type: fields[fields.startIndex + 1],
                    key: [UInt8](key)))
        }
    }

    /// Judges the key that a server presented.
    ///
    /// - Parameters:
    ///   - host: as the URL names it.
    ///   - key: the key's blob, which begins with its type's name.
    func verdict(host: String, port: Int, key: [UInt8]) -> Verdict {
        let name = Self.name(host: host, port: port)
        let matching = lines.filter { Self.matches($0.hosts, name) }
        if matching.contains(where: { $0.isRevoked && $0.key == key }) { return .revoked }
        let trusted = matching.filter { !$0.isRevoked }
        if trusted.contains(where: { $0.key == key }) { return .known }
        if trusted.isEmpty { return .unknown }
        let type = Self.type(ofKey: key)
        let types = Set(trusted.map(\.type))
        return types.contains(type) ? .mismatch : .otherTypes(types.sorted())
    }

    /// The types of the keys that are recorded for a server and not revoked, sorted.
    func types(host: String, port: Int) -> [String] {
        let name = Self.name(host: host, port: port)
        let matching = lines.filter { Self.matches($0.hosts, name) }
        let revoked = Set(matching.filter(\.isRevoked).map(\.key))
        return Set(matching.filter { !$0.isRevoked && !revoked.contains($0.key) }.map(\.type)).sorted()
    }

    /// Where keys are recorded when nothing else is said: the user's file and the system's.
    static var standardFiles: [String] {
        let home = getenv("HOME").map { String(cString: $0) } ?? ""
        return [home + "/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"]
    }

    /// What prints a server's keys.
    static func scanCommand(host: String, port: Int) -> String {
        "ssh-keyscan\(port == 22 ? "" : " -p \(port)") \(host)"
    }

    /// How known_hosts names a server: the bare host for port 22, otherwise `[host]:port`.
    static func name(host: String, port: Int) -> String {
        port == 22 ? host.lowercased() : "[\(host.lowercased())]:\(port)"
    }

    /// The type's name at the start of a key blob (RFC 4253, section 6.6).
    static func type(ofKey key: [UInt8]) -> String {
        guard key.count >= 4 else { return "" }
        let length = key[..<4].reduce(0) { $0 << 8 | Int($1) }
        guard length <= 64, key.count >= 4 + length else { return "" }
        return String(decoding: key[4..<4 + length], as: UTF8.self)
    }

    private static func matches(_ hosts: String, _ name: String) -> Bool {
        if hosts.hasPrefix("|1|") {
            let parts = hosts.split(separator: "|")
            guard parts.count == 3, let salt = Data(base64Encoded: String(parts[1])),
                let hash = Data(base64Encoded: String(parts[2]))
            else { return false }
            return HMAC.sha1(Array(name.utf8), key: [UInt8](salt)) == [UInt8](hash)
        }
        var isMatch = false
        for pattern in hosts.lowercased().split(separator: ",") {
            if pattern.hasPrefix("!") {
                if wildcard(Array(pattern.utf8.dropFirst()), Array(name.utf8)) { return false }
            } else if wildcard(Array(pattern.utf8), Array(name.utf8)) {
                isMatch = true
            }
        }
        return isMatch
    }

    /// `*` and `?`, in time bounded by the product of the lengths.
    private static func wildcard(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        var p = 0
        var t = 0
        var star: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = star {
                p = last.pattern + 1
                t = last.text + 1
                star = (last.pattern, t)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
