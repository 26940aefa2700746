import Git
import TestSupport
import Testing

/// When two URLs name one repository, so that credentials for the one may be shown for the other.
@Suite(.tags(.unit)) struct RepositoryPlaceTests {
    private func place(_ text: String) -> RepositoryPlace? { (try? RemoteURL(text)).flatMap { RepositoryPlace($0) } }

    @Test(arguments: [
        ("https://git.example.com/acme/shop.git", "https://git.example.com/acme/shop"),
        ("https://git.example.com/acme/shop.git", "https://user:secret@GIT.example.com:443/acme/shop.git/"),
        ("https://git.example.com/acme/shop.git", "https://git.example.com/%61cme/shop.git"),
        ("ssh://git@git.example.com/acme/shop.git", "git@git.example.com:acme/shop.git"),
        ("ssh://git.example.com/acme/shop", "ssh://git@git.example.com:22/acme/shop"),
        ("http://[::1]:3000/a/b.git", "http://[::1]:3000/a/b"),
    ])
    func `one repository in two spellings`(first: String, second: String) throws {
        let place = try #require(self.place(first))
        #expect(place == self.place(second))
    }

    @Test(arguments: [
        ("https://git.example.com/acme/shop.git", "http://git.example.com/acme/shop.git"),
        ("https://git.example.com/acme/shop.git", "https://git.example.com:8443/acme/shop.git"),
        ("https://git.example.com/acme/shop.git", "https://git.example.com.evil.io/acme/shop.git"),
        ("https://git.example.com/acme/shop.git", "https://git.example.com/acme/shop2.git"),
        ("https://git.example.com/acme/shop.git", "https://git.example.com/acme"),
        ("https://git.example.com/acme/shop.git", "https://git.example.com@evil.io/acme/shop.git"),
        ("https://git.example.com/acme/shop.git", "ssh://git@git.example.com/acme/shop.git"),
        ("ssh://git@git.example.com/acme/shop.git", "ssh://root@git.example.com/acme/shop.git"),
        ("ssh://git@git.example.com/acme/shop.git", "ssh://git@git.example.com:2222/acme/shop.git"),
        ("https://git.example.com/acme/shop.git", "https://git.example.com/Acme/shop.git"),
    ])
    func `two repositories`(first: String, second: String) throws {
        let place = try #require(self.place(first))
        #expect(place != self.place(second))
    }

    /// A server, or the library on the way to it, may make another path of these.
    @Test(arguments: [
        "https://git.example.com/acme/shop.git/../../other/private.git", "https://git.example.com/acme/./shop.git",
        "https://git.example.com/acme//shop.git", "https://git.example.com/acme/%2e%2e/private.git",
        "https://git.example.com/acme/shop.git%2f..%2fprivate.git", "https://git.example.com/acme\\..\\private.git",
        "https://git.example.com/acme/shop.git?x=/../private.git", "https://git.example.com/acme/%252e%252e/p.git",
        "https://git.example.com/acme/shop.git/%00", "/srv/git/shop.git", "file:///srv/git/shop.git",
    ])
    func `what could be read in two ways has no place`(text: String) {
        #expect(place(text) == nil)
    }

    @Test(arguments: [
        ("https://git.example.com", "https://git.example.com/acme/shop.git", true),
        ("https://git.example.com/acme/", "https://git.example.com/acme/shop.git", true),
        ("https://git.example.com/acme/shop", "https://git.example.com/acme/shop.git", true),
        ("ssh://git@git.example.com/acme", "git@git.example.com:acme/shop.git", true),
        ("git@git.example.com:acme", "ssh://git@git.example.com/acme/shop.git", true),
        ("https://git.example.com/acme", "https://git.example.com/acme-evil/shop.git", false),
        ("https://git.example.com/acme", "http://git.example.com/acme/shop.git", false),
        ("https://git.example", "https://git.example.com/acme/shop.git", false),
        ("https://git.example.com/acme", "https://git.example.com/acme/../other/x.git", false),
    ])
    func `what a prefix grants`(prefix: String, text: String, isGranted: Bool) throws {
        let grant = try #require(RepositoryPlace(prefix: prefix))
        #expect((place(text)?.isBelow(grant) ?? false) == isGranted)
    }

    @Test(arguments: [
        "", "git.example.com", "/srv/git", "file:///srv", "https://", "https://u:p@git.example.com/a", "ftp://x/y",
    ])
    func `what is no prefix`(text: String) {
        #expect(RepositoryPlace(prefix: text) == nil)
    }
}
