import Glibc

/// Where a replica answers: what it writes to the Lease, `http://10.0.0.7:8080`.
package struct LeaderPlace: Sendable, Hashable {
    package let isTLS: Bool
    /// An IP address: no name server has a say in where the API's tokens go.
    package let host: String
    package let port: Int

    package init(isTLS: Bool, host: String, port: Int) {
        self.isTLS = isTLS
        self.host = host
        self.port = port
    }

    /// - Returns: `nil` for anything else than a scheme, an IP address and a port.
    package init?(_ text: String) {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return nil }
        guard let address = try? ListenAddress(String(text.dropFirst(scheme.count))), address.port > 0,
            Self.isAddress(address.host)
        else { return nil }
        self.init(isTLS: scheme == "https://", host: address.host, port: address.port)
        guard self.text == text else { return nil }
    }

    /// Where others reach what listens on an address.
    ///
    /// - Parameter pod: the pod's IP address.
    /// - Returns: `nil` where that is not known.
    package init?(listening text: String?, isTLS: Bool, pod: String?) {
        guard let address = text.flatMap({ try? ListenAddress($0) }), address.port > 0 else { return nil }
        let isOpen = ["", "0.0.0.0", "::", "*"].contains(address.host)
        let host = isOpen ? pod ?? "" : address.host
        guard Self.isAddress(host) else { return nil }
        self.init(isTLS: isTLS, host: host, port: address.port)
    }

    package var text: String {
        "\(isTLS ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    private static func isAddress(_ host: String) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16)
        return inet_pton(host.contains(":") ? AF_INET6 : AF_INET, host, &buffer) == 1
    }
}

/// The replica that leads, as the Lease has it.
package struct Leader: Sendable, Equatable {
    package let identity: String
    /// Where its API is; `nil`: it cannot be reached.
    package let api: LeaderPlace?
    /// Where it takes webhooks.
    package let webhooks: LeaderPlace?
}
