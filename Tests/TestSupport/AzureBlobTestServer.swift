import Foundation

/// A server of our own that answers as Azure's blob service does to a GET of a blob: with a shared key it checks the
/// signature by what openssl makes of the request, with a signature in the URL or a bearer token it compares these.
///
/// https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key
package final class AzureBlobTestServer: Sendable {
    package struct Account: Sendable {
        package var name = "acme"
        /// Of the shared key.
        package var secret: [UInt8] = Array("a key of the test's own".utf8)
        package var signature = "c2lnbmF0dXJl"
        package var token = "entra-token"

        package init() {}

        package var key: String { Data(secret).base64EncodedString() }
    }

    private let server: StubServer
    package var url: String { server.url }
    package var requests: [StubRequest] { server.requests }

    /// - Parameters:
    ///   - blobs: by path, with the container.
    ///   - cut: how many bytes the first answer has before the connection is reset.
    package init(_ account: Account, blobs: [String: [UInt8]], cut: Int? = nil) throws {
        let first = OneTime()
        server = try StubServer { request in
            guard Self.isAllowed(request, account) else {
                return .text(
                    403,
                    "<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code>"
                        + "<Message>Server failed to authenticate the request.</Message></Error>")
            }
            guard let blob = blobs[request.path] else {
                return .text(404, "<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code></Error>")
            }
            var start = 0
            if let range = request.headers["range"], let number = Int(range.dropFirst(6).prefix { $0 != "-" }) {
                start = number
            }
            let part = Array(blob[start...])
            var head = "HTTP/1.1 \(start > 0 ? 206 : 200) Stub\r\nETag: \"0x8D\"\r\nContent-Length: \(part.count)\r\n"
            if start > 0 { head += "Content-Range: bytes \(start)-\(blob.count - 1)/\(blob.count)\r\n" }
            let bytes = Array((head + "\r\n").utf8)
            if let cut, first.take() { return .raw(bytes + part.prefix(cut)) }
            return .raw(bytes + part)
        }
    }

    private static func isAllowed(_ request: StubRequest, _ account: Account) -> Bool {
        let query = request.target.split(separator: "?", maxSplits: 1).dropFirst().first ?? ""
        if query.split(separator: "&").contains("sig=\(account.signature)") { return true }
        let authorization = request.headers["authorization"] ?? ""
        if authorization == "Bearer \(account.token)" { return request.headers["x-ms-version"] != nil }
        guard request.headers["x-ms-date"]?.hasSuffix("GMT") == true,
            let signature = try? signature(of: request, account)
        else { return false }
        return authorization == "SharedKey \(account.name):\(signature)"
    }

    private static func signature(of request: StubRequest, _ account: Account) throws -> String {
        let names = [
            "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
            "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
        ]
        var text = request.method + "\n"
        for name in names { text += (request.headers[name] ?? "") + "\n" }
        for name in request.headers.keys.filter({ $0.hasPrefix("x-ms-") }).sorted() {
            text += "\(name):\(request.headers[name] ?? "")\n"
        }
        text += "/\(account.name)\(request.path)"
        let hex = account.secret.map { String(format: "%02x", $0) }.joined()
        let output = try Shell.run(
            ["sh", "-c", "openssl dgst -sha256 -mac HMAC -macopt hexkey:\(hex) -binary | base64 -w0"],
            input: Array(text.utf8))
        return output.stdout
    }
}

/// True once.
///
/// `@unchecked Sendable`: the flag is touched under the lock.
private final class OneTime: @unchecked Sendable {
    private let lock = NSLock()
    private var isTaken = false

    func take() -> Bool {
        lock.withLock {
            defer { isTaken = true }
            return !isTaken
        }
    }
}
