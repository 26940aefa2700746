import Foundation
import Testing

@testable import Webhooks

/// A whole request of a host, as its public documentation has it, and what has to come of it.
struct RecordedRequest: Decodable, CustomTestStringConvertible {
    let name: String
    let receiver: String
    /// `null`: the host signs nothing, and the receiver believes everybody.
    let secret: String?
    let now: Int64
    let method: String
    let headers: [[String]]
    let body: Data
    let expect: Expectation

    var testDescription: String { name }

    enum CodingKeys: String, CodingKey {
        case name, receiver, secret, now, method, headers, expect
        case body = "body_base64"
    }

    struct Expectation: Decodable {
        /// One status, or the words "2xx" and "2xx or 400".
        let statuses: ClosedRange<Int>
        let takesMalformed: Bool
        let events: [Event]

        enum CodingKeys: String, CodingKey { case status, events }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            events = try container.decode([Event].self, forKey: .events)
            if let status = try? container.decode(Int.self, forKey: .status) {
                (statuses, takesMalformed) = (status...status, false)
            } else {
                statuses = 200...299
                takesMalformed = try container.decode(String.self, forKey: .status).contains("400")
            }
        }
    }

    /// What a body says; a ping says nothing.
    struct Event: Decodable {
        let event: WebhookEvent?

        enum CodingKeys: String, CodingKey { case git, image }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            if var git = try? container.nestedUnkeyedContainer(forKey: .git) {
                event = .git(
                    GitEvent(
                        urls: try git.decode([String].self), ref: try git.decode(String?.self),
                        before: try git.decode(String?.self), after: try git.decode(String?.self),
                        isDeleted: try git.decode(Bool.self)))
            } else if let image = try? container.decode([String?].self, forKey: .image) {
                event = .image(
                    ImageEvent(
                        registry: image[0] ?? "", repository: image[1] ?? "", tag: image[2], digest: image[3]))
            } else {
                event = nil
            }
        }
    }

    static let all: [RecordedRequest] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/requests.json")
        guard let data = try? Data(contentsOf: file),
            let all = try? JSONDecoder().decode([RecordedRequest].self, from: data)
        else { fatalError("\(file.path) cannot be read") }
        return all
    }()

    // MARK: Use

    /// - Parameter isInsecure: whether the receiver believes everybody.
    func webhook(isInsecure: Bool = false) throws -> WebhookReceiver {
        let kind = try #require(WebhookKind(rawValue: receiver == "gitlab-signed" ? "gitlab" : receiver))
        let secrets = isInsecure ? [] : try [secret].compactMap(\.self).map { try WebhookSecret($0, for: kind) }
        return WebhookReceiver(kind: kind, secrets: secrets, registry: kind.needsRegistry ? "(configured)" : nil)
    }

    func request(_ changed: [UInt8]? = nil) -> WebhookRequest {
        WebhookRequest(
            method: method, headers: headers.map { (name: $0[0], value: $0[1]) }, body: changed ?? [UInt8](body))
    }
}

extension WebhookOutcome {
    /// What the sender gets to see.
    var status: Int {
        switch self {
        case .accepted(let events, _): events.isEmpty ? 200 : 202
        case .refused(let refusal): refusal.status
        }
    }

    var events: [WebhookEvent] {
        if case .accepted(let events, _) = self { events } else { [] }
    }
}
