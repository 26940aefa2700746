import Diagnostics
import Foundation
import OCI
import TestSupport
import Testing

private let hash = String(repeating: "0123456789abcdef", count: 4)

@Suite(.tags(.unit)) struct ReferenceTests {
    /// Text, its full form, its short form.
    static let valid: [(String, String, String)] = [
        ("nginx", "docker.io/library/nginx", "nginx"),
        ("nginx:1.25", "docker.io/library/nginx:1.25", "nginx:1.25"),
        ("library/nginx", "docker.io/library/nginx", "nginx"),
        ("docker.io/nginx", "docker.io/library/nginx", "nginx"),
        ("index.docker.io/nginx:a", "docker.io/library/nginx:a", "nginx:a"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx", "nginx"),
        ("bharamicrosystems/nginx:v4", "docker.io/bharamicrosystems/nginx:v4", "bharamicrosystems/nginx:v4"),
        ("localhost/app", "localhost/app", "localhost/app"),
        ("localhost:5000/app", "localhost:5000/app", "localhost:5000/app"),
        ("localhost", "docker.io/library/localhost", "localhost"),
        ("127.0.0.1:5000/a/b/c:t", "127.0.0.1:5000/a/b/c:t", "127.0.0.1:5000/a/b/c:t"),
        ("[::1]:5000/app:v1", "[::1]:5000/app:v1", "[::1]:5000/app:v1"),
        ("[fe80:0::1]/app", "[fe80:0::1]/app", "[fe80:0::1]/app"),
        ("ghcr.io/org/app:latest", "ghcr.io/org/app:latest", "ghcr.io/org/app:latest"),
        ("Uppercase/app", "Uppercase/app", "Uppercase/app"),
        ("gcr.io/a_b/c__d/e-f/g---h/i.j", "gcr.io/a_b/c__d/e-f/g---h/i.j", "gcr.io/a_b/c__d/e-f/g---h/i.j"),
        ("app:_under", "docker.io/library/app:_under", "app:_under"),
        ("app@sha256:\(hash)", "docker.io/library/app@sha256:\(hash)", "app@sha256:\(hash)"),
        ("app:v1@sha256:\(hash)", "docker.io/library/app:v1@sha256:\(hash)", "app:v1@sha256:\(hash)"),
        ("a.b/c", "a.b/c", "a.b/c"),
        ("a:5", "docker.io/library/a:5", "a:5"),
        ("a:5/b", "a:5/b", "a:5/b"),
        ("foo/foo_bar.com:8080", "docker.io/foo/foo_bar.com:8080", "foo/foo_bar.com:8080"),
        ("xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com/myimage:xn--n3h.com"),
        ("\(hash)a", "docker.io/library/\(hash)a", "\(hash)a"),
        // The longest tag.
        (
            "a:" + String(repeating: "t", count: 128), "docker.io/library/a:" + String(repeating: "t", count: 128),
            "a:" + String(repeating: "t", count: 128)
        ),
    ]

    @Test(arguments: valid)
    func isReadAsDockerReadsIt(_ text: String, _ full: String, _ short: String) throws {
        let reference = try Reference(text)
        #expect(reference.description == full)
        #expect(reference.familiar == short)
        #expect(try Reference(full) == reference, "the full form means the same")
        #expect(try Reference(short) == reference, "the short form means the same")
        let location = try ImageLocation(text)
        #expect(location.description == full)
        #expect(location.familiar == short)
        #expect(location.repository == .registry(host: reference.registry, path: reference.repository))
    }

    @Test(arguments: [
        "", ":tag", "/app", "app:", "app@", "app@sha256:short", "Repo", "docker.io/Repo:tag", "a/b/C", "app:-tag",
        "app:.tag", "app:ta g", "app: tag", "a//b", "a/", "a/b/", "-app", "app-", "_app", "app_", "a__.b", "a___b",
        "a..b", "a._b", "http://host/app", "https://host:5000/app:v1", "host:/app", "host:port/app", "[::1/app",
        "[]/app", "[::1]x/app", "[g::1]/app", "-host.com/app", "host-.com/app", "a..com/app", "app@md5:\(hash)",
        "app@sha256:\(hash)0", "app@sha256:\(hash.uppercased())", hash, "app:v1@sha256:\(hash)@sha256:\(hash)",
        "app:" + String(repeating: "t", count: 129), String(repeating: "a/", count: 128) + "aa", "ä", "app:ä",
        "app\n", "app\u{0}", "ap p", "docker.io/", "docker.io", "../etc/passwd", "a/../b", "a:1:2",
    ])
    func isRefused(_ text: String) {
        if text == "docker.io" {
            // Without a slash it is a name like any other.
            #expect((try? Reference(text))?.repository == "library/docker.io")
            return
        }
        let error = #expect(throws: OCIError.self) { _ = try Reference(text) }
        #expect(error?.cause?.isEmpty == false)
        #expect(error?.description.contains("\n") == (error?.hint != nil))
    }

    /// Cases made by `scripts/make-reference-cases.py` from the grammar's regular expressions.
    @Test func theGrammarIsDistributions() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
        let table = try String(contentsOfFile: "\(folder)/Golden/references.tsv", encoding: .utf8)
        let lines = table.split(separator: "\n")
        #expect(lines.count > 1000)
        for line in lines {
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            try #require(columns.count == 2)
            let meaning = (try? Reference(columns[0]))?.description ?? "-"
            #expect(meaning == columns[1], "\(columns[0])")
        }
    }

    @Test func partsChangeWithoutTheRest() throws {
        let reference = try Reference("ghcr.io/org/app:v1")
        #expect(try reference.with(tag: "v2").description == "ghcr.io/org/app:v2")
        #expect(throws: OCIError.self) { _ = try reference.with(tag: "v 2") }
        #expect(try Reference("app").withDefaultTag.description == "docker.io/library/app:latest")
        let digest = Digest.sha256(of: [])
        #expect(reference.with(digest: digest).description == "ghcr.io/org/app:v1@\(digest)")
    }
}

@Suite(.tags(.unit)) struct ImageLocationTests {
    @Test(arguments: [
        ("oci:/var/images/app:v1", "/var/images/app", "v1" as String?),
        ("oci:/var/images/app", "/var/images/app", nil),
        ("oci:/a:b/app:v1", "/a:b/app", "v1"),
        ("oci:/a:b/app", "/a:b/app", nil),
        ("oci:relative/app:v1", "relative/app", "v1"),
        ("oci:///var//images/./app/", "/var/images/app", nil),
        ("oci:.", ".", nil),
        ("oci:/", "/", nil),
    ])
    func layouts(_ text: String, _ path: String, _ tag: String?) throws {
        let location = try ImageLocation(text)
        #expect(location.repository == .layout(path: path))
        #expect(location.tag == tag)
        #expect(try ImageLocation(location.description) == location)
    }

    @Test func layoutsByDigest() throws {
        let digest = Digest.sha256(of: [1])
        let location = try ImageLocation("oci:/images@home/app:v1@\(digest)")
        #expect(location == ImageLocation(repository: .layout(path: "/images@home/app"), tag: "v1", digest: digest))
        #expect(try RepositoryLocation("oci:/x") == .layout(path: "/x"))
        #expect(throws: OCIError.self) { _ = try RepositoryLocation("oci:/x:v1") }
        #expect(throws: OCIError.self) { _ = try RepositoryLocation("nginx:v1") }
    }

    @Test(arguments: ["oci:", "oci::v1", "oci:/x:", "oci:/x:v 1", "oci:/x:-v", "oci:/\u{0}x"])
    func refused(_ text: String) {
        #expect(throws: OCIError.self) { _ = try ImageLocation(text) }
    }
}
