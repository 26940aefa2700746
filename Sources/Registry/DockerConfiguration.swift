import FoundationEssentials
import OCI

/// The part of `config.json` that is about credentials.
///
/// https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties
struct DockerConfiguration: Sendable {
    private struct File: Decodable {
        struct Entry: Decodable {
            var auth: String?
            var username: String?
            var password: String?
            var identitytoken: String?
            var registrytoken: String?
        }

        var auths: [String: Entry]?
        var credHelpers: [String: String]?
        var credsStore: String?
    }

    private let file: File
    private let place: String

    init(_ bytes: [UInt8], place: String) throws(RegistryError) {
        do {
            let decoder = JSONDecoder()
            var decoded = try decoder.decode(File.self, from: Data(bytes))
            // The form of old, which Kubernetes still knows as `.dockercfg`: the entries without anything around them.
            if decoded.auths == nil, decoded.credHelpers == nil, decoded.credsStore == nil,
                let entries = try? decoder.decode([String: File.Entry].self, from: Data(bytes)),
                entries.values.contains(where: { $0.auth != nil || $0.username != nil })
            {
                decoded.auths = entries
            }
            file = decoded
        } catch {
            // The decoder's message could repeat a secret: only the fact is told.
            throw RegistryError(
                .credentials, "the credentials are not a valid config.json", place: place,
                hint: "it is JSON with an object 'auths', as 'docker login' writes it")
        }
        self.place = place
    }

    /// The helper program to ask about a host, without the `docker-credential-` of its name.
    func helper(for host: String) -> String? {
        let specific = file.credHelpers?.first { Self.covered($0.key)?.host == host }?.value
        let name = specific ?? file.credsStore
        return name.flatMap { $0.isEmpty ? nil : $0 }
    }

    func entry(host: String, path: String) throws(RegistryError) -> Credentials? {
        var best: (length: Int, entry: File.Entry)?
        for (key, entry) in file.auths ?? [:] {
            guard let covered = Self.covered(key), Self.matches(covered.host, host) else { continue }
            guard covered.path.isEmpty || path == covered.path || path.hasPrefix(covered.path + "/") else { continue }
            // The longest path wins, and a whole name over one with stars.
            let length = covered.path.utf8.count * 2 + (covered.host == host ? 1 : 0)
            if best.map({ length > $0.length }) ?? true { best = (length, entry) }
        }
        guard let entry = best?.entry else { return nil }
        if let token = entry.registrytoken, !token.isEmpty { return .registryToken(token) }
        if let token = entry.identitytoken, !token.isEmpty { return .identityToken(token) }
        if let auth = entry.auth, !auth.isEmpty { return try decode(auth, host) }
        if let user = entry.username, let password = entry.password, !user.isEmpty {
            return .basic(user: user, password: password)
        }
        // `docker login` with a store leaves an empty entry behind.
        return nil
    }

    /// Whether an entry's host is this one; a star stands for a part of a name, as in Kubernetes' secrets
    /// (`*.example.com`).
    private static func matches(_ pattern: String, _ host: String) -> Bool {
        if pattern == host { return true }
        guard pattern.contains("*") else { return false }
        let (wanted, parts) = (pattern.split(separator: "."), host.split(separator: "."))
        return wanted.count == parts.count
            && zip(wanted, parts).allSatisfy { wanted, part in
                guard let star = wanted.firstIndex(of: "*") else { return wanted == part }
                let (before, after) = (wanted[..<star], wanted[wanted.index(after: star)...])
                return !after.contains("*") && part.count >= before.count + after.count && part.hasPrefix(before)
                    && part.hasSuffix(after)
            }
    }

    private func decode(_ auth: String, _ host: String) throws(RegistryError) -> Credentials {
        guard let data = Data(base64Encoded: auth, options: .ignoreUnknownCharacters) else {
            throw invalid(host, "its 'auth' is not base64")
        }
        // Old versions of Docker padded with zero bytes.
        let bytes = Array(data).filter { $0 != 0 }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
            throw invalid(host, "its 'auth' is not user:password")
        }
        return .basic(
            user: String(decoding: bytes[..<colon], as: UTF8.self),
            password: String(decoding: bytes[(colon + 1)...], as: UTF8.self))
    }

    private func invalid(_ host: String, _ cause: String) -> RegistryError {
        RegistryError(
            .credentials, "the entry for \(host) cannot be used", place: place, cause: cause,
            hint: "log in again, for example with 'docker login \(host)'")
    }

    /// What a key of `auths` is about: a host, a URL of old (`https://index.docker.io/v1/`), or (Podman) a namespace.
    static func covered(_ key: String) -> (host: String, path: String)? {
        var rest = key[...]
        let hasScheme = rest.hasPrefix("https://") || rest.hasPrefix("http://")
        if hasScheme, let slashes = rest.firstIndex(of: "/") { rest = rest[slashes...].drop { $0 == "/" } }
        let parts = rest.split(separator: "/", maxSplits: 1).map(String.init)
        guard let host = parts.first else { return nil }
        var path = parts.count == 2 ? parts[1].split(separator: "/").joined(separator: "/") : ""
        if hasScheme || path == "v1" || path == "v2" { path = "" }
        return (RegistryConfiguration.canonical(host), path)
    }
}
