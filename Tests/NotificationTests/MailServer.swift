import Foundation
import TestSupport

/// A real mail server: PyPI's aiosmtpd, in the tests' Python environment.
final class MailServer: Sendable {
    enum Mode: String, Sendable { case plain, startTLS, tls }

    struct Mail: Decodable, Sendable {
        let from: String
        let to: [String]
        /// As it came, with CRLF.
        let content: String
        let user: String?
        let helo: String

        var headers: String { String(content.components(separatedBy: "\r\n\r\n")[0]) }
    }

    let port: Int
    let directory: TemporaryDirectory
    private let server: Server
    private var inbox: String { directory.file("inbox") }

    var caFile: String { directory.file("ca.pem") }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Takes mail for everybody but `never@…` (550) and `later@…` (451).
    private static let script = """
        import json, ssl, sys, time
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import AuthResult, SMTP
        mode, port, directory, wants = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == "auth"
        class Handler:
            async def handle_RCPT(self, server, session, envelope, address, options):
                if address.startswith("never@"): return "550 5.1.1 nobody of this name, password s3cr3t-password"
                if address.startswith("later@"): return "451 4.7.1 greylisted, come again"
                envelope.rcpt_tos.append(address)
                return "250 OK"
            async def handle_DATA(self, server, session, envelope):
                mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "content": envelope.content.decode(),
                        "user": session.auth_data, "helo": session.host_name}
                with open(directory + "/inbox", "a") as file: file.write(json.dumps(mail) + "\\n")
                return "250 2.0.0 taken"
        def authenticate(server, session, envelope, mechanism, data):
            if data.login == b"slipway" and data.password == b"s3cr3t-password":
                return AuthResult(success=True, auth_data="slipway")
            return AuthResult(success=False, handled=False)
        context = None
        if mode != "plain":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(directory + "/server.pem", directory + "/server.key")
        extra = {"ssl_context": context} if mode == "tls" else {"tls_context": context, "require_starttls": mode == "startTLS"}
        controller = Controller(Handler(), hostname="127.0.0.1", port=port, authenticator=authenticate,
                                auth_required=wants, auth_require_tls=mode == "startTLS", **extra)
        controller.start()
        open(directory + "/ready", "w").close()
        while True: time.sleep(60)
        """

    init(_ mode: Mode, wantsLogin: Bool = false) async throws {
        let directory = try TemporaryDirectory("mail")
        self.directory = directory
        if mode != .plain { try TestCertificates.make(in: directory.path) }
        port = try Server.freePort()
        let server = try Server(
            [
                Self.root + "/.build-venv/bin/python", "-c", Self.script, mode.rawValue, "\(port)", directory.path,
                wantsLogin ? "auth" : "open",
            ], log: directory.file("log"))
        self.server = server
        try await waitUntil("the mail server answers") {
            guard server.isRunning else { throw TestSupportError("the mail server ended: \(server.log)") }
            return FileManager.default.fileExists(atPath: directory.file("ready"))
        }
    }

    var mails: [Mail] {
        get throws {
            guard let text = try? String(contentsOfFile: inbox, encoding: .utf8) else { return [] }
            return try text.split(separator: "\n").map { try JSONDecoder().decode(Mail.self, from: Data($0.utf8)) }
        }
    }

    /// A mail as Python's parser understands it: its headers, decoded, and its text.
    func parsed(_ mail: Mail) throws -> [String: String] {
        let script = """
            import email, email.policy, json, sys
            message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
            fields = {name: str(message[name]) for name in message.keys()}
            fields["text"] = message.get_content()
            fields["defects"] = str(message.defects + [d for n in message.keys() for d in message[n].defects])
            print(json.dumps(fields))
            """
        let output = try Shell.run(
            [Self.root + "/.build-venv/bin/python", "-c", script], input: Array(mail.content.utf8))
        return try JSONDecoder().decode([String: String].self, from: Data(output.stdout.utf8))
    }
}
