import FoundationEssentials
package import HTTP
import Text

/// Small requests to token services and metadata services. They are given where the operator said or where the cloud's
/// documentation says, so plain HTTP is no mistake here, and redirections are not followed.
package struct CloudClient: Sendable {
    private let client: HTTPClient

    init(proxies: Proxies = .environment, connectTimeout: Int = 10) {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .everywhere
        configuration.proxies = proxies
        // Metadata services are on the link, never behind a proxy.
        for host in ["169.254.169.254", "169.254.170.2", "169.254.170.23", "metadata.google.internal"] {
            configuration.proxies.byHost[host] = ""
        }
        configuration.maximumRedirects = 0
        configuration.connectTimeout = connectTimeout
        configuration.stallTimeout = 20
        configuration.timeout = 30
        client = HTTPClient(configuration)
    }

    /// Sends a request, again when the answer is that of a moment.
    func send(
        _ method: String, _ url: String, headers: HTTPHeaders = HTTPHeaders(), form: [(String, String)]? = nil,
        body: [UInt8]? = nil, failing: String
    ) async throws(CloudError) -> HTTPResponse {
        var failure = CloudError(failing)
        for attempt in 0..<3 {
            if attempt > 0 { try? await Task.sleep(for: .milliseconds(200 << attempt)) }
            let response: HTTPResponse
            do throws(HTTPError) {
                var request = HTTPRequest(method, try HTTPURL(url), headers: headers)
                if let form {
                    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
                    request.body = .bytes(Array(PercentEncoding.form(form).utf8))
                } else if let body {
                    request.body = .bytes(body)
                }
                response = try await client.send(request, limit: 1 << 20)
            } catch {
                failure = CloudError(
                    failing, place: error.place, cause: error.summary + (error.cause.map { ": \($0)" } ?? ""),
                    hint: error.hint, isTransient: error.isTransient)
                if error.isTransient { continue }
                throw failure
            }
            if response.head.isSuccess { return response }
            failure = CloudError(
                failing, place: "\(response.head.url)", cause: Self.words(response),
                isTransient: response.status == 429 || response.status >= 500)
            guard failure.isTransient else { throw failure }
        }
        throw failure
    }

    func decode<T: Decodable>(
        _ type: T.Type, _ response: HTTPResponse, failing: String
    ) throws(CloudError) -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(response.body))
        } catch {
            // The decoder's words could repeat a secret.
            throw CloudError(failing, place: "\(response.head.url)", cause: "the answer cannot be read")
        }
    }

    /// Which error, of the fields that the clouds' answers have for people; never the whole answer.
    package static func words(_ response: HTTPResponse) -> String {
        struct Answer: Decodable {
            var error: String?
            var error_description: String?
            var message: String?
            var __type: String?
            var errors: [Item]?
            struct Item: Decodable {
                var code: String?
                var message: String?
            }
        }
        var parts: [String?] = []
        if let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)) {
            parts = [answer.__type ?? answer.error, answer.message ?? answer.error_description]
            parts += (answer.errors ?? []).prefix(2).flatMap { [$0.code, $0.message] }
        } else {
            let text = String(decoding: response.body.prefix(4096), as: UTF8.self)
            parts = [element("Code", of: text), element("Message", of: text)]
        }
        let text = parts.compactMap { $0 }.joined(separator: ": ")
        let visible = printable(text)
        return visible.isEmpty ? "it answered \(response.status)" : "\(visible) (\(response.status))"
    }

    /// The text of the first XML element of a name; for the flat answers of AWS's older services, which have no attributes.
    package static func element(_ name: String, of text: String) -> String? {
        guard let open = text.firstRange(of: "<\(name)>"),
            let close = text[open.upperBound...].firstRange(of: "</\(name)>")
        else { return nil }
        return String(text[open.upperBound..<close.lowerBound])
    }
}
