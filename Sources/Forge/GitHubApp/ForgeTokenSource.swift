import Glibc

/// Where the token for a code host's API comes from.
package protocol ForgeTokenSource: Sendable {
    /// The one to use now.
    func current() async throws(ForgeError) -> String
    /// Takes note of a token that the host refused.
    ///
    /// - Returns: whether another one may do.
    func refused(_ token: String) async -> Bool
}

/// A token that stays.
package struct FixedToken: ForgeTokenSource {
    private let text: String

    package init(_ text: String) { self.text = text }

    package func current() -> String { text }

    package func refused(_ token: String) -> Bool { false }
}

/// The machine's clock.
package enum SystemTime {
    /// Seconds since 1970.
    package static let now: @Sendable () -> Int64 = { Int64(time(nil)) }
}
