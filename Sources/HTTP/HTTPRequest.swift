/// A request. Its body can be sent again, so that redirections and renewed connections work.
package struct HTTPRequest: Sendable {
    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// A file's bytes, streamed; the file must have exactly this size.
        case file(path: String, size: Int64)
        /// A part of a file.
        case fileRange(path: String, range: Range<Int64>)
        /// What is made while it is sent, of a length that nobody knows yet.
        case stream(any BodySource)
    }

    package var method: String
    package var url: HTTPURL
    package var headers: HTTPHeaders
    package var body: Body
    /// Seconds without bytes after which the transfer is given up; 0: never; `nil`: the client's.
    package var stallTimeout: Int?
    /// Seconds that the whole transfer may take; `nil`: as the client's configuration says.
    package var timeout: Int?
    /// Whether it matters who answers. `false` only to find out whether a server speaks TLS at all: neither is anything told to
    /// it, nor is its answer believed.
    package var verifiesServer = true
    /// Takes an answer in any coding that libcurl knows (gzip, …) and hands it on decoded. For answers that come in a coding
    /// unasked: all others are taken as they come, because their bytes are what a digest is of.
    package var decodesAnswer = false
    /// Called with the number of the body's bytes that were handed to the connection so far.
    package var sent: (@Sendable (Int64) -> Void)?

    package init(
        _ method: String, _ url: HTTPURL, headers: HTTPHeaders = HTTPHeaders(), body: Body = .none,
        stallTimeout: Int? = nil, timeout: Int? = nil, sent: (@Sendable (Int64) -> Void)? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.stallTimeout = stallTimeout
        self.timeout = timeout
        self.sent = sent
    }
}

/// The first part of an answer.
package struct HTTPHead: Sendable {
    package let status: Int
    package let headers: HTTPHeaders
    /// Where the answer came from, after redirections.
    package let url: HTTPURL
    /// `1.1` or `2`.
    package var version = ""

    package init(status: Int, headers: HTTPHeaders, url: HTTPURL, version: String = "") {
        self.status = status
        self.headers = headers
        self.url = url
        self.version = version
    }

    package var isSuccess: Bool { (200...299).contains(status) }

    /// Whether the body comes in a coding (RFC 9110 section 8.4), such as gzip.
    package var isEncoded: Bool {
        headers["Content-Encoding"].map { !$0.isEmpty && $0.lowercased() != "identity" } ?? false
    }
}

package struct HTTPResponse: Sendable {
    package let head: HTTPHead
    /// Empty when the body went to a receiver.
    package let body: [UInt8]

    package var status: Int { head.status }
    package var headers: HTTPHeaders { head.headers }
}

/// Gives a body that is made while it is sent.
package protocol BodySource: AnyObject, Sendable {
    /// Waits for bytes behind a position; called on a thread that may block. The same bytes may be asked for again.
    ///
    /// - Returns: how many were put into the buffer; 0 at the end; `nil` when no end will come, which stops the transfer.
    func read(at position: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int?
    /// Who waits for bytes, or will, gets `nil`; called on any thread.
    func cancel()
}

/// Takes the body of a successful answer as it arrives, on a thread that may block.
package protocol BodyReceiver: AnyObject, Sendable {
    /// Called once before the first byte. `false` stops the transfer (`HTTPError.Code.receiverStopped`).
    func begin(_ head: HTTPHead) -> Bool
    /// `false` stops the transfer. The bytes are valid only during the call.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool
}
