import OCI
import TestSupport
import Testing

/// What a repository may name: images and repositories of registries, and the patterns that limit them.
@Suite(.tags(.unit)) struct RegistryRepositoryTests {
    /// `oci:5000/app` would also read as a registry called "oci"; one text must not mean two things.
    @Test(arguments: ["oci:/srv/images/app", "oci:/srv/images/app:v1", "oci:relative", "oci:5000/app", "oci:", "oci:."])
    func `the path of a layout is no name of an image`(text: String) {
        let error = #expect(throws: OCIError.self) { try Reference(text) }
        #expect(error?.cause?.contains("OCI layout on this machine") == true)
        #expect(error?.hint?.contains("registry") == true)
        #expect(throws: OCIError.self) { try RegistryRepository(text) }
    }

    @Test func `a repository is read as Docker reads it, and widens`() throws {
        let repository = try RegistryRepository("nginx")
        #expect(repository.description == "docker.io/library/nginx")
        #expect(repository.familiar == "nginx")
        #expect(try RepositoryLocation(repository) == RepositoryLocation("nginx"))
        for text in ["nginx:1", "a/b@sha256:" + String(repeating: "0", count: 64), "/srv/x", "docker://a/b"] {
            #expect(throws: OCIError.self, "\(text)") { try RegistryRepository(text) }
        }
    }

    @Test(arguments: [
        ("registry.example.com/acme/**", ["registry.example.com/acme/web", "registry.example.com/acme/a/b"]),
        ("docker.io/library/*", ["nginx", "docker.io/library/alpine"]),
        ("localhost:5000/app", ["localhost:5000/app"]), ("*.example.com/**", ["a.example.com/x", "b.example.com/y/z"]),
        ("**", ["nginx", "registry.example.com/acme/a/b"]), ("r.io/a*c", ["r.io/ac", "r.io/a-b-c"]),
    ])
    func `what a pattern covers`(text: String, covered: [String]) throws {
        let pattern = try RepositoryPattern(text)
        for name in covered { #expect(pattern.matches(try RegistryRepository(name)), "\(name)") }
    }

    @Test(arguments: [
        (
            "registry.example.com/acme/**",
            ["registry.example.com/acme-evil/web", "other.example.com/acme/web", "acme/web"]
        ),
        ("docker.io/library/*", ["docker.io/library/a/b", "acme/web", "evil.io/docker.io/library/x"]),
        ("registry.example.com/acme/*", ["registry.example.com/acme/a/b"]),
        ("*.example.com/**", ["example.com/x", "a.example.com.evil.io/x"]),
        ("localhost:5000/app", ["localhost:5001/app", "localhost:5000/app2", "localhost:5000/ap"]),
    ])
    func `what a pattern does not cover`(text: String, others: [String]) throws {
        let pattern = try RepositoryPattern(text)
        for name in others { #expect(!pattern.matches(try RegistryRepository(name)), "\(name)") }
    }

    @Test(arguments: ["acme/*", "nginx", "", "a b.c/d", "/x"])
    func `a pattern begins with a host`(text: String) {
        let error = #expect(throws: OCIError.self) { try RepositoryPattern(text) }
        #expect(error?.hint?.contains("HOST/PATH") == true)
    }

    /// Of thousands of stars, each costs no more than a step for each letter.
    @Test func `many stars take no long time`() throws {
        let pattern = try RepositoryPattern("*." + String(repeating: "a*", count: 200) + "b")
        #expect(!pattern.matches(try RegistryRepository("x.io/" + String(repeating: "a", count: 200))))
    }
}
