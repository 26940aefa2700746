import Blocking
import Cryptography

/// A secret in a file, read anew for each comparison: a token that is rotated counts from the next request on.
struct TokenFile: Sendable {
    let path: String

    private static let limit = 1 << 16

    /// Whether somebody who shows `candidate` knows the token.
    ///
    /// - Throws: `unavailable` when there is no token in the file: then nobody knows it.
    func matches(_ candidate: String) async throws(ControlError) -> Bool {
        let path = path
        let read: Result<[UInt8], AgentError> = await runBlocking {
            Result { () throws(AgentError) in try TextFile.read(path, limit: Self.limit) }
        }
        var token: [UInt8]
        do throws(AgentError) { token = try read.get() } catch {
            throw ControlError(
                .unavailable, "the API's token cannot be read", place: path, cause: error.cause,
                hint: "the agent's log and its configuration name the file")
        }
        while let last = token.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { token.removeLast() }
        guard !token.isEmpty else {
            throw ControlError(.unavailable, "the file of the API's token is empty", place: path)
        }
        return ConstantTime.isEqual(Array(candidate.utf8), token)
    }
}
