import FoundationEssentials
import Synchronization

/// Decides who may ask for what by the API's address. On the agent's socket nobody is asked: only its own user comes in there.
package final class APIAccess: Sendable {
    /// What a request does.
    package enum Need: Sendable, Equatable {
        /// Tells nothing of repositories: probes, style sheets.
        case nothing
        case reading
        /// Makes the agent work.
        case writing
    }

    /// What a request shows of who sends it.
    package struct Credentials: Sendable {
        let hosts: [String]
        let origin: String?
        let authorization: String?

        /// - Parameters:
        ///   - hosts: the values of all `Host` headers.
        ///   - origin: the `Origin` header.
        ///   - authorization: the `Authorization` header.
        package init(hosts: [String], origin: String?, authorization: String?) {
            self.hosts = hosts
            self.origin = origin
            self.authorization = authorization
        }

        /// The token of `Bearer TOKEN` (RFC 6750), or the password of `Basic …` (RFC 7617) with any user.
        var token: String? {
            guard let authorization, let blank = authorization.firstIndex(of: " ") else { return nil }
            let value = authorization[blank...].drop { $0 == " " }
            switch authorization[..<blank].lowercased() {
            case "bearer": return String(value)
            case "basic":
                guard let bytes = Data(base64Encoded: String(value)),
                    let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
                else { return nil }
                return String(decoding: bytes[bytes.index(after: colon)...], as: UTF8.self)
            default: return nil
            }
        }
    }

    private let address: String
    private let settings: Mutex<APISettings>

    /// - Parameter address: what is listened on.
    package init(_ settings: APISettings = APISettings(), address: String) {
        self.address = address
        self.settings = Mutex(settings)
    }

    /// Takes up another configuration, from the next request on.
    package func adopt(_ settings: APISettings) { self.settings.withLock { $0 = settings } }

    /// - Throws: why the request is refused.
    package func check(_ credentials: Credentials, for need: Need) async throws(ControlError) {
        let settings = settings.withLock(\.self)
        // Probes come by whatever name the machine has.
        guard need != .nothing else { return }
        try HostRule(hosts: settings.hosts, address: address).check(
            hosts: credentials.hosts, origin: credentials.origin)
        switch need {
        case .nothing: break
        case .reading:
            guard let file = settings.readTokenFile else { return }
            if try await knows(credentials, file) { return }
            if let file = settings.tokenFile, try await knows(credentials, file) { return }
            throw Self.refusal(credentials, "reading")
        case .writing:
            guard let file = settings.tokenFile else {
                throw ControlError(
                    .methodNotAllowed, "this address only tells, and does nothing",
                    hint: "set 'api.tokenFile' in the agent's configuration; commands on its machine use its socket")
            }
            guard try await knows(credentials, file) else { throw Self.refusal(credentials, "this") }
        }
    }

    private func knows(_ credentials: Credentials, _ file: String) async throws(ControlError) -> Bool {
        guard let token = credentials.token else { return false }
        return try await TokenFile(path: file).matches(token)
    }

    private static func refusal(_ credentials: Credentials, _ what: String) -> ControlError {
        ControlError(
            .unauthorized,
            credentials.token == nil ? "\(what) needs a token" : "the token is not the agent's", place: "Authorization",
            hint: "send 'Authorization: Bearer TOKEN'; 'slipway' does with --token-file")
    }
}
