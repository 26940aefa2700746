import FileSystem
import HTTP

/// Small files of credentials.
enum CredentialFile {
    private static let limit = 1 << 20

    static func exists(_ path: String) -> Bool { (try? FileHandle(path: path)) != nil }

    static func bytes(_ path: String) throws(ClusterError) -> [UInt8] {
        do {
            return try FileHandle(path: path).readAll(limit: limit)
        } catch {
            throw ClusterError(.configuration, "cannot read a file of credentials", place: path, cause: error.summary)
        }
    }

    /// Without blanks and line ends around it.
    static func text(_ path: String) throws(ClusterError) -> String {
        let bytes = try bytes(path)
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0d).contains($0) }
        guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}

/// Addresses of API servers.
enum ClusterURL {
    static func parse(_ text: String, of place: String) throws(ClusterError) -> HTTPURL {
        do {
            return try HTTPURL(text)
        } catch {
            throw ClusterError(
                .configuration, "the address of the API server cannot be used", place: place, cause: error.cause,
                hint: "write https://HOST:PORT")
        }
    }
}
