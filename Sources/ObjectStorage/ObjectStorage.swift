package import CloudIdentity
import Diagnostics
import Glibc
import HTTP
import Synchronization

/// Reads objects of clouds' storages: streamed, and resumed where a connection broke.
package struct ObjectStorage: Sendable {
    private let s3: S3Requests
    private let google: GoogleRequests
    private let azure: AzureRequests
    private let environment: CloudEnvironment
    private let client: HTTPClient
    private let pause: Duration

    /// - Parameters:
    ///   - proxies: by host, as `https_proxy` and its likes say.
    ///   - pause: after the first failure; longer after each that follows.
    package init(
        _ environment: CloudEnvironment = .process, userAgent: String = "slipway",
        pause: Duration = .milliseconds(500)
    ) {
        self.environment = environment
        self.pause = pause
        s3 = S3Requests(environment: environment, identity: AWSIdentity(environment))
        google = GoogleRequests(environment: environment, identity: GoogleIdentity(environment))
        azure = AzureRequests(environment: environment, identity: AzureIdentity(environment))
        var configuration = HTTPConfiguration()
        configuration.userAgent = userAgent
        configuration.proxies = .environment
        // Only where the operator's own variables say so.
        configuration.plainHTTP = .everywhere
        // The whole of an object may take long; what counts is that bytes come.
        configuration.timeout = 86_400
        client = HTTPClient(configuration)
    }

    /// Attempts that bring nothing, until it is given up.
    private static let mostIdle = 5

    /// Streams an object.
    ///
    /// - Parameters:
    ///   - limit: bytes that it may have.
    ///   - sink: gets the bytes in order, on a thread that may block; `false` ends the transfer (`stopped`).
    /// - Returns: how many bytes there were.
    @discardableResult
    package func read(
        _ location: ObjectLocation, limit: Int64, into sink: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
    ) async throws(ObjectStorageError) -> Int64 {
        let download = ObjectDownload(limit: limit, sink)
        var region = s3.identity.region
        var idle = 0
        while true {
            let before = download.range.offset
            var failure: ObjectStorageError
            do {
                let request = try await request(location, region: region, download.range)
                let response = try await client.send(request, into: download)
                if response.head.isSuccess {
                    if download.isWhole { return download.range.offset }
                    failure = ObjectStorageError(
                        .unavailable, "cannot read the object", place: "\(location)", cause: "it arrived incomplete")
                } else if case .s3 = location.service, s3.canChangeRegion, let other = Self.region(response),
                    other != region
                {
                    region = other
                    continue
                } else {
                    failure = Self.failure(response, location)
                    guard response.status == 429 || response.status >= 500 else { throw failure }
                }
            } catch let error as HTTPError {
                if let own = download.failure(at: location) { throw own }
                failure = ObjectStorageError(
                    error.code == .cancelled ? .cancelled : .unavailable, "cannot read the object",
                    place: "\(location)", cause: error.summary + (error.cause.map { ": \($0)" } ?? ""),
                    hint: error.hint)
                guard error.isTransient else { throw failure }
            } catch let error as CloudError {
                throw ObjectStorageError(
                    .denied, error.summary, place: error.place ?? "\(location)", cause: error.cause, hint: error.hint)
            } catch let error as ObjectStorageError {
                throw error
            } catch {
                throw ObjectStorageError(.unavailable, "cannot read the object", place: "\(location)")
            }
            idle = download.range.offset > before ? 0 : idle + 1
            guard idle < Self.mostIdle else { throw failure }
            do { try await Task.sleep(for: pause * (1 << min(idle, 5))) } catch {
                throw ObjectStorageError(.cancelled, "the transfer was cancelled", place: "\(location)")
            }
        }
    }

    private func request(
        _ location: ObjectLocation, region: String, _ range: ObjectRange
    ) async throws -> HTTPRequest {
        let now = Int64(time(nil))
        switch location.service {
        case .s3(let bucket, let key): return try await s3.request(bucket, key, region: region, range, at: now)
        case .google(let bucket, let key): return try await google.request(bucket, key, range)
        case .azure(let account, let origin, let path, let query):
            return try await azure.request(
                account: account, origin: origin, path: path, query: query, range, at: now)
        }
    }

    /// S3 tells where a bucket is that it was asked for elsewhere.
    private static func region(_ response: HTTPResponse) -> String? {
        guard [301, 307, 400, 403].contains(response.status) else { return nil }
        let told =
            response.headers["x-amz-bucket-region"]
            ?? CloudClient.element("Region", of: String(decoding: response.body.prefix(4096), as: UTF8.self))
        guard let told, told.utf8.count <= 40,
            told.utf8.allSatisfy({ (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d })
        else { return nil }
        return told
    }

    private static func failure(_ response: HTTPResponse, _ location: ObjectLocation) -> ObjectStorageError {
        let words = CloudClient.words(response)
        switch response.status {
        case 404:
            return ObjectStorageError(
                .notFound, "there is no such object", place: "\(location)", cause: words,
                hint: "check the bucket's name and the object's; a region's endpoint knows its own buckets only")
        case 401, 403:
            return ObjectStorageError(
                .denied, "the storage refuses to give the object", place: "\(location)", cause: words,
                hint: Self.remedy(location))
        case 412:
            return ObjectStorageError(
                .changed, "the object changed while it was read", place: "\(location)", hint: "start again")
        default:
            return ObjectStorageError(.unavailable, "cannot read the object", place: "\(location)", cause: words)
        }
    }

    private static func remedy(_ location: ObjectLocation) -> String {
        switch location.service {
        case .s3:
            "credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a web identity, ~/.aws/credentials or the "
                + "machine; they need s3:GetObject"
        case .google:
            "credentials come from GOOGLE_APPLICATION_CREDENTIALS or the machine; they need storage.objects.get"
        case .azure:
            "give AZURE_STORAGE_ACCESS_KEY, a URL with a shared access signature, or a workload identity with the role "
                + "Storage Blob Data Reader"
        }
    }
}

/// The bytes of one object, over as many connections as it takes.
private final class ObjectDownload: BodyReceiver {
    private struct State {
        var range = ObjectRange()
        /// Of the whole object, once it is known.
        var size: Int64?
        /// Bytes of an answer that are here already, from a server that knows no ranges.
        var skipped: Int64 = 0
        var failure: (ObjectStorageError.Code, String)?
    }

    private let limit: Int64
    private let sink: @Sendable (UnsafeRawBufferPointer) -> Bool
    private let state = Mutex(State())

    init(limit: Int64, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool) {
        self.limit = limit
        self.sink = sink
    }

    var range: ObjectRange { state.withLock(\.range) }

    /// Where no length was told, the end of the answer is the end.
    var isWhole: Bool { state.withLock { state in state.size.map { $0 == state.range.offset } ?? true } }

    func failure(at location: ObjectLocation) -> ObjectStorageError? {
        state.withLock(\.failure).map { ObjectStorageError($0.0, $0.1, place: "\(location)") }
    }

    func begin(_ head: HTTPHead) -> Bool {
        let limit = limit
        return state.withLock { state in
            let offset = state.range.offset
            let etag = head.headers["ETag"]
            if offset > 0, let known = state.range.etag, let etag, known != etag {
                state.failure = (.changed, "the object changed while it was read")
                return false
            }
            state.range.etag = etag
            state.skipped = 0
            if head.status == 206 {
                guard head.headers["Content-Range"]?.hasPrefix("bytes \(offset)-") == true else {
                    state.failure = (.unavailable, "the storage sent another part than it was asked for")
                    return false
                }
                return true
            }
            state.skipped = offset
            let length = head.headers["Content-Length"].flatMap { Int64($0) }
            if let known = state.size, let length, known != length {
                state.failure = (.changed, "the object changed while it was read")
                return false
            }
            state.size = length
            if let length, length > limit {
                state.failure = (.tooLarge, "the object is larger than \(limit) bytes")
                return false
            }
            return true
        }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = Int64(bytes.count)
        let limit = limit
        let fresh = state.withLock { state -> Int64? in
            let old = min(state.skipped, count)
            state.skipped -= old
            guard count - old <= limit - state.range.offset else {
                state.failure = (.tooLarge, "the object is larger than \(limit) bytes")
                return nil
            }
            state.range.offset += count - old
            return old
        }
        guard let fresh else { return false }
        if fresh == count { return true }
        guard sink(UnsafeRawBufferPointer(rebasing: bytes[Int(fresh)...])) else {
            state.withLock { $0.failure = (.stopped, "the transfer was stopped") }
            return false
        }
        return true
    }
}
