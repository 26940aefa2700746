import Blocking
import FoundationEssentials

/// A `docker-credential-NAME` program.
///
/// Protocol: https://github.com/docker/docker-credential-helpers#development
struct CredentialHelper: Sendable {
    let name: String
    let searchPath: String

    var isInstalled: Bool { ChildProcess.find("docker-credential-\(name)", in: searchPath) != nil }

    private struct Answer: Decodable {
        var username: String
        var secret: String

        enum CodingKeys: String, CodingKey {
            case username = "Username"
            case secret = "Secret"
        }
    }

    /// `nil` when the helper knows nothing about the host.
    func credentials(for host: String) async throws(RegistryError) -> Credentials? {
        let program = "docker-credential-\(name)"
        guard !name.isEmpty, name.utf8.allSatisfy(Self.isNameByte) else {
            throw RegistryError(.credentials, "'\(name.prefix(100))' cannot be the name of a credential helper")
        }
        // What Docker calls its own registry when it talks to helpers.
        let server = host == "docker.io" ? "https://index.docker.io/v1/" : host
        let path = searchPath
        let result = try await runBlocking { () throws(RegistryError) in
            try HelperProcess.run(
                program, ["get"], searchPath: path, input: Array(server.utf8), outputLimit: 1 << 16,
                timeout: .seconds(30))
        }
        guard result.status == 0 else {
            let message = String(decoding: result.output + result.errors, as: UTF8.self)
            if message.contains("credentials not found") || message.contains("no credentials server URL") { return nil }
            // A helper that fails may print anything, a secret too: its words are not repeated.
            throw RegistryError(
                .credentials, "\(program) failed for \(host)", cause: "it exited with \(result.status)",
                hint: "run: echo \(server) | \(program) get")
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(result.output)) else {
            throw RegistryError(.credentials, "\(program) gave no credentials that can be read for \(host)")
        }
        if answer.username == "<token>" { return .identityToken(answer.secret) }
        return answer.username.isEmpty && answer.secret.isEmpty
            ? nil : .basic(user: answer.username, password: answer.secret)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
