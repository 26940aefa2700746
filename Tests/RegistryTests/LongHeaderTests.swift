import ContentStore
import Diagnostics
import OCI
import TestSupport
import Testing

@testable import Registry

/// Headers of a length that no registry needs are refused, by name, at once, and in few words.
@Suite(.tags(.integration)) struct LongHeaderTests {
    enum Header: String, CaseIterable, Sendable {
        case location, redirection, realm, challenge, link, contentDigest, contentRange, unknown

        var name: String {
            switch self {
            case .location, .redirection: "Location"
            case .realm, .challenge: "WWW-Authenticate"
            case .link: "Link"
            case .contentDigest: "Docker-Content-Digest"
            case .contentRange: "Content-Range"
            case .unknown: "X-Unknown"
            }
        }

        /// Refused where it is used, and not only as a line that is too long.
        var isURL: Bool { [.location, .redirection, .realm, .challenge, .link].contains(self) }

        func reply(_ length: Int, _ bench: UploadBench) -> StubReply {
            let long = String(repeating: "a", count: length)
            return switch self {
            case .location: .text(202, "", headers: [(name, "/upload?_state=" + long)])
            case .redirection: .text(307, "", headers: [(name, "/blob?signature=" + long)])
            case .realm: .text(401, "", headers: [(name, "Bearer realm=\"https://localhost/\(long)\"")])
            case .challenge: .text(401, "", headers: [(name, "Basic realm=\"\(long)\"")])
            case .link: .text(200, #"{"tags":["v1"]}"#, headers: [(name, "</v2/next?last=\(long)>; rel=\"next\"")])
            case .contentDigest: .text(200, "", headers: [(name, "sha256:" + long)])
            case .contentRange: .answer(206, headers: [(name, "bytes 0-\(long)")], body: bench.content)
            case .unknown: .text(200, #"{"tags":["v1"]}"#, headers: [(name, long)])
            }
        }
    }

    /// Longer than a URL may be, than a line may be, and than libcurl takes.
    @Test(arguments: Header.allCases, [20_000, 80_000, 200_000])
    func `a header that is too long is refused`(_ header: Header, _ length: Int) async throws {
        guard header.isURL || length > 65536 else { return }
        let bench = try UploadBench(bytes: 10, isStored: true)
        let server = try StubServer { request in
            request.path.contains("/blobs/sha256:") && request.method == "HEAD"
                ? .text(404, "") : header.reply(length, bench)
        }
        let repository = try bench.repository(server.host)
        let error = await #expect(throws: RegistryError.self) {
            switch header {
            case .location:
                _ = try await repository.pushBlob(bench.blob, from: bench.store, mountFrom: [], progress: nil)
            case .redirection: _ = try await repository.blob(bench.blob, limit: 100)
            case .contentRange:
                let store = try ContentStore(path: TemporaryDirectory("range").path)
                try await repository.fetchBlob(bench.blob, into: store, progress: nil)
            case .contentDigest: _ = try await repository.digest(ofTag: "v1")
            case .realm, .challenge, .link, .unknown: _ = try await repository.tags()
            }
        }
        let text = try #require(error).description
        #expect(error?.code == .invalidContent && error?.isTransient == false, "\(text)")
        #expect(text.contains("too long") || text.contains("has \(length)") || text.contains("bytes where"), "\(text)")
        // libcurl does not show what it does not take.
        if length == 80_000 { #expect(text.contains(header.name), "\(text)") }
        #expect(text.utf8.count < 1000 && !text.contains("aaaaaaaa"), "\(text)")
        #expect(server.requests.filter { $0.method != "HEAD" || header == .contentDigest }.count == 1)
    }

    /// As long as signed URLs of storage services are.
    @Test func `a place of four thousand bytes is taken`() async throws {
        let bench = try UploadBench(bytes: 10, isStored: true)
        let state = String(repeating: "a", count: 4000)
        let server = try StubServer { request in
            switch request.method {
            case "HEAD": .text(404, "")
            case "POST": .text(202, "", headers: [("Location", "/upload?_state=" + state)])
            default: .text(201, "")
            }
        }
        let outcome = try await bench.repository(server.host).pushBlob(
            bench.blob, from: bench.store, mountFrom: [], progress: nil)
        #expect(outcome == .uploaded)
        #expect(server.requests.last?.target == "/upload?_state=\(state)&digest=\(bench.blob.digest)")
    }
}
