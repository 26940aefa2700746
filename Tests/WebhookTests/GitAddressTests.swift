import TestSupport
import Testing
import Webhooks

/// Which addresses are those of one repository.
@Suite(.tags(.unit)) struct GitAddressTests {
    @Test(arguments: [
        [
            "https://git.example/Acme/Shop.git", "http://git.example:80/acme/shop",
            "https://git.example:443/acme/shop/",
            "https://user:pw@GIT.example/acme/shop.git", "git@git.example:acme/shop.git", "git.example:Acme/Shop",
            "ssh://git@git.example/acme/shop.git", "ssh://git@git.example:22/acme/shop",
            "git@git.example:/acme/shop.git",
            "https://git.example//acme/./shop.git".replacing("./", with: ""), "git://git.example:9418/acme/shop",
            "https://git.example/acme/sho%70?x=1#y",
        ],
        ["https://gl.example/acme/sub/shop.git", "git@gl.example:acme/sub/shop.git"],
        ["git@github.com:acme/shop.git", "ssh://git@ssh.github.com:443/acme/shop.git", "https://github.com/acme/shop"],
        [
            "https://acme@dev.azure.com/acme/My%20Project/_git/Shop", "https://dev.azure.com/acme/My Project/_git/shop",
            "https://acme.visualstudio.com/DefaultCollection/My%20Project/_git/Shop",
            "https://acme.visualstudio.com/My%20Project/_git/Shop", "git@ssh.dev.azure.com:v3/acme/My%20Project/Shop",
        ],
        ["https://dev.azure.com/acme/_git/shop", "https://dev.azure.com/acme/shop/_git/shop"],
        [
            "https://bb.example/ctx/scm/~anna/shop.git", "https://bb.example/scm/~anna/shop",
            "https://bb.example/projects/~anna/repos/shop", "ssh://git@bb.example/~anna/shop.git",
        ],
        ["/srv/git/shop.git", "file:///srv/git/shop.git/", "/srv/git/shop", "/srv/git/shop/.git"],
    ])
    func `different ways to write one address`(_ urls: [String]) throws {
        let first = try #require(GitAddress(urls[0]))
        for url in urls { #expect(GitAddress(url) == first, "\(url)") }
    }

    @Test func `other addresses are others`() {
        let urls = [
            "https://git.example/acme/shop", "https://git.example/acme/shops", "https://git.example:8443/acme/shop",
            "https://other.example/acme/shop", "https://git.example/shop", "/acme/shop",
            "ssh://git@git.example:2222/acme/shop", "https://git.example/acme/shop/wiki",
        ]
        #expect(Set(urls.compactMap { GitAddress($0) }).count == urls.count)
    }

    @Test(arguments: [
        "", "/", "https://", "https://git.example", "https://git.example/", "git@git.example:", ".git", "://",
    ])
    func `what names no repository`(_ url: String) { #expect(GitAddress(url) == nil) }

    @Test func `hostile texts are read in one go`() {
        #expect(GitAddress(String(repeating: "x", count: 5_000)) == nil)
        for url in [
            "a:%ff%zz", "https://[::1]:443/a/b", "https://a:b:c@d:e/f", "x:_git/_git/_git", "projects/repos/projects",
        ] {
            let address = GitAddress(url)
            #expect(address == nil || address?.path.isEmpty == false)
        }
    }
}
