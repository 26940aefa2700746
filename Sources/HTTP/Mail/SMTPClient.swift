import Blocking
import CCurl
import Glibc

/// Sends mail over libcurl.
package enum SMTPClient {
    /// Sends a message to all recipients, or to none.
    ///
    /// - Parameters:
    ///   - message: whose lines end in CRLF. Dots at their beginnings are doubled here.
    ///   - from: an address alone, as those of the recipients.
    /// - Returns: the server's last reply.
    package static func send(
        _ message: [UInt8], from: String, to recipients: [String], by server: SMTPServer
    ) async throws(SMTPError) -> Int {
        try check(message, [from] + recipients, server)
        let cancellation = Cancellation()
        let result: Result<Int, SMTPError> = await withTaskCancellationHandler {
            if Task.isCancelled { cancellation.cancel() }
            return await runBlocking {
                Result { () throws(SMTPError) in
                    try MailTransfer(message, from, recipients, server, cancellation).run()
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }

    /// A line end in an address would be another command, and one that is not CRLF another message to some servers.
    private static func check(
        _ message: [UInt8], _ addresses: [String], _ server: SMTPServer
    ) throws(SMTPError) {
        for address in addresses {
            guard
                address.utf8.allSatisfy({
                    (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">")
                })
            else { throw SMTPError("an address has characters that no address has") }
        }
        var before: UInt8 = 0
        for byte in message {
            guard (byte == 0x0a) == (before == 0x0d) else { throw SMTPError("a line of the mail does not end in CRLF") }
            before = byte
        }
        guard before != 0x0d else { throw SMTPError("a line of the mail does not end in CRLF") }
        guard server.host.utf8.allSatisfy(isOfName), server.helloName.utf8.allSatisfy(isOfName), !server.host.isEmpty
        else { throw SMTPError("'\(server.host)' is not the name of a mail server") }
        guard server.password == nil || server.security != .none else {
            throw SMTPError("a password is not sent without TLS", hint: "set 'tls' to starttls or tls")
        }
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3a, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."): true
        default: false
        }
    }
}

/// One mail on its way. Lives on the thread that sends it.
private final class MailTransfer {
    private let message: [UInt8]
    private let from: String
    private let recipients: [String]
    private let server: SMTPServer
    private let cancellation: Cancellation
    private var sent = 0

    init(
        _ message: [UInt8], _ from: String, _ recipients: [String], _ server: SMTPServer, _ cancellation: Cancellation
    ) {
        self.message = message
        self.from = from
        self.recipients = recipients
        self.server = server
        self.cancellation = cancellation
    }

    func run() throws(SMTPError) -> Int {
        let handle: EasyHandle
        do throws(HTTPError) { handle = try HandlePool(capacity: 0).take("") } catch {
            throw SMTPError(error.summary, cause: error.cause)
        }
        let curl = handle.raw
        let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        defer { errorText.deallocate() }
        var list: UnsafeMutablePointer<curl_slist>?
        for address in recipients { list = curl_slist_append(list, "<\(address)>") }
        defer { curl_slist_free_all(list) }
        slipway_curl_set_pointer(curl, CURLOPT_ERRORBUFFER, errorText)
        slipway_curl_set_list(curl, CURLOPT_MAIL_RCPT, list)
        setOptions(curl)
        setCallbacks(curl)
        let code = withExtendedLifetime(self) { curl_easy_perform(curl) }
        var reply = 0
        slipway_curl_get_long(curl, CURLINFO_RESPONSE_CODE, &reply)
        slipway_curl_set_pointer(curl, CURLOPT_ERRORBUFFER, nil)
        guard code == CURLE_OK else { throw explain(code, String(cString: errorText), reply) }
        return reply
    }

    private func setOptions(_ curl: UnsafeMutableRawPointer) {
        func set(_ option: CURLoption, _ value: Int) { slipway_curl_set_long(curl, option, value) }
        func set(_ option: CURLoption, _ value: String) { slipway_curl_set_string(curl, option, value) }
        // The path is the name in EHLO.
        set(CURLOPT_URL, "\(server.security == .tls ? "smtps" : "smtp")://\(server.authority)/\(server.helloName)")
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        // "Try" would send in clear where somebody in between takes STARTTLS away.
        set(CURLOPT_USE_SSL, Int(server.security == .none ? CURLUSESSL_NONE.rawValue : CURLUSESSL_ALL.rawValue))
        set(CURLOPT_NOSIGNAL, 1)
        slipway_curl_close_sockets_on_exec(curl)
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NOPROXY, "")
        set(CURLOPT_CONNECTTIMEOUT, 10)
        set(CURLOPT_TIMEOUT, 60)
        set(CURLOPT_MAIL_FROM, "<\(from)>")
        set(CURLOPT_UPLOAD, 1)
        slipway_curl_set_offset(curl, CURLOPT_INFILESIZE_LARGE, curl_off_t(message.count))
        if let bundle = server.certificateBundle {
            set(CURLOPT_CAINFO, bundle)
        } else if !EnvironmentCertificates.bundle.isEmpty {
            EnvironmentCertificates.bundle.withUnsafeBytes {
                _ = slipway_curl_set_blob(curl, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count)
            }
        }
        if let username = server.username { set(CURLOPT_USERNAME, username) }
        if let password = server.password { set(CURLOPT_PASSWORD, password) }
    }

    private func setCallbacks(_ curl: UnsafeMutableRawPointer) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        for option in [CURLOPT_READDATA, CURLOPT_XFERINFODATA] { slipway_curl_set_pointer(curl, option, context) }
        slipway_curl_set_data_callback(curl, CURLOPT_READFUNCTION) { bytes, size, count, context in
            guard let bytes, let transfer = MailTransfer.of(context) else { return Int(CURL_READFUNC_ABORT) }
            return transfer.give(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
        }
        // What the server says goes nowhere: libcurl would print it.
        slipway_curl_set_data_callback(curl, CURLOPT_WRITEFUNCTION) { _, size, count, _ in size * count }
        slipway_curl_set_long(curl, CURLOPT_NOPROGRESS, 0)
        slipway_curl_set_progress_callback(curl) { context, _, _, _, _ in
            MailTransfer.of(context)?.cancellation.isCancelled == true ? 1 : 0
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> MailTransfer? {
        context.map { Unmanaged<MailTransfer>.fromOpaque($0).takeUnretainedValue() }
    }

    private func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, message.count - sent)
        guard count > 0 else { return 0 }
        message.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[sent..<sent + count])) }
        sent += count
        return count
    }

    // MARK: Failures

    private func explain(_ code: CURLcode, _ text: String, _ reply: Int) -> SMTPError {
        let cause = text.isEmpty ? String(cString: curl_easy_strerror(code)) : text
        let refusal = reply >= 400 ? reply : nil
        func error(_ summary: String, hint: String? = nil, passes: Bool) -> SMTPError {
            SMTPError(
                summary, cause: cause, hint: hint, reply: refusal,
                isTransient: refusal.map { $0 < 500 } ?? passes)
        }
        switch code {
        case CURLE_ABORTED_BY_CALLBACK where cancellation.isCancelled:
            return SMTPError("the mail was cancelled", isTransient: true)
        case CURLE_COULDNT_RESOLVE_HOST: return error("cannot find the mail server", passes: true)
        case CURLE_COULDNT_CONNECT: return error("cannot connect to the mail server", passes: true)
        case CURLE_OPERATION_TIMEDOUT: return error("the mail server does not answer in time", passes: true)
        case CURLE_USE_SSL_FAILED:
            return SMTPError(
                "the mail server offers no STARTTLS", cause: cause,
                hint: "set 'tls: tls' for a server that speaks TLS from the start")
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE:
            return error(
                "the certificate of the mail server is not trusted", hint: "name its authority's file as 'caFile'",
                passes: false)
        case CURLE_SSL_CONNECT_ERROR:
            return error("no TLS with the mail server", hint: "check 'port' and 'tls'", passes: false)
        case CURLE_LOGIN_DENIED:
            return error(
                "the mail server refuses the login", hint: "check 'username' and 'passwordFile'", passes: false)
        default:
            guard refusal != nil else { return error("the mail was not sent", passes: true) }
            return error("the mail server refuses the mail", passes: false)
        }
    }
}
