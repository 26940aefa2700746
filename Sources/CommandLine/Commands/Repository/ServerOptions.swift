import Agent
import ArgumentParser

/// An agent that is reached by the address of its API: on another machine, say.
package struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Ask the agent at this address, instead of one on this machine, as in https://slipway.example.com.",
            valueName: "url"))
    var server: String?

    @Option(
        name: .customLong("token-file"),
        help: ArgumentHelp("A file with the token for --server (the agent's api.tokenFile).", valueName: "file"))
    var tokenFile: String?

    package init() {}

    package mutating func validate() throws {
        if tokenFile != nil, server == nil { throw ValidationError("--token-file is for --server") }
    }

    /// - Returns: `nil` when no address is given.
    /// - Throws: when nobody answers there.
    func connect() async throws(ControlError) -> AgentClient? {
        guard let server else { return nil }
        return try await AgentClient.connect(server: server, token: try token())
    }

    private func token() throws(ControlError) -> String? {
        guard let tokenFile else { return nil }
        let bytes: [UInt8]
        do throws(AgentError) { bytes = try TextFile.read(tokenFile, limit: 1 << 16) } catch {
            throw ControlError(error)
        }
        let token = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard token.count == 1, token[0].utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw ControlError(
                .invalidRequest, "the file does not hold a token", place: tokenFile,
                hint: "it has one line, without blanks")
        }
        return String(token[0])
    }
}
