package import HTTP

/// E-mail, by an SMTP server.
package struct MailChannel: NotificationChannel {
    package let name: String
    package let type = NotificationChannelType.email
    package let batchLimit = 20
    /// Without its password.
    private let server: SMTPServer
    private let password: SecretFile?
    private let from: MailAddress
    private let to: [MailAddress]

    package init(name: String, server: SMTPServer, password: SecretFile?, from: MailAddress, to: [MailAddress]) {
        self.name = name
        self.server = server
        self.password = password
        self.from = from
        self.to = to
    }

    package var files: [ChannelFile] {
        [
            password.map { ChannelFile("passwordFile", $0.path) },
            server.certificateBundle.map { ChannelFile("caFile", $0, .certificates) },
        ].compactMap(\.self)
    }

    package func deliver(_ notices: [Notice]) async throws(DeliveryError) -> DeliveryReceipt {
        var server = server
        let secret = try await password?.read()
        server.password = secret
        let message = MailMessage(from: from, to: to, notices: notices).bytes
        do throws(SMTPError) {
            let reply = try await SMTPClient.send(message, from: from.address, to: to.map(\.address), by: server)
            return DeliveryReceipt(host: server.authority, status: reply, answer: "")
        } catch {
            let redaction = Redaction([secret].compactMap(\.self))
            throw DeliveryError(
                error.summary, place: server.authority, cause: error.cause.map { redaction.line($0) }, hint: error.hint,
                status: error.reply, retry: error.isTransient ? .later(after: nil) : .never)
        }
    }
}
