import ContentStore
import OCI
import Registry
import TestSupport
import Testing

/// The ways in which an answer of a registry sends its client somewhere.
enum AnswerWay: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case tokenForPassword, tokenForIdentity, tokenForNobody
    case redirectedBlob, redirectedDownload, redirectedManifest
    case upload, chunkedUpload, streamedUpload, mount
    case tagPage, catalogPage, referrersPage

    var testDescription: String { rawValue }

    var isToken: Bool { [.tokenForPassword, .tokenForIdentity, .tokenForNobody].contains(self) }
    var isRedirect: Bool { [.redirectedBlob, .redirectedDownload, .redirectedManifest].contains(self) }
    var isPage: Bool { [.tagPage, .catalogPage, .referrersPage].contains(self) }

    /// What the client has for the registry.
    var credentials: Credentials? {
        switch self {
        case .tokenForNobody: nil
        case .tokenForIdentity: .identityToken("refresh-secret")
        default: .basic(user: "ci", password: "hunter2")
        }
    }

    /// Does what makes the registry's answer count.
    func take(_ access: RegistryAccess, host: String, _ bench: UploadBench) async throws {
        let repository = try access.repository(.registry(host: host, path: "app"))
        switch self {
        case .tokenForPassword, .tokenForIdentity, .tokenForNobody, .redirectedManifest:
            _ = try await repository.digest(ofTag: "v1")
        case .redirectedBlob: _ = try await repository.blob(bench.blob, limit: 1000)
        case .redirectedDownload:
            let scratch = try TemporaryDirectory("download")
            try await repository.fetchBlob(bench.blob, into: ContentStore(path: scratch.path), progress: nil)
        case .upload, .chunkedUpload:
            _ = try await repository.pushBlob(bench.blob, from: bench.store, mountFrom: [], progress: nil)
        case .mount:
            _ = try await repository.pushBlob(
                bench.blob, from: bench.store, mountFrom: [.registry(host: host, path: "base")], progress: nil)
        case .streamedUpload:
            guard let upload = repository.stream(WholeBlob(bench.content)) else {
                throw TestSupportError("nothing is streamed")
            }
            _ = try await upload.push(bench.blob, from: bench.store, progress: nil)
        case .tagPage: _ = try await repository.tags()
        case .catalogPage: _ = try await access.catalog(host: host)
        case .referrersPage: _ = try await repository.referrers(of: bench.blob.digest, artifactType: nil)
        }
    }

    /// What the registry says to a request: the way to `place`, or what is to be had there.
    func answer(_ request: StubRequest, leadingTo place: String, _ bench: UploadBench) -> StubReply {
        if request.path.hasPrefix("/elsewhere") { return arrival(request, bench) }
        let authorization = request.headers["authorization"] ?? ""
        if isToken {
            if authorization == "Bearer token" { return manifest(bench) }
            return .text(401, "", headers: [("WWW-Authenticate", "Bearer realm=\"\(place)\",service=\"registry\"")])
        }
        guard authorization.hasPrefix("Basic ") else {
            return .text(401, "", headers: [("WWW-Authenticate", "Basic realm=\"registry\"")])
        }
        if isRedirect { return .text(307, "", headers: [("Location", place)]) }
        if isPage { return page(headers: [("Link", "<\(place)>; rel=\"next\"")]) }
        switch request.method {
        case "HEAD": return .text(404, "")
        case "POST": return .text(202, "", headers: [("Location", self == .chunkedUpload ? "/v2/begun" : place)])
        default: return .text(202, "", headers: [("Location", place)])
        }
    }

    private func arrival(_ request: StubRequest, _ bench: UploadBench) -> StubReply {
        if isToken { return .text(200, #"{"token":"token","expires_in":300}"#) }
        if self == .redirectedManifest { return manifest(bench) }
        if isRedirect { return .answer(200, body: bench.content) }
        if isPage { return page() }
        return .text(request.method == "PUT" ? 201 : 202, "", headers: [("Location", "/elsewhere/on")])
    }

    private func manifest(_ bench: UploadBench) -> StubReply {
        .text(200, "", headers: [("Docker-Content-Digest", bench.blob.digest.description)])
    }

    private func page(headers: [(String, String)] = []) -> StubReply {
        switch self {
        case .tagPage: .text(200, #"{"tags":["v1"]}"#, headers: headers)
        case .catalogPage: .text(200, #"{"repositories":["app"]}"#, headers: headers)
        default: .text(200, #"{"schemaVersion":2,"manifests":[]}"#, headers: headers)
        }
    }
}

/// A blob of which all was made before anybody asked.
private final class WholeBlob: GrowingBlob {
    private let content: [UInt8]

    init(_ content: [UInt8]) { self.content = content }

    func read(at position: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let rest = content[Int(position)...].prefix(buffer.count)
        buffer.copyBytes(from: rest)
        return rest.count
    }

    func cancel() {}
}
