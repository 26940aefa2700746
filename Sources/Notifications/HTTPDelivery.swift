import HTTP

/// How a channel's host is reached.
package struct ChannelTransport: Sendable, Equatable {
    package var userAgent: String
    /// Certificates (PEM) that are trusted beside the system's.
    package var caFile: String?
    /// Plain HTTP.
    package var isInsecure: Bool

    package init(userAgent: String, caFile: String? = nil, isInsecure: Bool = false) {
        self.userAgent = userAgent
        self.caFile = caFile
        self.isInsecure = isInsecure
    }

    var files: [ChannelFile] { caFile.map { [ChannelFile("caFile", $0, .certificates)] } ?? [] }
}

/// One request to a channel's host. Whatever goes wrong is told without the URL, which is a secret for most.
struct HTTPDelivery: Sendable {
    let transport: ChannelTransport
    let redaction: Redaction

    private static let answerLimit = 1 << 14

    /// - Parameters:
    ///   - url: as it is to be sent, byte for byte.
    ///   - body: of JSON, or of what the headers say.
    func send(
        _ method: String, to url: String, headers: HTTPHeaders, body: [UInt8]
    ) async throws(DeliveryError) -> HTTPResponse {
        let address: HTTPURL
        do throws(HTTPError) { address = try HTTPURL(url) } catch {
            throw DeliveryError(
                "the channel's URL cannot be used", cause: error.cause.map { redaction.line($0) },
                hint: "it begins with https:// and holds neither blanks nor a user name")
        }
        var configuration = HTTPConfiguration()
        configuration.userAgent = transport.userAgent
        // A secret must not follow a redirection.
        configuration.maximumRedirects = 0
        configuration.connectTimeout = 10
        configuration.stallTimeout = 20
        configuration.timeout = 30
        if transport.isInsecure { configuration.plainHTTP = .hosts([address.host]) }
        if let file = transport.caFile { configuration.trust[address.host] = .init(certificateBundle: file) }
        let request = HTTPRequest(method, address, headers: headers, body: .bytes(body))
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await HTTPClient(configuration).send(request, limit: Self.answerLimit)
        } catch {
            throw told(error, address)
        }
        guard response.head.isSuccess else { throw refusal(response, address) }
        return response
    }

    private func told(_ error: HTTPError, _ url: HTTPURL) -> DeliveryError {
        switch error.code {
        case .redirect:
            return DeliveryError(
                "the host redirects the request, which is not followed", place: url.authority,
                hint: "use the URL that the host shows today")
        case .plainHTTPRefused:
            return DeliveryError(
                "plain HTTP is not allowed to \(url.authority)", place: url.authority,
                hint: "use https://, or set 'insecure: true'")
        case .tooLarge:
            return DeliveryError("the host's answer is too large", place: url.authority)
        default:
            let mayPass = error.isTransient || error.code == .cancelled
            return DeliveryError(
                redaction.line(error.summary), place: url.authority, cause: error.cause.map { redaction.line($0) },
                hint: error.hint.map { redaction.line($0) }, retry: mayPass ? .later(after: nil) : .never)
        }
    }

    private func refusal(_ response: HTTPResponse, _ url: HTTPURL) -> DeliveryError {
        let answer = redaction.line(String(decoding: response.body, as: UTF8.self))
        let after = RetryAfter.seconds(response.headers)
        let mayPass = [408, 425, 429].contains(response.status) || response.status >= 500
        return DeliveryError(
            "the host answered \(response.status)", place: url.authority, cause: answer.isEmpty ? nil : answer,
            hint: Self.hint(response.status), status: response.status,
            retry: mayPass ? .later(after: after) : .never)
    }

    private static func hint(_ status: Int) -> String? {
        switch status {
        case 401, 403: "check the channel's secret"
        case 404, 410: "the URL or the channel is gone: make a new one at the host"
        default: nil
        }
    }

    func receipt(_ response: HTTPResponse) -> DeliveryReceipt {
        DeliveryReceipt(
            host: response.head.url.authority, status: response.status,
            answer: redaction.line(String(decoding: response.body, as: UTF8.self)))
    }
}
