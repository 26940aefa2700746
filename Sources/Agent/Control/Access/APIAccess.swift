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
        /// What a browser says of the page that makes the request (`Sec-Fetch-Site`, W3C Fetch Metadata).
        package var site: String?
        /// The token that a page's form has.
        package var formToken: String?
        /// Of the client.
        package var address: String?

        /// - Parameters:
        ///   - hosts: the values of all `Host` headers.
        ///   - origin: the `Origin` header.
        ///   - authorization: the `Authorization` header.
        package init(hosts: [String], origin: String?, authorization: String?) {
            self.hosts = hosts
            self.origin = origin
            self.authorization = authorization
        }

        /// - Returns: for writing, the token of `Bearer TOKEN` (RFC 6750) or of a form; for reading, also the password of `Basic …`
        ///   (RFC 7617) with any user. A browser sends that by itself, with each request that any page has it make: so it lets
        ///   its reader look, and nothing more.
        func token(for need: Need) -> String? {
            if need == .writing, let formToken { return formToken.isEmpty ? nil : formToken }
            guard let authorization, let blank = authorization.firstIndex(of: " ") else { return nil }
            let value = authorization[blank...].drop { $0 == " " }
            switch authorization[..<blank].lowercased() {
            case "bearer": return String(value)
            case "basic" where need == .reading:
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
    private let guesses: TokenGuesses

    /// - Parameter address: what is listened on.
    package init(
        _ settings: APISettings = APISettings(), address: String, clock: any AgentClock = SystemClock()
    ) {
        self.address = address
        guesses = TokenGuesses(clock: clock)
        self.settings = Mutex(settings)
    }

    /// Takes up another configuration, from the next request on.
    package func adopt(_ settings: APISettings) { self.settings.withLock { $0 = settings } }

    /// Whether there is a token by which somebody may make the agent work.
    package var takesOrders: Bool { settings.withLock { $0.tokenFile != nil } }

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
            try await demand([file, settings.tokenFile].compactMap(\.self), of: credentials, for: need)
        case .writing:
            guard let file = settings.tokenFile else {
                throw ControlError(
                    .methodNotAllowed, "this address only tells, and does nothing",
                    hint: "set 'api.tokenFile' in the agent's configuration; commands on its machine use its socket")
            }
            try Self.checkSite(credentials)
            try await demand([file], of: credentials, for: need)
        }
    }

    /// A browser says truly which page has it make a request; programs say nothing.
    private static func checkSite(_ credentials: Credentials) throws(ControlError) {
        guard let site = credentials.site, site != "same-origin", site != "none" else { return }
        throw ControlError(
            .forbidden, "a page of another site may not ask the agent", place: "Sec-Fetch-Site",
            hint: "open the agent's own page, and press the button there")
    }

    /// - Parameter files: of tokens; any of them will do.
    private func demand(_ files: [String], of credentials: Credentials, for need: Need) async throws(ControlError) {
        guard let token = credentials.token(for: need) else {
            throw Self.refusal(need == .reading ? "reading needs a token" : "this needs a token", credentials)
        }
        try guesses.admit(token, from: credentials.address)
        var isRight = false
        for file in files where !isRight { isRight = try await TokenFile(path: file).matches(token) }
        guesses.note(token, isRight: isRight, from: credentials.address)
        guard !isRight else { return }
        throw Self.refusal("the token is not the agent's", credentials)
    }

    private static func refusal(_ summary: String, _ credentials: Credentials) -> ControlError {
        credentials.formToken == nil
            ? ControlError(
                .unauthorized, summary, place: "Authorization",
                hint: "send 'Authorization: Bearer TOKEN'; 'slipway' does with --token-file")
            : ControlError(
                .unauthorized, summary, hint: "the file that 'api.tokenFile' names on the agent's machine holds it")
    }
}
