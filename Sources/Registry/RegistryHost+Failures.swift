import FoundationEssentials
import HTTP
import Synchronization
import Text

extension RegistryHost {
    /// The list of errors of the API: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes.
    /// Token services answer in other shapes, which are read too.
    private struct Answer: Decodable {
        struct Item: Decodable {
            struct Detail: Decodable {
                var digest: String?

                enum CodingKeys: String, CodingKey {
                    case digest = "Digest"
                }

                /// The detail has any shape; only distribution's own is of use: a digest, or an object with one.
                init(from decoder: any Decoder) throws {
                    digest = try? decoder.singleValueContainer().decode(String.self)
                    let container = try? decoder.container(keyedBy: CodingKeys.self)
                    digest = digest ?? (try? container?.decode(String.self, forKey: .digest))
                }
            }

            var code: String?
            var message: String?
            var detail: Detail?
        }

        var errors: [Item]?
        var details: String?
        var message: String?
    }

    /// The error that an answer means, in the registry's own words where it has some.
    nonisolated func failure(_ response: HTTPResponse, _ summary: String, _ place: String) -> RegistryError {
        let status = response.status
        let words = Self.words(response)
        var hint: String?
        let code: RegistryError.Code
        switch status {
        case 401:
            code = .unauthorized
            hint =
                hasPasswordWithNewline.withLock { $0 }
                ? "the password for \(name) ends in a newline, which is sent as a part of it: write it without, for example "
                    + "by printf '%s' instead of echo"
                : "log in, for example with 'docker login \(name)', or check the credentials in config.json"
        case 403: code = .denied
        case 413:
            code = .tooLarge
            hint =
                "a proxy in front of the registry may limit the size of requests: raise the limit (nginx: "
                + "client_max_body_size 0), or send parts by 'uploadChunkMiB' for \(name) under 'registries'"
        case 429: code = .rateLimited
        case 408, 500...599: code = .unavailable
        case 405: code = .unsupported
        case 415:
            code = .unsupported
            hint =
                "\(name) does not take this media type: try the other --image-format (oci or docker), and --compression gzip"
        case 400 where words.contains("MANIFEST_BLOB_UNKNOWN"), 404 where words.contains("MANIFEST_BLOB_UNKNOWN"):
            code = .contentMissing
        case 404: code = .notFound
        case 400 where words.contains("DIGEST_INVALID"): code = .digestMismatch
        case 400 where words.contains("HTTP request to an HTTPS server"):
            code = .tls
            hint = "the registry speaks TLS: do not declare \(name) as insecure"
        default: code = .invalidContent
        }
        // A manifest's part that is missing may be there in a moment: whoever writes a manifest brought its parts before, and CNCF
        // Distribution does not find a blob while another writer brings the same one.
        let isTransient = [408, 429, 500, 502, 503, 504].contains(status) || code == .contentMissing
        let pause = RetryAfter.seconds(response.headers)
        return RegistryError(
            code, summary, place: place, cause: words.isEmpty ? "the registry answered \(status)" : words, hint: hint,
            status: status, retryAfter: isTransient ? pause : nil, isTransient: isTransient)
    }

    private static func words(_ response: HTTPResponse) -> String {
        let text: String
        if let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)) {
            let items = (answer.errors ?? []).prefix(5).map { item in
                [item.code, item.message, item.detail?.digest].compactMap { $0 }.filter { !$0.isEmpty }.joined(
                    separator: ": ")
            }
            text = items.isEmpty ? answer.details ?? answer.message ?? "" : items.joined(separator: "; ")
        } else if response.headers["Content-Type"]?.lowercased().hasPrefix("text/plain") ?? true {
            text = String(decoding: response.body.prefix { $0 != 0x0a }, as: UTF8.self)
        } else {
            text = ""
        }
        let result = printable(text, limit: 400)
        return result.isEmpty ? "" : "\(result) (\(response.status))"
    }
}
