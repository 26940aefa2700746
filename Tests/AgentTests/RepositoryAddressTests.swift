import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct RepositoryAddressTests {
    private static let same: [(String, String)] = [
        ("git://github.com/acme/shop.git", "https://git.example.com/acme/shop.git"),
        ("git://github.com/acme/shop", "https://github.com/Acme/Shop.git/"),
        ("https://github.com/acme/shop.git", "git@github.com:acme/shop.git"),
        ("ssh://git@git.example.com:2222/acme/shop.git", "https://user:t0ken@git.example.com/acme/shop"),
        ("https://gitlab.com/group/sub/shop", "git@gitlab.internal:group/sub/shop.git"),
        ("https://bitbucket.example.com/scm/acme/shop.git", "ssh://git@bitbucket.example.com:7999/acme/shop.git"),
        ("https://dev.azure.com/acme/web/_git/shop", "git@ssh.dev.azure.com:v3/acme/web/shop"),
        ("git://github.com/acme/shop.git#refs/heads/main", "https://github.com/acme/shop?ref=x"),
        ("https://git.example.com/shop.git", "git://git.example.com:9418/shop"),
        // Mirrors on this machine.
        ("git://github.com/acme/shop.git", "file:///srv/mirrors/acme/shop.git"),
        ("git://github.com/acme/shop.git", "/srv/mirrors/github.com/acme/shop"),
        ("https://gitlab.com/group/sub/shop", "/srv/group/sub/shop.git"),
        ("file:///srv/git/shop.git", "/srv/git/shop"),
        ("file:///srv/git/shop.git", "file://localhost/srv/git/shop.git"),
        ("/home/me/shop/.git", "/home/me/shop"), ("/a/acme/shop.git", "/b/acme/shop"),
    ]

    private static let different: [(String, String)] = [
        ("git://github.com/other/shop.git", "https://github.com/acme/shop.git"),
        ("git://github.com/other/shop.git", "https://git.example.com/acme/shop.git"),
        ("https://gitlab.com/group/one/shop", "https://gitlab.com/group/two/shop"),
        ("https://gitlab.com/one/sub/shop", "https://gitlab.com/two/sub/shop"),
        ("https://gitlab.com/group/sub/shop", "https://gitlab.com/sub/shop"),
        ("git://github.com/acme/shop", "https://github.com/acme/shop-web"),
        ("https://one.example.com/shop.git", "https://two.example.com/shop.git"),
        ("git://github.com/acme/shop", "https://git.example.com/shop.git"),
        ("git://github.com/other/shop.git", "file:///srv/mirrors/acme/shop.git"),
        ("git://github.com/acme/shop.git", "/srv/git/shop.git"), ("/srv/a/shop", "/srv/b/shop"),
        ("https://gitlab.com/group/sub/shop", "/srv/other/sub/shop.git"),
        ("https://git.example.com/shop", "/srv/shop"), ("", ""), ("https://git.example.com", "https://git.example.com"),
    ]

    @Test(arguments: same) func `the same repository`(one: String, other: String) {
        #expect(RepositoryAddress(one).isSame(as: RepositoryAddress(other)))
        #expect(RepositoryAddress(other).isSame(as: RepositoryAddress(one)))
    }

    @Test(arguments: different) func `another repository`(one: String, other: String) {
        #expect(!RepositoryAddress(one).isSame(as: RepositoryAddress(other)))
        #expect(!RepositoryAddress(other).isSame(as: RepositoryAddress(one)))
    }

    @Test(arguments: [
        ("https://me:t0ken@git.example.com/a/b?token=x#y", "https://git.example.com/a/b"),
        ("git://t0ken@git.example.com/a/b", "git://git.example.com/a/b"),
        ("git@git.example.com:a/b", "git@git.example.com:a/b"), ("https://h/a@b", "https://h/a@b"),
    ])
    func `what is shown holds no secret`(url: String, shown: String) {
        #expect(RepositoryAddress.shown(url) == shown)
    }
}
