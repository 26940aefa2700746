import Cryptography
package import HTTP
import Text

/// Signs requests to AWS.
///
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
package struct SignatureV4: Sendable {
    package let credentials: AWSCredentials
    package let region: String
    package let service: String

    package init(credentials: AWSCredentials, region: String, service: String) {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// Adds `X-Amz-Date`, `X-Amz-Security-Token` and `Authorization`. All headers that are there are signed, and `Host`.
    ///
    /// - Parameters:
    ///   - payload: the hash of the body in hexadecimal digits; `UNSIGNED-PAYLOAD` where the service allows it.
    ///   - time: seconds since 1970.
    package func sign(
        _ method: String, _ url: HTTPURL, _ headers: inout HTTPHeaders, payload: String, at time: Int64
    ) {
        let stamp = Self.stamp(time)
        headers["X-Amz-Date"] = stamp
        if let token = credentials.sessionToken { headers["X-Amz-Security-Token"] = token }
        var fields = headers.fields.map { ($0.name.lowercased(), Self.collapsed($0.value)) }
        fields.append(("host", url.authority))
        fields.sort { $0.0 < $1.0 }
        let names = fields.map(\.0).joined(separator: ";")
        let canonical = [
            method, Self.canonicalPath(url.path, encodedTwice: service != "s3"), Self.canonicalQuery(url),
            fields.map { "\($0.0):\($0.1)\n" }.joined(), names, payload,
        ].joined(separator: "\n")
        let day = String(stamp.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n\(Self.hash(canonical))"
        var key = Array("AWS4\(credentials.secretKey)".utf8)
        for part in [day, region, service, "aws4_request"] { key = HMAC.sha256(Array(part.utf8), key: key) }
        let signature = Encoding.hexadecimal(HMAC.sha256(Array(text.utf8), key: key))
        headers["Authorization"] =
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
    }

    package static func hash(_ text: String) -> String { Encoding.hexadecimal(SHA256.hash(Array(text.utf8))) }

    private static func collapsed(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }

    private static func canonicalPath(_ path: String, encodedTwice: Bool) -> String {
        guard encodedTwice else { return path.isEmpty ? "/" : path }
        return path.split(separator: "/", omittingEmptySubsequences: false).map { PercentEncoding.encode(String($0)) }
            .joined(separator: "/")
    }

    private static func canonicalQuery(_ url: HTTPURL) -> String {
        guard let mark = url.text.firstIndex(of: "?") else { return "" }
        return url.text[url.text.index(after: mark)...].split(separator: "&").map { field in
            field.contains("=") ? String(field) : "\(field)="
        }.sorted().joined(separator: "&")
    }

    /// `20150830T123600Z`.
    static func stamp(_ time: Int64) -> String { UTCDate(secondsSince1970: time).basic }
}
