import CloudIdentity
import HTTP
import Text

/// An object of a cloud's storage: `s3://BUCKET/KEY`, `gs://BUCKET/KEY`, or the URL of an Azure blob.
///
/// A bucket alone means its `context.tar.gz`.
package struct ObjectLocation: Sendable, Hashable, CustomStringConvertible {
    package enum Service: Sendable, Hashable {
        case s3(bucket: String, key: String)
        case google(bucket: String, key: String)
        /// The path has its container first, and is encoded as in the URL; `query` is a shared access signature.
        case azure(account: String, origin: String, path: String, query: String?)
    }

    package let service: Service

    package init(_ text: String) throws(ObjectStorageError) {
        if text.hasPrefix("s3://") {
            let (bucket, key) = try Self.bucketAndKey(text.dropFirst(5), text)
            service = .s3(bucket: bucket, key: key)
        } else if text.hasPrefix("gs://") {
            let (bucket, key) = try Self.bucketAndKey(text.dropFirst(5), text)
            service = .google(bucket: bucket, key: key)
        } else {
            service = try Self.azure(text)
        }
    }

    package var description: String {
        switch service {
        case .s3(let bucket, let key): "s3://\(bucket)/\(key)"
        case .google(let bucket, let key): "gs://\(bucket)/\(key)"
        case .azure(_, let origin, let path, _): origin + path
        }
    }

    /// The name that objects have where only the bucket is given.
    private static let standardKey = "context.tar.gz"

    private static func bucketAndKey(
        _ rest: Substring, _ text: String
    ) throws(ObjectStorageError) -> (String, String) {
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let bucket = parts.first ?? ""
        let allowed = bucket.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard !bucket.isEmpty, allowed, bucket.utf8.count <= 222 else {
            throw ObjectStorageError(
                .location, "the location names no bucket", place: printable(text),
                hint: "write it as s3://BUCKET/KEY.tar.gz or gs://BUCKET/KEY.tar.gz")
        }
        let key = parts.count > 1 ? parts[1] : ""
        guard key.utf8.count <= 1024, key.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
            throw ObjectStorageError(.location, "the object's name is not valid", place: printable(text))
        }
        return (bucket, key.isEmpty ? standardKey : key)
    }

    private static func azure(_ text: String) throws(ObjectStorageError) -> Service {
        let url: HTTPURL
        do throws(HTTPError) { url = try HTTPURL(text) } catch {
            throw ObjectStorageError(.location, "the URL of the blob cannot be used", cause: error.cause)
        }
        let account = String(url.host.prefix { $0 != "." })
        let parts = url.path.split(separator: "/", maxSplits: 1)
        guard !account.isEmpty, parts.count == 2 else {
            throw ObjectStorageError(
                .location, "the URL names no blob", place: url.description,
                hint: "write it as https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB.tar.gz")
        }
        let query = url.text.firstIndex(of: "?").map { String(url.text[url.text.index(after: $0)...]) }
        return .azure(
            account: account, origin: url.origin, path: url.path, query: query.flatMap { $0.isEmpty ? nil : $0 })
    }

    /// A key as a path: each part between slashes percent-encoded.
    static func encoded(_ key: String) -> String {
        key.split(separator: "/", omittingEmptySubsequences: false).map { PercentEncoding.encode(String($0)) }
            .joined(separator: "/")
    }
}
