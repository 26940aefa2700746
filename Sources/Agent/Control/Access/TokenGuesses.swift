import Glibc
import OCI
import Synchronization

/// Bounds how often one address may guess tokens. A token that was right is never held up, so that who shares a proxy with a guesser still
/// gets in.
final class TokenGuesses: Sendable {
    private struct State {
        /// By address: how many wrong tokens came since when, in seconds since 1970.
        var wrong: [String: (count: Int, since: Int64)] = [:]
        /// Digests of tokens that were right.
        var right: Set<Digest> = []
    }

    /// Wrong tokens in `period` seconds.
    static let (limit, period): (Int, Int64) = (20, 60)
    /// Addresses and tokens that are remembered.
    private static let memory = 10_000

    private let clock: any AgentClock
    private let state = Mutex(State())

    init(clock: any AgentClock) { self.clock = clock }

    /// Before a token is compared.
    ///
    /// - Parameter address: of the client; `nil` counts as one address.
    func admit(_ token: String, from address: String?) throws(ControlError) {
        let (now, key) = (clock.now, Self.key(address))
        let digest = Digest.sha256(of: Array(token.utf8))
        let isAdmitted = state.withLock { state in
            guard let entry = state.wrong[key], now - entry.since < Self.period, now >= entry.since else { return true }
            return entry.count < Self.limit || state.right.contains(digest)
        }
        guard isAdmitted else {
            throw ControlError(
                .tooManyAttempts, "too many wrong tokens came from this address", place: "Authorization",
                hint: "wait a minute, and send the token that the agent's file holds")
        }
    }

    func note(_ token: String, isRight: Bool, from address: String?) {
        let (now, key) = (clock.now, Self.key(address))
        let digest = Digest.sha256(of: Array(token.utf8))
        state.withLock { state in
            if isRight {
                if state.right.count >= Self.memory { state.right = [] }
                state.right.insert(digest)
                return
            }
            state.right.remove(digest)
            var entry = state.wrong[key] ?? (0, now)
            if now - entry.since >= Self.period || now < entry.since { entry = (0, now) }
            entry.count += 1
            if state.wrong.count >= Self.memory {
                state.wrong = state.wrong.filter { now - $0.value.since < Self.period }
                // As many addresses at once are one attack.
                if state.wrong.count >= Self.memory { state.wrong = [:] }
            }
            state.wrong[key] = entry
        }
    }

    /// Of IPv6 the network: its 64 bits below are the client's to choose.
    private static func key(_ address: String?) -> String {
        guard let address, address.contains(":") else { return address ?? "" }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, address, &bytes) == 1 else { return address }
        return bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":")
    }
}
