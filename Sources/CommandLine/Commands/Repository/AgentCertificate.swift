import Agent
import Logging
import Server

/// The certificate of the agent's servers, over reloads.
struct AgentCertificate: Sendable {
    /// `nil`: they speak HTTP without TLS.
    let tls: ServerTLS?

    static func load(_ settings: TLSSettings?) async throws(AgentError) -> AgentCertificate {
        guard let settings else { return AgentCertificate(tls: nil) }
        return AgentCertificate(tls: try await ServerTLS.load(settings))
    }

    /// Takes up the files as a reload finds them. Those that cannot be used leave the certificate as it was.
    func adopt(_ settings: TLSSettings?, _ log: Logger) async {
        guard let tls, let settings else {
            if (tls == nil) != (settings == nil) {
                log.warning("tls stays \(tls == nil ? "off" : "on") until the agent is restarted")
            }
            return
        }
        do throws(AgentError) {
            if try await tls.reload(settings) {
                log.notice("another certificate is shown", metadata: ["file": "\(settings.certFile)"])
            }
        } catch {
            log.error(
                "the new certificate cannot be used: the old one stays", metadata: ["error": "\(error)"])
        }
    }
}
