/// The arguments of `EXPOSE`, expanded to single ports.
package struct ExposedPorts: Sendable, Equatable {
    /// `80/tcp`, in the order of the arguments.
    package private(set) var ports: [String] = []
    /// Arguments whose protocol is not in lower case.
    private(set) var oddProtocols: [String] = []
    /// Arguments with an address or a port of the host.
    private(set) var mappings: [String] = []

    /// - Parameter words: `port[-range][/protocol]`, with an address and a port of the host before it tolerated.
    /// - Throws: `.argument`, without a place.
    package init(_ words: [String]) throws(DockerfileError) {
        for word in words {
            let parts = word.utf8.split(separator: 0x3a, omittingEmptySubsequences: false).map { String(Substring($0)) }
            let container = parts[parts.count - 1]
            let host = parts.count > 1 ? parts[parts.count - 2] : ""
            let address = parts.dropLast(2).joined(separator: ":")

            let slash = container.utf8.split(separator: 0x2f, maxSplits: 1, omittingEmptySubsequences: false)
            let range = String(Substring(slash[0]))
            let name = slash.count == 2 ? String(Substring(slash[1])) : ""
            let proto = name.isEmpty ? "tcp" : name.lowercased()
            guard ["tcp", "udp", "sctp"].contains(proto) else {
                throw DockerfileError(
                    .argument, "EXPOSE \(quoted(word)) has an unknown protocol", near: word,
                    hint: Suggestion.hint(for: proto, among: ["tcp", "udp", "sctp"]) ?? "it is tcp, udp or sctp")
            }
            if name != name.lowercased() { oddProtocols.append(word) }
            if !address.isEmpty || !host.isEmpty { mappings.append(word) }
            guard address.isEmpty || Self.isAddress(address) else {
                throw DockerfileError(.argument, "EXPOSE \(quoted(word)) has an invalid address", near: word)
            }
            let inside = try Self.range(range, word)
            if !host.isEmpty {
                let outside = try Self.range(host, word)
                guard inside.count == outside.count || inside.count == 1 else {
                    throw DockerfileError(
                        .argument, "EXPOSE \(quoted(word)) has ranges of different lengths", near: word)
                }
            }
            guard ports.count + inside.count <= 200_000 else {
                throw DockerfileError(.limit, "EXPOSE names too many ports", near: word)
            }
            for port in inside { ports.append("\(port)/\(proto)") }
        }
    }

    private static func range(_ text: String, _ word: String) throws(DockerfileError) -> ClosedRange<UInt32> {
        let bounds = text.utf8.split(separator: 0x2d, maxSplits: 1, omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        func port(_ text: String) -> UInt32? { GoValue.unsigned(text).flatMap { $0 <= 65_535 ? $0 : nil } }
        guard let low = port(bounds[0]), let high = port(bounds[bounds.count - 1]) else {
            throw DockerfileError(
                .argument, "EXPOSE \(quoted(word)) is not a port", near: word,
                hint: "write a number from 0 to 65535, or a range such as 8000-8010, with /tcp, /udp or /sctp after it")
        }
        guard low <= high else {
            throw DockerfileError(
                .argument, "the range of EXPOSE \(quoted(word)) ends before it starts", near: word,
                hint: "write \(high)-\(low)")
        }
        return low...high
    }

    private static func isAddress(_ text: String) -> Bool {
        if text.utf8.contains(0x3a) {
            let inner = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
            return inner.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20) || byte == 0x3a || byte == 0x2e
            }
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { GoValue.unsigned(String($0)).map { $0 <= 255 } ?? false }
    }
}
