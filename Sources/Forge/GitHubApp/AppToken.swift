import Cryptography
import FoundationEssentials

/// The JSON Web Token by which a GitHub App says who it is (docs.github.com/apps, *Generating a JSON Web Token*; RFC 7519, RS256
/// of RFC 7518).
enum AppToken {
    /// Seconds by which it claims to be older than it is: clocks differ.
    private static let allowance: Int64 = 60
    /// Seconds for which it counts. GitHub takes ten minutes at most, by its own clock.
    private static let lifetime: Int64 = 480

    /// - Parameters:
    ///   - issuer: the App's client ID, or its number.
    ///   - key: PEM.
    ///   - now: GitHub's time, in seconds since 1970.
    static func make(issuer: String, key: String, now: Int64) throws(ForgeError) -> String {
        struct Header: Encodable {
            let alg = "RS256"
            let typ = "JWT"
        }
        struct Claims: Encodable {
            let exp: Int64
            let iat: Int64
            let iss: String
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let claims = Claims(exp: now + lifetime, iat: now - allowance, iss: issuer)
        guard let header = try? encoder.encode(Header()), let body = try? encoder.encode(claims) else {
            throw ForgeError(.invalid, "the App's token cannot be written", place: "git.github.appId")
        }
        let text = Encoding.base64URL([UInt8](header)) + "." + Encoding.base64URL([UInt8](body))
        do throws(CryptographyError) {
            let signature = try RSAPrivateKey(pem: key).signature(of: Array(text.utf8))
            return text + "." + Encoding.base64URL(signature)
        } catch {
            throw ForgeError(
                .authentication, error.summary, place: "git.github.privateKeyFile",
                hint: error.hint ?? "generate a private key on the App's page, and put the file in this place")
        }
    }
}
