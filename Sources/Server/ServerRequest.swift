import Agent
import NIOHTTP1
import Telemetry
import Text

/// A request that arrived as a whole.
struct ServerRequest: Sendable {
    let method: HTTPMethod
    /// Path and query, as they came.
    let target: String
    /// The parts of the path, decoded; `nil` where one cannot be.
    let path: [String]?
    let query: [String: String]
    let headers: HTTPHeaders
    let body: [UInt8]
    /// Whether a person looks at the answer: a browser asks so, and programs that say nothing else get what they always got.
    let isForPage: Bool
    /// The client's IP address; `nil` on a Unix socket.
    let address: String?

    init(_ head: HTTPRequestHead, body: [UInt8], from address: String? = nil) {
        self.address = address
        method = head.method
        target = head.uri
        headers = head.headers
        isForPage = head.headers["Accept"].contains { $0.lowercased().contains("text/html") }
        self.body = body
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let names = (parts.first ?? "").split(separator: "/", omittingEmptySubsequences: true)
        let decoded = names.compactMap { PercentEncoding.decode($0) }
        path = decoded.count == names.count ? decoded : nil
        query = parts.count > 1 ? Self.fields(parts[1]) : [:]
    }

    /// Of `a=b&c=d`.
    private static func fields(_ text: some StringProtocol) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = sides.first.flatMap({ PercentEncoding.decode($0) }) else { continue }
            fields[name] = sides.count > 1 ? Self.formDecoded(sides[1]) : ""
        }
        return fields
    }

    /// The fields of a page's form; `nil` for another body.
    var form: [String: String]? {
        let type = headers.first(name: "Content-Type")?.split(separator: ";").first?.lowercased() ?? ""
        guard type == "application/x-www-form-urlencoded" else { return nil }
        return Self.fields(String(decoding: body, as: UTF8.self))
    }

    /// Whether another replica passed it on.
    var wasPassedOn: Bool { headers.contains(name: LeaderLink.passedHeader) }

    /// In which form metrics are wanted.
    var metricsFormat: MetricsFormat { MetricsFormat(accept: headers["Accept"]) }

    /// What it shows of who sends it.
    var credentials: APIAccess.Credentials {
        var credentials = APIAccess.Credentials(
            hosts: headers["Host"], origin: headers.first(name: "Origin"),
            authorization: headers.first(name: "Authorization"))
        credentials.site = headers.first(name: "Sec-Fetch-Site")?.lowercased()
        credentials.address = address
        return credentials
    }

    /// A form's field has `+` where a space was.
    private static func formDecoded(_ text: some StringProtocol) -> String {
        PercentEncoding.decode(text.map { $0 == "+" ? "%20" : String($0) }.joined()) ?? ""
    }

    /// A parameter that is a number.
    func number(_ name: String, in range: ClosedRange<Int>, otherwise: Int) throws(ControlError) -> Int {
        guard let text = query[name] else { return otherwise }
        guard let value = Int(text), range.contains(value) else {
            throw ControlError(
                .invalidRequest, "'\(name)' is not a number from \(range.lowerBound) to \(range.upperBound)",
                place: name)
        }
        return value
    }
}
