import Agent
import FileSystem
import Glibc
import HTTP
import OCI

/// The files that kaniko writes of what it built.
struct DigestFiles {
    private let options: OutputOptions

    init(_ options: OutputOptions) { self.options = options }

    func write(_ digest: Digest, _ names: [ImageLocation]) async throws {
        if let file = options.digestFile { try await put("\(digest)", to: file) }
        if let file = options.nameFile {
            try await put(names.map { "\(Self.repository($0))@\(digest)\n" }.joined(), to: file)
        }
        if let file = options.nameTagFile {
            try await put(
                names.map { name in
                    "\(Self.repository(name))\(name.tag.map { ":\($0)" } ?? "")@\(digest)\n"
                }.joined(), to: file)
        }
        if let folder = OutputOptions.environment("BUILDER_OUTPUT") {
            try await put(try names.map { try Self.line($0, digest) }.joined(), to: folder + "/images")
        }
    }

    /// As kaniko calls it: Docker Hub's registry by its name of old.
    private static func repository(_ location: ImageLocation) -> String {
        guard case .registry("docker.io", let path) = location.repository else { return "\(location.repository)" }
        return "index.docker.io/\(path)"
    }

    private struct ImageLine: Encodable {
        let name: String
        let digest: String
    }

    /// https://cloud.google.com/build/docs/api/reference/rest/v1/projects.builds#builtimage
    private static func line(_ location: ImageLocation, _ digest: Digest) throws -> String {
        let line = ImageLine(name: location.familiar, digest: "\(digest)")
        return String(decoding: try CanonicalJSON.encode(line), as: UTF8.self) + "\n"
    }

    private func put(_ text: String, to file: String) async throws {
        guard file.hasPrefix("https://") else {
            let path = TextFile.absolute(file)
            Self.makeDirectories(above: path)
            return try Self.write(text, to: path)
        }
        var configuration = HTTPConfiguration()
        configuration.userAgent = Version.userAgent
        let url = try HTTPURL(file)
        var request = HTTPRequest("PUT", url, body: .bytes(Array(text.utf8)))
        request.headers["Content-Type"] = "text/plain"
        let response = try await HTTPClient(configuration).send(request, limit: 1 << 16)
        guard response.head.isSuccess else {
            throw AgentError(
                "the digest was not taken", place: "\(url)", cause: "the server answers with status \(response.status)")
        }
    }

    /// Whole or not at all, where that is possible: `/dev/termination-log` of a pod is a mount, which only can be written to.
    static func write(_ text: String, to path: String) throws(AgentError) {
        var status = stat()
        let isThere = stat(path, &status) == 0
        do throws(AgentError) {
            if !isThere || status.st_mode & S_IFMT == S_IFREG { return try TextFile.write(text, to: path) }
        } catch {
            guard isThere else { throw error }
        }
        let descriptor = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw AgentError("cannot write the file", place: path, cause: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw AgentError("cannot write the file", place: path, cause: String(cString: strerror(errno)))
        }
    }

    /// kaniko makes the folder of such a file; a failure shows when the file is written.
    private static func makeDirectories(above path: String) {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        try? FileSystem.makeDirectories(String(path[..<slash]))
    }
}
