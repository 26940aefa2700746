import CloudIdentity
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ObjectStorage

/// Against moto, gcp-storage-emulator and a test server of our own for Azure.
@Suite(.tags(.integration)) struct ObjectStorageTests {
    private final class Collected: Sendable {
        private let state = Mutex<[UInt8]>([])
        func append(_ bytes: UnsafeRawBufferPointer) {
            let part = [UInt8](bytes)
            state.withLock { $0 += part }
        }
        var bytes: [UInt8] { state.withLock { $0 } }
    }

    private func read(
        _ text: String, _ environment: [String: String], limit: Int64 = 1 << 30
    ) async throws -> [UInt8] {
        let collected = Collected()
        let storage = ObjectStorage(CloudEnvironment(environment), pause: .milliseconds(1))
        let count = try await storage.read(try ObjectLocation(text), limit: limit) { bytes in
            collected.append(bytes)
            return true
        }
        #expect(Int(count) == collected.bytes.count)
        return collected.bytes
    }

    private func content(_ directory: TemporaryDirectory) throws -> (file: String, bytes: [UInt8]) {
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 11) }
        let file = directory.file("object")
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return (file, bytes)
    }

    @Test func s3() async throws {
        let directory = try TemporaryDirectory("s3")
        let (file, bytes) = try content(directory)
        let moto = try await ObjectStore.s3(in: directory.path)
        try moto.putToS3("box", "dir/a%20b.tar.gz", file: file)
        try moto.putToS3("box", "context.tar.gz", file: file)
        let proxy = try FaultProxy(before: moto.port)
        let account = [
            "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "letmein", "AWS_SESSION_TOKEN": "session",
            "AWS_REGION": "eu-central-1",
        ]
        let path = account.merging(["S3_ENDPOINT": "http://\(proxy.host)", "S3_FORCE_PATH_STYLE": "true"]) { $1 }
        #expect(try await read("s3://box/dir/a b.tar.gz", path) == bytes)
        let request = try #require(proxy.requests.last)
        #expect(request.target == "/box/dir/a%20b.tar.gz")
        let authorization = try #require(request.headers["authorization"])
        #expect(authorization.contains("/eu-central-1/s3/aws4_request"))
        #expect(authorization.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token"))
        // The bucket in the host's name.
        let port = proxy.host.split(separator: ":")[1]
        #expect(
            try await read("s3://box", account.merging(["S3_ENDPOINT": "http://localhost:\(port)"]) { $1 }) == bytes)
        #expect(proxy.requests.last?.headers["host"] == "box.localhost:\(port)")
        #expect(proxy.requests.last?.target == "/context.tar.gz")
        // A connection that breaks is continued where it broke.
        let before = proxy.requests.count
        proxy.spoil(1, with: .truncated)
        #expect(try await read("s3://box/", path) == bytes)
        let later = proxy.requests[before...]
        #expect(later.count == 2)
        let range = try #require(later.last?.headers["range"])
        #expect(range.hasPrefix("bytes=") && range != "bytes=0-")
        #expect(later.last?.headers["if-match"] != nil)
        proxy.spoil(1, with: .failing)
        #expect(try await read("s3://box/", path) == bytes)

        let missing = await #expect(throws: ObjectStorageError.self) { try await read("s3://box/none", path) }
        #expect(missing?.code == .notFound)
        #expect(missing?.cause?.contains("NoSuchKey") == true)
        let large = await #expect(throws: ObjectStorageError.self) { try await read("s3://box/", path, limit: 1000) }
        #expect(large?.code == .tooLarge)
    }

    @Test func google() async throws {
        let directory = try TemporaryDirectory("gs")
        let (file, bytes) = try content(directory)
        let store = try await ObjectStore.google(bucket: "box", in: directory.path)
        try store.putToGoogle("box", "dir%2Fa%20b.tar.gz", file: file)
        let proxy = try FaultProxy(before: store.port)
        let environment = ["STORAGE_EMULATOR_HOST": proxy.host]
        #expect(try await read("gs://box/dir/a b.tar.gz", environment) == bytes)
        #expect(proxy.requests.last?.headers["authorization"] == nil)
        proxy.spoil(1, with: .truncated)
        #expect(try await read("gs://box/dir/a b.tar.gz", environment) == bytes)
        #expect(proxy.requests.last?.headers["range"] != nil)
        let missing = await #expect(throws: ObjectStorageError.self) { try await read("gs://box/none", environment) }
        #expect(missing?.code == .notFound)
    }

    @Test func azure() async throws {
        let directory = try TemporaryDirectory("azure")
        let (_, bytes) = try content(directory)
        let account = AzureBlobTestServer.Account()
        let name = "https://acme.blob.core.windows.net/box/dir/x.tar.gz"
        let server = try AzureBlobTestServer(account, blobs: ["/box/dir/x.tar.gz": bytes], cut: 100_000)
        let endpoint = ["AZURE_STORAGE_SERVICE_ENDPOINT": server.url]
        let key = endpoint.merging(["AZURE_STORAGE_ACCESS_KEY": account.key]) { $1 }
        // The first answer breaks in the middle; the signature covers the range then.
        #expect(try await read(name, key) == bytes)
        #expect(server.requests.map { $0.headers["range"] } == [nil, "bytes=100000-"])
        #expect(server.requests[1].headers["if-match"] == "\"0x8D\"")
        #expect(try await read(name + "?sv=2021&sig=\(account.signature)", endpoint) == bytes)
        #expect(server.requests.last?.headers["authorization"] == nil)
        let wrong = endpoint.merging(["AZURE_STORAGE_ACCESS_KEY": Data("other".utf8).base64EncodedString()]) { $1 }
        let denied = await #expect(throws: ObjectStorageError.self) { try await read(name, wrong) }
        #expect(denied?.code == .denied)
        #expect(denied?.cause?.contains("AuthenticationFailed") == true)
        let garbage = endpoint.merging(["AZURE_STORAGE_ACCESS_KEY": "not base64!"]) { $1 }
        let unusable = await #expect(throws: ObjectStorageError.self) { try await read(name, garbage) }
        #expect(unusable?.place == "AZURE_STORAGE_ACCESS_KEY")
        // An identity of Entra, from a service of tokens that stands for Microsoft's.
        let tokens = try StubServer { _ in .text(200, #"{"access_token":"entra-token","expires_in":3600}"#) }
        let identity = endpoint.merging([
            "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s",
            "AZURE_AUTHORITY_HOST": tokens.url,
        ]) { $1 }
        #expect(try await read(name, identity) == bytes)
        #expect(String(decoding: tokens.requests[0].body, as: UTF8.self).contains("storage.azure.com"))
    }

    @Test func anObjectThatChangedIsNotPatchedTogether() async throws {
        let server = try StubServer { request in
            if request.headers["range"] != nil {
                return .answer(
                    206, headers: [("ETag", "\"2\""), ("Content-Range", "bytes 3-5/6")], body: Array("xyz".utf8))
            }
            return .raw(Array("HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 6\r\n\r\nabc".utf8))
        }
        let environment = ["S3_ENDPOINT": server.url, "S3_FORCE_PATH_STYLE": "true"]
        let error = await #expect(throws: ObjectStorageError.self) { try await read("s3://box/x", environment) }
        #expect(error?.code == .changed)
    }

    @Test func itIsGivenUpWhenNothingComes() async throws {
        let server = try StubServer { _ in .text(503, "") }
        let environment = ["S3_ENDPOINT": server.url, "S3_FORCE_PATH_STYLE": "true"]
        let error = await #expect(throws: ObjectStorageError.self) { try await read("s3://box/x", environment) }
        #expect(error?.code == .unavailable)
        #expect(server.requests.count == 5)
    }
}
