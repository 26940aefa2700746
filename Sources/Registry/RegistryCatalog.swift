import HTTP
import OCI

/// The names of a registry's repositories.
///
/// https://distribution.github.io/distribution/spec/api/#listing-repositories (an extension that large registries leave
/// out).
struct RegistryCatalog: Sendable {
    let host: RegistryHost

    private struct Page: Decodable {
        var repositories: [String]?
    }

    func repositories() async throws(RegistryError) -> [String] {
        var result: [String] = []
        var seen: Set<String> = []
        let place = host.name
        let call = RegistryHost.Call(
            method: "GET", path: "_catalog?n=1000", repository: "", scopes: ["registry:catalog:*"], place: place)
        let exists = try await host.pages(call, "the repositories cannot be listed") {
            (response) throws(RegistryError) in
            let page: Page
            do throws(OCIError) {
                page = try CanonicalJSON.decode(Page.self, from: response.body)
            } catch {
                throw RegistryError(
                    .invalidContent, "the list of repositories cannot be read", place: place, cause: error.cause)
            }
            let before = result.count
            for name in page.repositories ?? [] where seen.insert(name).inserted { result.append(name) }
            guard result.count <= Limits.tags else {
                throw RegistryError(.tooLarge, "the registry has more than \(Limits.tags) repositories", place: place)
            }
            return result.count - before
        }
        guard exists else {
            throw RegistryError(
                .unsupported, "the repositories cannot be listed", place: place, cause: "the registry has no catalog",
                hint: "Docker Hub and most hosted registries list repositories only in interfaces of their own")
        }
        return result
    }
}
