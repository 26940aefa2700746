import Foundation
import TestSupport
import Testing

/// The rows of the comparison with other builders that need a network: `ADD` of URLs and git repositories, by
/// `slipway build`, judged by the layers.
@Suite("ADD from the network", .tags(.endToEnd)) struct RemoteAddTests {
    private let scratch: TemporaryDirectory

    init() throws {
        scratch = try TemporaryDirectory("remote-add")
        try FileManager.default.createDirectory(atPath: scratch.file("context"), withIntermediateDirectories: true)
    }

    /// The image's files; `nil` when the build is refused with a message that holds `refusal`.
    @discardableResult
    private func build(_ lines: String, refusal: String? = nil) throws -> ImageTree? {
        try Data("FROM scratch\n\(lines)\n".utf8).write(to: URL(fileURLWithPath: scratch.file("context/Dockerfile")))
        let output = try Shell.run(
            [
                try Loop.binary, "build", "--context", scratch.file("context"), "--state-dir", scratch.file("state"),
                "--destination", "oci:\(scratch.file("out")):v", "--quiet",
            ], environment: ["HOME": scratch.path], allowFailure: true)
        if let refusal {
            #expect(output.status == 1 && output.stderr.contains(refusal), "\(output.stderr)")
            return nil
        }
        #expect(output.status == 0, "\(output.stderr)")
        let digest = output.stdout.trimmingCharacters(in: .whitespacesAndNewlines).dropFirst("sha256:".count)
        let blobs = scratch.file("out/blobs/sha256/")
        let manifest = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: blobs + digest)))
                as? [String: Any])
        let layers = try #require(manifest["layers"] as? [[String: Any]])
        return try ImageTree(
            blobs: layers.compactMap { ($0["digest"] as? String).map { blobs + $0.dropFirst("sha256:".count) } })
    }

    @Test("ADD url; ADD url 404 fails; ADD --checksum (right), (wrong) fails") func urls() throws {
        let server = try StubServer { request in
            request.path == "/a/f.txt"
                ? .text(200, "fetched", headers: [("Last-Modified", "Fri, 13 Feb 2009 23:31:30 GMT")])
                : .text(404, "no")
        }
        let url = "\(server.url)/a/f.txt"
        let sum = "sha256:" + (try Shell.run(["sha256sum"], input: Array("fetched".utf8)).stdout.prefix(64))
        let tree = try #require(try build("ADD \(url) /to/\nADD \(url) /g\nADD --checksum=\(sum) \(url) /h\n"))
        #expect(tree.faults == [])
        for path in ["to/f.txt", "g", "h"] {
            #expect(tree[path]?.description == "f 0600 0:0")
            #expect(tree[path]?.text == "fetched")
            #expect(tree[path]?.modified == 1_234_567_890)
        }
        try build("ADD \(server.url)/nothing /x", refusal: "404")
        try build("ADD --checksum=sha256:\(String(repeating: "0", count: 64)) \(url) /x", refusal: sum)
    }

    @Test("ADD git repository") func repository() async throws {
        let fixture = try GitRepositoryFixture(in: scratch.path, name: "app.git")
        let head = try fixture.commit(["src/f": "one\n", "README": "read\n"], message: "first")
        let server = try await GitHTTPServer(directory: scratch.path)
        let url = "\(server.url)/app.git"
        let tree = try #require(
            try build("ADD \(url)#main /all\nADD \(url)#main:src /part/\nADD --keep-git-dir=true \(url)#\(head) /kept"))
        #expect(tree["all/src/f"]?.text == "one\n")
        #expect(tree["all/src/f"]?.description == "f 0644 0:0")
        #expect(tree["all/.git"] == nil)
        #expect(tree["part/f"]?.text == "one\n")
        #expect(tree["part/README"] == nil)
        #expect(tree["kept/.git"]?.type == "d")
    }
}
