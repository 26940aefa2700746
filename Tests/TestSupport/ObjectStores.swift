import Foundation

/// Stores of objects from PyPI, on free loopback ports: `moto` speaks as S3, `gcp-storage-emulator` as Google Cloud Storage.
package final class ObjectStore: Sendable {
    package let port: Int
    private let server: Server
    package var url: String { "http://127.0.0.1:\(port)" }

    private static let programs =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path + "/.build-venv/bin"

    private init(_ program: String, _ arguments: (Int) -> [String], in directory: String) async throws {
        let path = "\(Self.programs)/\(program)"
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw TestSupportError("\(path) is missing: run scripts/install-deps.sh --test")
        }
        let port = try Server.freePort()
        self.port = port
        let server = try Server([path] + arguments(port), log: "\(directory)/\(program).log")
        self.server = server
        try await waitUntil("\(program) answers") {
            guard server.isRunning else { throw TestSupportError("\(program) ended: \(server.log)") }
            return Server.accepts(port: port)
        }
    }

    package static func s3(in directory: String) async throws -> ObjectStore {
        try await ObjectStore("moto_server", { ["-H", "127.0.0.1", "-p", "\($0)"] }, in: directory)
    }

    package static func google(bucket: String, in directory: String) async throws -> ObjectStore {
        try await ObjectStore(
            "gcp-storage-emulator",
            { ["start", "--host=127.0.0.1", "--port=\($0)", "--in-memory", "--default-bucket=\(bucket)"] },
            in: directory)
    }

    package func putToS3(_ bucket: String, _ key: String, file: String) throws {
        try Shell.run(["curl", "-sSf", "-X", "PUT", "\(url)/\(bucket)"])
        try Shell.run(["curl", "-sSf", "-T", file, "\(url)/\(bucket)/\(key)"])
    }

    package func putToGoogle(_ bucket: String, _ name: String, file: String) throws {
        try Shell.run([
            "curl", "-sSf", "-X", "POST", "-H", "Content-Type: application/gzip", "--data-binary", "@\(file)",
            "\(url)/upload/storage/v1/b/\(bucket)/o?uploadType=media&name=\(name)",
        ])
    }
}
