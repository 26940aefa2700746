import CCurl
import Glibc

/// One request on one handle: the options, the callbacks and what they gather. Lives on the thread that runs it.
final class Transfer {
    private let request: HTTPRequest
    private let configuration: HTTPConfiguration
    private let receiver: (any BodyReceiver)?
    private let limit: Int
    private let cancellation: Cancellation

    private var file: Int32 = -1
    /// Where the body begins in its file.
    private var bodyStart: Int64 = 0
    /// -1 while nobody knows it, as libcurl says it.
    private var bodySize: Int64 = 0
    private var sent: Int64 = 0

    private var status = 0
    private var version = ""
    private var headers = HTTPHeaders()
    private var headerBytes = 0
    /// Whether the empty line after the headers came.
    private var isHeadComplete = false
    private var hasBegun = false
    private var memory: [UInt8] = []
    /// Set by a callback that stops the transfer; wins over what libcurl says.
    private var failure: HTTPError?

    init(
        _ request: HTTPRequest, configuration: HTTPConfiguration, receiver: (any BodyReceiver)?, limit: Int,
        cancellation: Cancellation
    ) {
        self.request = request
        self.configuration = configuration
        self.receiver = receiver
        self.limit = limit
        self.cancellation = cancellation
    }

    deinit {
        if file >= 0 { close(file) }
    }

    func run(on handle: EasyHandle) throws(HTTPError) -> HTTPResponse {
        try openBody()
        let curl = handle.raw
        let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        defer { errorText.deallocate() }
        let list = try headerList()
        defer { curl_slist_free_all(list) }
        slipway_curl_set_pointer(curl, CURLOPT_ERRORBUFFER, errorText)
        slipway_curl_set_list(curl, CURLOPT_HTTPHEADER, list)
        try setOptions(curl)
        setCallbacks(curl)
        let code = withExtendedLifetime(self) { curl_easy_perform(curl) }
        // The handle outlives the buffer.
        slipway_curl_set_pointer(curl, CURLOPT_ERRORBUFFER, nil)
        if let failure { throw failure }
        guard code == CURLE_OK else { throw explain(code, String(cString: errorText)) }
        // libcurl takes the end of the connection for the end of the headers.
        guard isHeadComplete else {
            throw HTTPError(
                .interrupted, "the connection to \(request.url.authority) broke", place: place,
                cause: "it ended in the middle of the headers")
        }
        if !begin() { throw stopped() }
        return HTTPResponse(head: head, body: memory)
    }

    private var head: HTTPHead {
        HTTPHead(status: status, headers: headers, url: request.url, version: version)
    }

    // MARK: Options

    private func setOptions(_ curl: UnsafeMutableRawPointer) throws(HTTPError) {
        func set(_ option: CURLoption, _ value: Int) { slipway_curl_set_long(curl, option, value) }
        func set(_ option: CURLoption, _ value: String) { slipway_curl_set_string(curl, option, value) }
        let url = request.url
        set(CURLOPT_URL, url.text)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_PATH_AS_IS, 1)
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_USERAGENT, configuration.userAgent)
        if request.decodesAnswer { set(CURLOPT_ACCEPT_ENCODING, "") }
        set(CURLOPT_NOSIGNAL, 1)
        slipway_curl_close_sockets_on_exec(curl)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        set(CURLOPT_BUFFERSIZE, 1 << 18)
        set(CURLOPT_UPLOAD_BUFFERSIZE, 1 << 18)
        set(CURLOPT_CONNECTTIMEOUT, configuration.connectTimeout)
        set(CURLOPT_LOW_SPEED_LIMIT, configuration.stallRate)
        set(CURLOPT_LOW_SPEED_TIME, request.stallTimeout ?? configuration.stallTimeout)
        let isOpenEnded = receiver != nil || bodySize > 1 << 20 || bodySize < 0
        if let timeout = request.timeout ?? (isOpenEnded ? nil : configuration.timeout) {
            set(CURLOPT_TIMEOUT, timeout)
        }
        // An empty text keeps libcurl from reading the environment itself.
        let proxy =
            configuration.unixSocket == nil
            ? try configuration.proxies.proxy(for: url).map { (text) throws(HTTPError) in try ProxyAddress(text) } : nil
        set(CURLOPT_PROXY, proxy?.url ?? "")
        set(CURLOPT_NOPROXY, "")
        if let user = proxy?.user { set(CURLOPT_PROXYUSERNAME, user) }
        if let password = proxy?.password { set(CURLOPT_PROXYPASSWORD, password) }
        if let socket = configuration.unixSocket { set(CURLOPT_UNIX_SOCKET_PATH, socket) }
        let trust = configuration.trust(url)
        if trust.skipsVerification || !request.verifiesServer {
            // Reading all certificates takes tens of milliseconds, also where none is looked at.
            slipway_curl_set_pointer(curl, CURLOPT_CAINFO, nil)
            slipway_curl_set_pointer(curl, CURLOPT_CAPATH, nil)
        } else if let bundle = trust.certificateBundle {
            set(CURLOPT_CAINFO, bundle)
        } else if !EnvironmentCertificates.bundle.isEmpty {
            EnvironmentCertificates.bundle.withUnsafeBytes {
                _ = slipway_curl_set_blob(curl, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count)
            }
        } else if let bundle = configuration.systemBundle {
            set(CURLOPT_CAINFO, bundle)
        }
        if let certificate = trust.clientCertificate {
            set(CURLOPT_SSLCERT, certificate)
            set(CURLOPT_SSLKEY, trust.clientKey ?? certificate)
        }
        if trust.skipsVerification || !request.verifiesServer {
            set(CURLOPT_SSL_VERIFYPEER, 0)
            set(CURLOPT_SSL_VERIFYHOST, 0)
        }
        switch (request.method, request.body) {
        case ("HEAD", _): set(CURLOPT_NOBODY, 1)
        case ("GET", .none): set(CURLOPT_HTTPGET, 1)
        case ("DELETE", .none): set(CURLOPT_CUSTOMREQUEST, "DELETE")
        default:
            set(CURLOPT_UPLOAD, 1)
            set(CURLOPT_CUSTOMREQUEST, request.method)
            slipway_curl_set_offset(curl, CURLOPT_INFILESIZE_LARGE, curl_off_t(bodySize))
        }
    }

    /// The request's headers, and those that libcurl would add and that nobody wants: a registry that does not answer
    /// `Expect` costs a second for each upload.
    private func headerList() throws(HTTPError) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        for field in request.headers.fields {
            let line = "\(field.name): \(field.value)"
            guard line.utf8.allSatisfy({ $0 >= 0x20 || $0 == 0x09 }), !field.name.isEmpty else {
                curl_slist_free_all(list)
                throw HTTPError(.invalidRequest, "the header \(field.name) has control characters", place: place)
            }
            // "Name;" is libcurl's spelling of a header without a value.
            list = curl_slist_append(list, field.value.isEmpty ? "\(field.name);" : line)
        }
        return curl_slist_append(list, "Expect:")
    }

    private func openBody() throws(HTTPError) {
        switch request.body {
        case .none: bodySize = 0
        case .bytes(let bytes): bodySize = Int64(bytes.count)
        case .file(let path, let size):
            bodySize = size
            guard try openFile(path) == size else {
                throw HTTPError(.invalidRequest, "\(path) has not the \(size) bytes that are to be sent", place: place)
            }
        case .fileRange(let path, let range):
            bodyStart = range.lowerBound
            bodySize = Int64(range.count)
            guard try openFile(path) >= range.upperBound, range.lowerBound >= 0 else {
                throw HTTPError(.invalidRequest, "\(path) has not the bytes that are to be sent", place: place)
            }
        case .stream: bodySize = -1
        }
    }

    /// Opens the body's file; its size.
    private func openFile(_ path: String) throws(HTTPError) -> Int64 {
        file = open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard file >= 0, fstat(file, &status) == 0 else {
            throw HTTPError(
                .invalidRequest, "cannot read \(path) to send it", place: place, cause: String(cString: strerror(errno))
            )
        }
        return Int64(status.st_size)
    }

    // MARK: Callbacks

    private func setCallbacks(_ curl: UnsafeMutableRawPointer) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        for option in [CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA, CURLOPT_XFERINFODATA]
        {
            slipway_curl_set_pointer(curl, option, context)
        }
        slipway_curl_set_data_callback(curl, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes, let transfer = Transfer.of(context) else { return 0 }
            let length = size * count
            return transfer.take(UnsafeRawBufferPointer(start: bytes, count: length)) ? length : 0
        }
        slipway_curl_set_data_callback(curl, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let bytes, let transfer = Transfer.of(context) else { return 0 }
            let length = size * count
            return transfer.takeHeader(UnsafeRawBufferPointer(start: bytes, count: length)) ? length : 0
        }
        slipway_curl_set_data_callback(curl, CURLOPT_READFUNCTION) { bytes, size, count, context in
            guard let bytes, let transfer = Transfer.of(context) else { return Int(CURL_READFUNC_ABORT) }
            return transfer.give(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
        }
        slipway_curl_set_seek_callback(curl) { context, offset, origin in
            guard let transfer = Transfer.of(context), origin == SEEK_SET, offset >= 0 else { return 1 }
            // libcurl sends a request again by itself when a kept connection breaks. An upload that has begun is not sent
            // twice unseen: its sender asks first what has arrived.
            if transfer.isUpload && transfer.sent > 0 { return 2 }
            transfer.sent = Int64(offset)
            return 0
        }
        slipway_curl_set_long(curl, CURLOPT_NOPROGRESS, 0)
        slipway_curl_set_progress_callback(curl) { context, _, _, _, _ in
            Transfer.of(context)?.cancellation.isCancelled == true ? 1 : 0
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> Transfer? {
        context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
    }

    private func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
        headerBytes += bytes.count
        guard headerBytes <= configuration.headerLimit else {
            failure = HTTPError(
                .tooLarge, "the answer's headers exceed \(configuration.headerLimit) bytes", place: place)
            return false
        }
        guard bytes.count <= configuration.headerLineLimit else {
            failure = tooLong(bytes)
            return false
        }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // Of an interim answer (100, 103) nothing is kept.
            headers = HTTPHeaders()
            isHeadComplete = false
            let words = line.split(separator: " ")
            status = words.dropFirst().first.flatMap { Int($0) } ?? 0
            version = words.first.map { String($0.dropFirst("HTTP/".count)) } ?? ""
        } else if bytes.first == 0x0d || bytes.first == 0x0a {
            isHeadComplete = true
        } else if let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) {
            headers.add(String(line[..<colon]), Self.trimmed(line[line.utf8.index(after: colon)...]))
        }
        return true
    }

    private func tooLong(_ line: UnsafeRawBufferPointer) -> HTTPError {
        let isToken = { (byte: UInt8) in byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: ":") }
        let name = String(decoding: line.prefix(64).prefix(while: isToken), as: UTF8.self)
        return HTTPError(
            .tooLarge, "a header of the answer is too long", place: place,
            cause: "\(name) has \(line.count) bytes where at most \(configuration.headerLineLimit) are taken")
    }

    private static func trimmed(_ text: Substring) -> String {
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }
        var bytes = text.utf8[...]
        while let first = bytes.first, isSpace(first) { bytes = bytes.dropFirst() }
        while let last = bytes.last, isSpace(last) { bytes = bytes.dropLast() }
        return String(Substring(bytes))
    }

    /// Tells the receiver, once, that a successful answer begins.
    private func begin() -> Bool {
        guard let receiver, !hasBegun, head.isSuccess else { return true }
        hasBegun = true
        return receiver.begin(head)
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let receiver, head.isSuccess {
            if begin() && receiver.receive(bytes) { return true }
            failure = stopped()
            return false
        }
        let room = limit - memory.count
        if bytes.count <= room {
            memory.append(contentsOf: bytes)
            return true
        }
        if head.isSuccess {
            failure = HTTPError(.tooLarge, "the answer's body exceeds \(limit) bytes", place: place)
            return false
        }
        // The text of a failure is cut, and the rest read over within reason so that the connection can be kept.
        memory.append(contentsOf: bytes.prefix(max(0, room)))
        overflow += bytes.count
        guard overflow <= 1 << 20 else {
            failure = HTTPError(.tooLarge, "the body of an answer with status \(status) has no end", place: place)
            return false
        }
        return true
    }

    private var overflow = 0

    private func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let wanted = bodySize < 0 ? buffer.count : Int(min(Int64(buffer.count), bodySize - sent))
        guard wanted > 0 else { return 0 }
        switch request.body {
        case .none: return 0
        case .bytes(let bytes):
            let start = Int(sent)
            bytes.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + wanted]))
            }
            advance(wanted)
            return wanted
        case .file(let path, _), .fileRange(let path, _):
            while true {
                let count = pread(file, buffer.baseAddress, wanted, off_t(bodyStart + sent))
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    failure = HTTPError(.invalidRequest, "\(path) became shorter while it was sent", place: place)
                    return Int(CURL_READFUNC_ABORT)
                }
                advance(count)
                return count
            }
        case .stream(let source):
            guard let count = source.read(at: sent, into: buffer) else {
                failure = HTTPError(.cancelled, "the body to be sent was given up", place: place)
                return Int(CURL_READFUNC_ABORT)
            }
            advance(count)
            return count
        }
    }

    private var isUpload: Bool { file >= 0 || bodySize < 0 }

    private func advance(_ count: Int) {
        sent += Int64(count)
        request.sent?(sent)
    }

    // MARK: Failures

    private var place: String { "\(request.url)" }

    private func stopped() -> HTTPError {
        HTTPError(.receiverStopped, "the transfer was stopped by its receiver", place: place)
    }

    private func explain(_ code: CURLcode, _ text: String) -> HTTPError {
        let cause = text.isEmpty ? String(cString: curl_easy_strerror(code)) : text
        let authority = request.url.authority
        func error(_ code: HTTPError.Code, _ summary: String, hint: String? = nil) -> HTTPError {
            HTTPError(code, summary, place: place, cause: cause, hint: hint, host: authority)
        }
        switch code {
        // libcurl gathers a line before it shows it: 100 KiB at most, then it is out of that memory, or, since version 8.6, says
        // CURLE_TOO_LARGE.
        case CURLE_OUT_OF_MEMORY where status != 0 && !isHeadComplete,
            CURLcode(rawValue: 100) where status != 0 && !isHeadComplete:
            return HTTPError(
                .tooLarge, "a header of the answer is too long", place: place,
                cause: "it has more than \(configuration.headerLineLimit) bytes", host: authority)
        case CURLE_ABORTED_BY_CALLBACK where cancellation.isCancelled:
            return HTTPError(.cancelled, "the request was cancelled", place: place)
        case _ where cause.contains("CONNECT tunnel failed") || cause.contains("CONNECT phase"):
            return error(
                .proxy, "the proxy refuses to reach \(authority)", hint: "check HTTPS_PROXY and NO_PROXY")
        case CURLE_COULDNT_RESOLVE_HOST: return error(.cannotResolve, "cannot find \(authority)")
        case CURLE_COULDNT_CONNECT: return error(.cannotConnect, "cannot connect to \(authority)")
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY:
            return error(.proxy, "cannot reach \(authority) through the proxy", hint: "check HTTPS_PROXY and NO_PROXY")
        case CURLE_OPERATION_TIMEDOUT:
            return status == 0 && sent == 0 && cause.contains("onnect")
                ? error(.connectTimeout, "no connection to \(authority) within \(configuration.connectTimeout) seconds")
                : error(.stalled, "\(authority) stopped answering or is too slow")
        case CURLE_PEER_FAILED_VERIFICATION:
            if cause.contains("expired") {
                return error(
                    .certificate, "the certificate of \(authority) has expired",
                    hint: "renew it, and check this machine's clock")
            }
            if cause.contains("does not match target host") || cause.contains("no alternative certificate subject") {
                return error(
                    .certificate, "the certificate of \(authority) is for another host",
                    hint: "use the name that the certificate has, or have one made for this name")
            }
            return error(.certificate, "the certificate of \(authority) is not trusted")
        case CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE:
            return error(
                .certificate, "the certificates for \(authority) cannot be read",
                hint: configuration.trust(request.url).certificateBundle.map { "check that \($0) is a PEM file" })
        case CURLE_SSL_CERTPROBLEM:
            return error(
                .certificate, "the client certificate for \(authority) cannot be used",
                hint: configuration.trust(request.url).clientCertificate.map {
                    "check that \($0) and its key are PEM files that belong together"
                })
        case CURLE_SSL_CONNECT_ERROR:
            let garbage = ["wrong version number", "packet length too long", "http request", "unknown protocol"]
            if garbage.contains(where: cause.contains) { return error(.notTLS, "\(authority) does not speak TLS") }
            return tlsFailure(cause)
        // With TLS 1.3 the server looks at the client's certificate after the handshake.
        case CURLE_SEND_ERROR where cause.contains("alert"), CURLE_RECV_ERROR where cause.contains("alert"):
            return tlsFailure(cause)
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_HTTP2,
            CURLE_HTTP2_STREAM, CURLE_SSL_SHUTDOWN_FAILED, CURLE_SEND_FAIL_REWIND:
            // Many servers say no more than this to a client whose certificate they miss or do not know.
            let hint =
                request.url.isSecure && status == 0
                ? "if it wants a client certificate, name one that it trusts" : nil
            return error(.interrupted, "the connection to \(authority) broke", hint: hint)
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT:
            return error(.invalidRequest, "the request cannot be sent")
        case CURLE_WEIRD_SERVER_REPLY:
            return error(.other, "\(authority) does not answer as HTTP asks")
        default: return error(.other, "the request to \(authority) failed")
        }
    }

    private func tlsFailure(_ cause: String) -> HTTPError {
        let authority = request.url.authority
        if cause.contains("certificate required") || cause.contains("bad certificate") {
            return HTTPError(
                .tls, "\(authority) wants another client certificate", place: place, cause: cause,
                hint: "name a certificate and its key for this host that the server trusts", host: authority)
        }
        return HTTPError(.tls, "no secure connection to \(authority)", place: place, cause: cause, host: authority)
    }
}
