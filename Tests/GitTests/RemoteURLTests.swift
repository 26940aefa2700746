import TestSupport
import Testing

@testable import Git

@Suite(.tags(.unit))
struct RemoteURLTests {
    @Test(arguments: [
        ("https://host/a/b.git", "https://host/a/b.git", "https://host/a/b.git"),
        ("https://user:pa%40ss@host:8443/a.git?token=x", "https://host:8443/a.git?token=x", "https://host:8443/a.git"),
        ("ssh://git@host:2222/a.git", "ssh://git@host:2222/a.git", "ssh://host:2222/a.git"),
        ("ssh://git:secret@host/a.git", "ssh://git@host/a.git", "ssh://host/a.git"),
        ("git@github.com:owner/name.git", "git@github.com:owner/name.git", "git@github.com:owner/name.git"),
        ("host:name", "host:name", "host:name"),
        ("/srv/git/a.git", "/srv/git/a.git", "/srv/git/a.git"),
        ("file:///srv/a%20b.git", "/srv/a b.git", "/srv/a b.git"),
        ("file://localhost/srv/a.git", "/srv/a.git", "/srv/a.git"),
        ("/srv/odd:name", "/srv/odd:name", "/srv/odd:name"),
        ("https://[::1]:8443/a.git", "https://[::1]:8443/a.git", "https://[::1]:8443/a.git"),
    ])
    func `URLs are taken apart`(_ text: String, _ address: String, _ shown: String) throws {
        let url = try RemoteURL(text)
        #expect(url.address == address)
        #expect(url.description == shown)
    }

    @Test func `user information is decoded and kept apart`() throws {
        let url = try RemoteURL("https://us%65r:pa%40ss%zz@host/a.git")
        #expect(url.username == "user")
        #expect(url.password == "pa@ss%zz")
        #expect(try RemoteURL("https://ghp_token@host/a.git").username == "ghp_token")
    }

    @Test(arguments: [
        "", "https://", "https://host", "https://host/", "ssh://-oProxyCommand=x/a", "-oProxyCommand=x:a",
        "ftp://host/a",
        "https://host:99999/a", "https://host:x/a", "file://host/a", "http://host/a\nb", "host:",
    ])
    func `what is no repository URL is refused`(_ text: String) {
        #expect(throws: GitError.self) { try RemoteURL(text) }
    }

    @Test(arguments: [
        ("failed: https://user:secret@host/a?token=s3 now", "failed: https://host/a now"),
        ("'https://secret@host'", "'https://host'"), ("no URL at all", "no URL at all"), ("://", "://"),
        ("two ssh://a:b@c/d and http://e@f/g#h", "two ssh://c/d and http://f/g"),
        ("https://host/a@b", "https://host/a@b"),
    ])
    func `secrets are taken out of messages`(_ text: String, _ expected: String) {
        #expect(Redaction.urls(in: text) == expected)
    }

    @Test func `a server's text cannot control a terminal`() {
        let text = Array("\u{1B}[31mremote: denied\r\n\n  by rule\u{7}\n".utf8)
        #expect(Redaction.serverText(text) == "[31mremote: denied / by rule")
    }

    @Test func `credentials print no secret`() {
        let credentials = GitCredentials(
            username: "u", password: "hidden1", token: "hidden2", headers: ["Authorization: hidden3"],
            sshKeyPassphrase: "hidden4")
        var dumped = ""
        dump(credentials, to: &dumped)
        let all = "\(credentials)" + String(reflecting: credentials) + dumped
        #expect(!all.contains("hidden"))
    }

    @Test func `object ids are parsed strictly`() throws {
        let hex = "0123456789abcdefABCDEF0123456789abcdef01"
        let id = try ObjectID(hex: hex)
        #expect(id.description == hex.lowercased())
        #expect(id.short == "0123456")
        #expect(ObjectID(id.oid) == id)
        #expect(id.bytes.first == 0x01 && id.bytes.last == 0x01 && id.bytes.count == 20)
        for bad in ["", "0123", hex + "0", String(hex.dropLast()) + "g"] {
            #expect(throws: GitError.self) { try ObjectID(hex: bad) }
        }
    }
}
