import CloudIdentity
import Cryptography
import HTTP
import Text

/// What one read asks for.
struct ObjectRange: Sendable {
    /// Bytes that are here already.
    var offset: Int64 = 0
    /// The version of which they are.
    var etag: String?

    /// `Range`, and that the object must still be the same.
    var headers: HTTPHeaders {
        var headers = HTTPHeaders()
        if offset > 0 {
            headers["Range"] = "bytes=\(offset)-"
            if let etag { headers["If-Match"] = etag }
        }
        return headers
    }
}

/// Amazon S3 and what speaks like it.
///
/// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
struct S3Requests: Sendable {
    let environment: CloudEnvironment
    let identity: AWSIdentity

    /// `S3_ENDPOINT`, as kaniko has it, else `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL`, else Amazon's own.
    private var endpoint: String? {
        guard
            var given = environment["S3_ENDPOINT"] ?? environment["AWS_ENDPOINT_URL_S3"]
                ?? environment["AWS_ENDPOINT_URL"]
        else { return nil }
        if !given.contains("://") { given = "https://" + given }
        while given.hasSuffix("/") { given.removeLast() }
        return given
    }

    private var forcesPathStyle: Bool { ["true", "1"].contains(environment["S3_FORCE_PATH_STYLE"]?.lowercased()) }

    var canChangeRegion: Bool { endpoint == nil }

    func request(
        _ bucket: String, _ key: String, region: String, _ range: ObjectRange, at time: Int64
    ) async throws -> HTTPRequest {
        let path = "/" + ObjectLocation.encoded(key)
        let root = endpoint ?? "https://s3.\(region).amazonaws.com"
        // A certificate for *.s3.… does not count for names with dots.
        let isPathStyle = forcesPathStyle || bucket.contains(".") || bucket.contains("_")
        let mark = root.range(of: "://")
        let text =
            isPathStyle
            ? "\(root)/\(bucket)\(path)"
            : root.prefix(upTo: mark.upperBound) + "\(bucket)." + root.suffix(from: mark.upperBound) + path
        let url = try HTTPURL(String(text))
        var headers = range.headers
        if let credentials = try await identity.credentials() {
            let payload = "UNSIGNED-PAYLOAD"
            headers["X-Amz-Content-Sha256"] = payload
            SignatureV4(credentials: credentials, region: region, service: "s3")
                .sign("GET", url, &headers, payload: payload, at: time)
        }
        return HTTPRequest("GET", url, headers: headers)
    }
}

extension String {
    /// Where a part of a URL is that every URL has.
    fileprivate func range(of part: String) -> Range<Index> { firstRange(of: part) ?? startIndex..<startIndex }
}

/// Google Cloud Storage.
///
/// https://cloud.google.com/storage/docs/json_api/v1/objects/get
struct GoogleRequests: Sendable {
    let environment: CloudEnvironment
    let identity: GoogleIdentity

    func request(_ bucket: String, _ key: String, _ range: ObjectRange) async throws -> HTTPRequest {
        var headers = range.headers
        // Else objects that are stored compressed come unpacked, and ranges of them mean nothing.
        headers["Accept-Encoding"] = "gzip"
        var root = "https://storage.googleapis.com"
        if var emulator = environment["STORAGE_EMULATOR_HOST"] {
            if !emulator.contains("://") { emulator = "http://" + emulator }
            while emulator.hasSuffix("/") { emulator.removeLast() }
            root = emulator
        } else if let token = try await identity.accessToken() {
            headers["Authorization"] = "Bearer \(token)"
        }
        let name = PercentEncoding.encode(key)
        return HTTPRequest(
            "GET", try HTTPURL("\(root)/download/storage/v1/b/\(bucket)/o/\(name)?alt=media"), headers: headers)
    }
}

/// Azure's blobs: a shared access signature in the URL, else the account's key, else an identity of Entra, else nothing.
///
/// https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key
struct AzureRequests: Sendable {
    let environment: CloudEnvironment
    let identity: AzureIdentity
    private static let version = "2021-08-06"

    func request(
        account: String, origin: String, path: String, query: String?, _ range: ObjectRange, at time: Int64
    ) async throws -> HTTPRequest {
        // Another place for the service, as Azure's command line has it: an emulator, a private cloud.
        var root = environment["AZURE_STORAGE_SERVICE_ENDPOINT"] ?? origin
        while root.hasSuffix("/") { root.removeLast() }
        let url = try HTTPURL(root + path + (query.map { "?\($0)" } ?? ""))
        var headers = range.headers
        headers["x-ms-version"] = Self.version
        headers["x-ms-date"] = UTCDate(secondsSince1970: time).http
        if query?.split(separator: "&").contains(where: { $0.hasPrefix("sig=") }) == true {
            headers["x-ms-date"] = nil
        } else if let key = environment["AZURE_STORAGE_ACCESS_KEY"] {
            guard let secret = Encoding.decodeBase64(CloudEnvironment.trimmed(key)) else {
                throw ObjectStorageError(
                    .denied, "the key of the storage account cannot be used", place: "AZURE_STORAGE_ACCESS_KEY",
                    cause: "it is not base64", hint: "give one of the two keys of the account as the portal shows them")
            }
            let signature = HMAC.sha256(Array(Self.textToSign(account, url, headers).utf8), key: secret)
            headers["Authorization"] = "SharedKey \(account):\(Encoding.base64(signature))"
        } else if let token = try await identity.accessToken(for: AzureIdentity.storage) {
            headers["Authorization"] = "Bearer \(token)"
        }
        return HTTPRequest("GET", url, headers: headers)
    }

    static func textToSign(_ account: String, _ url: HTTPURL, _ headers: HTTPHeaders) -> String {
        // Standard headers have a line each: Content-Encoding, -Language, -Length, -MD5, -Type, Date, If-Modified-Since,
        // If-Match, If-None-Match, If-Unmodified-Since, Range.
        let standard = ["", "", "", "", "", "", "", headers["If-Match"] ?? "", "", "", headers["Range"] ?? ""]
        let own = headers.fields.map { ($0.name.lowercased(), $0.value) }.filter { $0.0.hasPrefix("x-ms-") }
            .sorted { $0.0 < $1.0 }.map { "\($0.0):\($0.1)" }
        var resource = "/\(account)\(url.path)"
        if let mark = url.text.firstIndex(of: "?") {
            let fields = url.text[url.text.index(after: mark)...].split(separator: "&").map { field in
                field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            }
            resource += fields.map { "\n\($0[0].lowercased()):\($0.count > 1 ? String($0[1]) : "")" }.sorted().joined()
        }
        return (["GET"] + standard + own + [resource]).joined(separator: "\n")
    }
}
