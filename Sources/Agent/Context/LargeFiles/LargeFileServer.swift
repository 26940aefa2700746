import Builder
import Diagnostics
import FoundationEssentials
import Git
import HTTP
import OCI
import Synchronization

/// The batch API of a Git LFS server, for downloads.
///
/// https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
final class LargeFileServer: Sendable {
    /// Where an object is, as the server says.
    struct Download: Sendable {
        let url: HTTPURL
        let headers: HTTPHeaders
        let ends: ContinuousClock.Instant
    }

    private let api: HTTPURL
    /// What proves who asks, for the API's own host.
    private let headers: HTTPHeaders
    private let clients: LargeFileClients
    private let ends: ContinuousClock.Instant?
    private let downloads = Mutex<[Digest: Download]>([:])

    /// Bytes that an answer to a hundred questions may have.
    private static let answerLimit = 8 << 20
    /// How long an address is taken for good of which the server does not say it.
    private static let patience = Duration.seconds(300)

    /// - Parameter time: how long `headers` are of use; `nil`: as long as this is.
    init(
        _ address: String, headers: HTTPHeaders, clients: LargeFileClients, ofUseFor time: Duration?
    ) throws(BuildError) {
        do throws(HTTPError) { api = try HTTPURL(address) } catch {
            throw BuildError(.unsupported, "the Git LFS server's address cannot be used", from: error)
        }
        self.headers = headers
        self.clients = clients
        ends = time.map { .now + $0 }
    }

    /// Whether what proves who asks has not ended.
    var isOfUse: Bool { ends.map { $0 > .now } ?? true }

    /// Where an object is, if that was told along with others.
    func known(_ pointer: LargeFilePointer) -> Download? {
        downloads.withLock { $0.removeValue(forKey: pointer.digest) }.flatMap { $0.ends > .now ? $0 : nil }
    }

    /// Asks where an object is.
    ///
    /// - Parameter others: objects that will be asked for as well.
    func ask(
        for pointer: LargeFilePointer, beside others: [LargeFilePointer]
    ) async throws(BuildError) -> Download {
        let answer = try await batch([pointer] + others)
        var wanted: Download?
        for object in answer.objects {
            guard let digest = try? Digest("sha256:" + object.oid) else { continue }
            do throws(BuildError) {
                let download = try download(object)
                if digest == pointer.digest { wanted = download } else { downloads.withLock { $0[digest] = download } }
            } catch {
                // What is wrong with others is said when they are asked for.
                if digest == pointer.digest { throw error }
            }
        }
        guard let wanted else { throw wrong("it says nothing of an object that it was asked about") }
        return wanted
    }

    private func batch(_ pointers: [LargeFilePointer]) async throws(BuildError) -> Answer {
        let body = Question(objects: pointers.map { Question.Object(oid: $0.digest.encoded, size: $0.size) })
        guard let bytes = try? JSONEncoder().encode(body), let url = try? HTTPURL("\(api.text)/objects/batch") else {
            throw wrong("it cannot be asked")
        }
        var request = HTTPRequest("POST", url, headers: headers, body: .bytes(Array(bytes)))
        request.headers["Accept"] = "application/vnd.git-lfs+json"
        request.headers["Content-Type"] = "application/vnd.git-lfs+json"
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await clients.client(for: url, plain: api).send(request, limit: Self.answerLimit)
        } catch {
            throw failure(error)
        }
        guard response.head.isSuccess else { throw refusal(response.status, of: url, response.body) }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(response.body)) else {
            throw wrong("its answer is not that of a Git LFS server")
        }
        guard answer.transfer ?? "basic" == "basic", answer.algorithm ?? "sha256" == "sha256" else {
            throw wrong("it offers neither the transfer 'basic' nor SHA-256")
        }
        return answer
    }

    private func download(_ object: Answer.Object) throws(BuildError) -> Download {
        if let error = object.error {
            throw BuildError(
                .context, "the Git LFS server does not have the content of the file", place: "\(api)",
                cause: "\(error.code): \(error.message.prefix(300))",
                hint: "push it there by 'git lfs push --all', or remove the file from the repository",
                isTransient: ![404, 410, 422].contains(error.code))
        }
        guard let action = object.actions?.download else { throw wrong("it says of an object nowhere to get it") }
        do throws(HTTPError) {
            let url = try HTTPURL(action.href)
            try clients.policy(plain: api).check(url, namedBy: api)
            var own = HTTPHeaders()
            for (name, value) in action.header ?? [:] { own[name] = value }
            // The API's own host may want to be shown the same again.
            if own["Authorization"] == nil, object.authenticated != true, url.origin == api.origin {
                for field in headers.fields where own[field.name] == nil { own.add(field.name, field.value) }
            }
            return Download(
                url: url, headers: own,
                ends: .now + (action.seconds.flatMap { $0 > 0 ? .seconds(min($0, 3_600)) : nil } ?? Self.patience))
        } catch {
            throw failure(error)
        }
    }

    /// Gets an object.
    func get(_ download: Download, into receiver: LargeFileReceiver) async throws(BuildError) {
        let request = HTTPRequest("GET", download.url, headers: download.headers)
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await clients.client(for: download.url, plain: api).send(request, into: receiver)
        } catch {
            if let own = receiver.failure { throw own }
            throw failure(error)
        }
        guard response.head.isSuccess else { throw refusal(response.status, of: download.url, response.body) }
    }
}

// MARK: Messages

extension LargeFileServer {
    fileprivate func failure(_ error: HTTPError) -> BuildError {
        var told = BuildError(
            error.code == .cancelled ? .cancelled : .missingSource, "cannot fetch from the Git LFS server", from: error)
        told.isTransient = true
        if error.code == .certificate, told.hint == nil {
            told.hint = "name the PEM file of a private authority as 'caFile' of git, or by SSL_CERT_FILE"
        }
        return told
    }

    private func wrong(_ cause: String) -> BuildError {
        BuildError(
            .missingSource, "the Git LFS server cannot be used", place: "\(api)", cause: cause, isTransient: true)
    }

    private func refusal(_ status: Int, of url: HTTPURL, _ body: [UInt8]) -> BuildError {
        let said = (try? JSONDecoder().decode(Answer.Failure.self, from: Data(body)))?.message
        let cause = "it answers with status \(status)" + (said.map { ": \($0.prefix(300))" } ?? "")
        switch status {
        case 401, 403:
            return BuildError(
                .missingSource, "the Git LFS server wants other credentials", place: "\(url)", cause: cause,
                hint: headers.fields.isEmpty
                    ? "none are shown to it: the repository's own are for its URL alone; grant the server's by 'builds.credentials' "
                        + "or 'allowed.credentials'"
                    : "the credentials of the repository must allow to read what Git LFS keeps of it",
                isTransient: true)
        case 404:
            return BuildError(
                .missingSource, "there is no Git LFS server for the repository, or these credentials may not see it",
                place: "\(url)", cause: cause, hint: "where it is another one, name it as lfs.url in .lfsconfig",
                isTransient: true)
        default:
            return BuildError(
                .missingSource, "the Git LFS server refuses", place: "\(url)", cause: cause, isTransient: true)
        }
    }
}

// MARK: What is said

private struct Question: Encodable {
    struct Object: Encodable {
        let oid: String
        let size: Int64
    }

    let operation = "download"
    let transfers = ["basic"]
    let algorithm = "sha256"
    let objects: [Object]

    enum CodingKeys: String, CodingKey {
        case operation, transfers, objects
        case algorithm = "hash_algo"
    }
}

private struct Answer: Decodable {
    struct Object: Decodable {
        let oid: String
        let authenticated: Bool?
        let actions: Actions?
        let error: ObjectFailure?
    }

    struct Actions: Decodable { let download: Action? }

    struct Action: Decodable {
        let href: String
        let header: [String: String]?
        let seconds: Double?

        enum CodingKeys: String, CodingKey {
            case href, header
            case seconds = "expires_in"
        }
    }

    struct ObjectFailure: Decodable {
        let code: Int
        let message: String
    }

    struct Failure: Decodable { let message: String }

    let transfer: String?
    let algorithm: String?
    let objects: [Object]

    enum CodingKeys: String, CodingKey {
        case transfer, objects
        case algorithm = "hash_algo"
    }
}
