import ContentStore
import FileSystem
import OCI
import Synchronization

/// What one build takes from other machines, each thing fetched once. Files go into the store of blobs, and are asked
/// for again only when the server says that they changed.
actor RemoteSources {
    /// A file that is in the store.
    struct File: Sendable {
        let digest: Digest
        let size: Int64
        /// Seconds since 1970; 0 when the server does not say.
        let modified: Int64
        let path: HostPath
    }

    private let request: BuildRequest
    private let fetcher: (any RemoteSourceFetcher)?
    private let content: ContentStore
    /// Where it is written down what URLs gave.
    private let records: String
    private var files: [String: Task<Result<File, BuildError>, Never>] = [:]
    private var trees: [TreeKey: Task<Result<GitTree, BuildError>, Never>] = [:]

    private struct TreeKey: Hashable {
        let locator: GitLocator
        let keepsGitDirectory: Bool
    }

    init(
        _ request: BuildRequest, _ fetcher: (any RemoteSourceFetcher)?, into content: ContentStore, records: String
    ) {
        self.request = request
        self.fetcher = fetcher
        self.content = content
        self.records = records
    }

    private func available(_ what: String) throws(BuildError) -> any RemoteSourceFetcher {
        guard let fetcher else {
            throw BuildError(.unsupported, "\(what) cannot be fetched here: this builder works without a network")
        }
        return fetcher
    }

    // MARK: Files

    /// - Parameter checksum: what the content must be.
    func file(_ url: String, checksum: Digest? = nil) async throws(BuildError) -> File {
        let key = "\(url) \(checksum.map { "\($0)" } ?? "")"
        let task = files[key] ?? Task { await download(url, checksum) }
        files[key] = task
        return try await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }.get()
    }

    /// What is remembered of a URL.
    private struct Record: Codable {
        var digest: Digest
        var size: Int64
        var etag: String?
        var modified: Int64?
    }

    private func download(_ url: String, _ checksum: Digest?) async -> Result<File, BuildError> {
        do throws(BuildError) { return .success(try await fetch(url, checksum)) } catch { return .failure(error) }
    }

    private func fetch(_ url: String, _ checksum: Digest?) async throws(BuildError) -> File {
        let fetcher = try available("the file \(RemoteName.shown(url))")
        try RemoteName.refuseCredentials(in: url)
        let authorization = authorization(for: url)
        let reader = reader(of: url).map { "\nfor \($0)" } ?? ""
        let recordPath = records + "/" + Digest.sha256(of: Array((url + reader).utf8)).encoded
        var known: Record?
        if let bytes = try? FileContent.read(HostPath(recordPath), limit: 1 << 16),
            let record = try? CanonicalJSON.decode(Record.self, from: bytes),
            content.size(of: record.digest) == record.size
        {
            known = record
        }
        if let known, let checksum, known.digest == checksum { return file(known) }
        let sink = try BlobIngest(content)
        let answer = try await fetcher.fetch(
            RemoteFileRequest(
                url: url, authorization: authorization, etag: known?.etag,
                sizeLimit: request.remoteSizeLimit)
        ) { (bytes) throws(BuildError) in try sink.write(bytes) }
        if answer.isUnchanged, let known {
            try verify(known.digest, checksum, url)
            return file(known)
        }
        let (digest, size) = try sink.commit()
        try verify(digest, checksum, url)
        let record = Record(digest: digest, size: size, etag: answer.etag, modified: answer.lastModified)
        if let bytes = try? CanonicalJSON.encode(record) { try? AtomicFile.write(bytes, to: recordPath, mode: 0o600) }
        return file(record)
    }

    /// Who asks a server for a file, as a digest; `nil` for anybody. What was fetched with an authorization is remembered for
    /// those who have the same one. The others have to ask, also where a checksum would say that the file is here.
    nonisolated func reader(of url: String) -> String? {
        authorization(for: url).map { Digest.sha256(of: Array($0.utf8)).encoded }
    }

    private func file(_ record: Record) -> File {
        File(
            digest: record.digest, size: record.size, modified: record.modified ?? 0,
            path: HostPath(content.path(of: record.digest)))
    }

    private func verify(_ digest: Digest, _ wanted: Digest?, _ url: String) throws(BuildError) {
        guard let wanted, wanted != digest else { return }
        throw BuildError(
            .missingSource, "\(RemoteName.shown(url)) is not the file that it should be",
            cause: "its checksum is \(digest), not \(wanted)",
            hint: "when the file may have changed, look at it, and correct --checksum")
    }

    private nonisolated func secret(_ name: String) -> String? {
        request.secrets[name].map { value in
            var text = String(decoding: value, as: UTF8.self)
            while text.hasSuffix("\n") || text.hasSuffix("\r\n") { text.removeLast() }
            return text
        }
    }

    private nonisolated func authorization(for url: String) -> String? {
        guard let host = RemoteName.host(of: url) else { return nil }
        if let token = secret("HTTP_AUTH_TOKEN_" + host) { return "Bearer " + token }
        return secret("HTTP_AUTH_HEADER_" + host)
    }

    // MARK: Git

    func tree(_ locator: GitLocator, keepsGitDirectory: Bool) async throws(BuildError) -> GitTree {
        let key = TreeKey(locator: locator, keepsGitDirectory: keepsGitDirectory)
        let task = trees[key] ?? Task { await checkOut(locator, keepsGitDirectory) }
        trees[key] = task
        return try await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }.get()
    }

    private func checkOut(_ locator: GitLocator, _ keepsGitDirectory: Bool) async -> Result<GitTree, BuildError> {
        do throws(BuildError) {
            let fetcher = try available("the git repository \(RemoteName.shown(locator.remote))")
            var authorization: GitTreeRequest.Authorization?
            for suffix in [RemoteName.host(of: locator.remote).map { "." + $0 } ?? "", ""] where authorization == nil {
                authorization =
                    secret("GIT_AUTH_HEADER" + suffix).map { .header($0) }
                    ?? secret("GIT_AUTH_TOKEN" + suffix).map { .token($0) }
            }
            return .success(
                try await fetcher.checkOut(
                    GitTreeRequest(
                        locator: locator, keepsGitDirectory: keepsGitDirectory, authorization: authorization)))
        } catch {
            return .failure(error)
        }
    }
}

/// A blob that another thread writes.
private final class BlobIngest: Sendable {
    private let ingest: Mutex<Ingest?>

    init(_ store: ContentStore) throws(BuildError) {
        do throws(ContentStoreError) { ingest = Mutex(try store.ingest()) } catch {
            throw BuildError(.storage, from: error)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(BuildError) {
        let piece = [UInt8](bytes)
        do throws(ContentStoreError) {
            try ingest.withLock { (ingest) throws(ContentStoreError) in try ingest?.write(piece) }
        } catch {
            throw BuildError(.storage, "cannot keep what was fetched", from: error)
        }
    }

    func commit() throws(BuildError) -> (digest: Digest, size: Int64) {
        guard let whole = ingest.withLock({ $0.take() }) else { preconditionFailure("a blob is committed once") }
        do throws(ContentStoreError) { return try whole.commit(expected: nil) } catch {
            throw BuildError(.storage, "cannot keep what was fetched", from: error)
        }
    }
}
