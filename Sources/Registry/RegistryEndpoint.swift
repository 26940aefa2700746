import HTTP
import Synchronization

/// What was found out about registries' places, for all who ask: reading and writing may have settings of their own, but not
/// another registry.
final class RegistryEndpoints: Sendable {
    private struct Key: Hashable {
        let address: String
        let plain: String?
    }

    private let known = Mutex<[Key: RegistryEndpoint]>([:])

    /// - Parameter plain: where it is if it does not speak TLS; `nil` if it has to.
    func endpoint(_ address: String, plain: String?) -> RegistryEndpoint {
        known.withLock { known in
            let key = Key(address: address, plain: plain)
            let endpoint = known[key] ?? RegistryEndpoint(address, plain: plain)
            known[key] = endpoint
            return endpoint
        }
    }
}

/// Where a registry's API is. For hosts that need not speak TLS, this is found out by the first who asks.
final class RegistryEndpoint: Sendable {
    private enum State: Sendable {
        case settled(String)
        /// Whether TLS works is still to be seen.
        case open(secure: String, plain: String)
        case asking(Task<String, Never>, secure: String)
    }

    private let state: Mutex<State>

    init(_ address: String, plain: String?) {
        state = Mutex(plain.map { .open(secure: address, plain: $0) } ?? .settled(address))
    }

    /// `https://HOST/`, with TLS until it turned out that there is none.
    var address: String {
        state.withLock { state in
            switch state {
            case .settled(let address), .open(let address, _), .asking(_, let address): address
            }
        }
    }

    /// Decides between TLS and plain HTTP, once. TLS is kept where neither answers, so that its error is the one that is told.
    func settle(_ client: HTTPClient) async {
        let task = state.withLock { state -> Task<String, Never>? in
            switch state {
            case .settled: return nil
            case .asking(let task, _): return task
            case .open(let secure, let plain):
                let task = Task {
                    switch await Self.answer(at: secure, client) {
                    case .usable: secure
                    case .notTLS: plain
                    case .none: await Self.answer(at: plain, client) == .usable ? plain : secure
                    }
                }
                state = .asking(task, secure: secure)
                return task
            }
        }
        guard let task else { return }
        let chosen = await task.value
        state.withLock { $0 = .settled(chosen) }
    }

    private enum Answer {
        /// There is one, whatever it says.
        case usable
        /// There is something that does not know what TLS is.
        case notTLS
        case none
    }

    private static func answer(at address: String, _ client: HTTPClient) async -> Answer {
        guard let url = try? HTTPURL(address + "v2/") else { return .none }
        do {
            var request = HTTPRequest("GET", url, timeout: 30)
            // A certificate that is not trusted is a reason to fail later, and none to go on without TLS.
            request.verifiesServer = false
            let response = try await client.send(request, limit: 1 << 16)
            // What a TLS server says to who does not speak TLS.
            return url.isSecure || response.status != 400 ? .usable : .none
        } catch {
            if url.isSecure, error.code == .certificate { return .usable }
            return url.isSecure && error.code == .notTLS ? .notTLS : .none
        }
    }
}
