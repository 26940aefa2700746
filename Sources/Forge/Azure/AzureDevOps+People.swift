import HTTP

/// Azure DevOps takes people and teams by the identifiers of their identities.
extension AzureDevOps {
    private struct Found: Decodable, Sendable {
        let id: String
        let isActive: Bool?
    }

    /// - Parameter names: identifiers, e-mail addresses, or `[PROJECT]\TEAM`.
    func identities(_ names: [String], _ warnings: inout [String]) async -> [Identity] {
        var result: [Identity] = []
        for name in names {
            if Self.isIdentifier(name[...]) {
                result.append(Identity(id: name))
                continue
            }
            do {
                let found: AzureListing<Found> = try await client.get(try identityURL(name))
                if found.value.count == 1 {
                    result.append(Identity(id: found.value[0].id))
                } else {
                    warnings.append(
                        found.value.isEmpty
                            ? "there is no user or team '\(name)'" : "'\(name)' names several users or teams")
                }
            } catch {
                warnings.append("the reviewer '\(name)' was not looked up: \(error.summary)")
            }
        }
        return result
    }

    /// Azure DevOps Services have identities at a host of their own.
    private func identityURL(_ name: String) throws(ForgeError) -> HTTPURL {
        let query = [("searchFilter", "General"), ("filterValue", name), ("api-version", "7.0")]
        guard project.api.host == "dev.azure.com" else { return try project.url(["_apis", "identities"], query) }
        let services = "https://vssps.dev.azure.com" + project.api.path
        let root: HTTPURL
        do throws(HTTPError) { root = try HTTPURL(services) } catch { throw ForgeError(error) }
        return try project.url(at: root, ["_apis", "identities"], query)
    }

    /// Whether a text is a GUID: 8-4-4-4-12 hexadecimal digits.
    static func isIdentifier(_ text: Substring) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.utf8.count) == [8, 4, 4, 4, 12] && parts.allSatisfy { $0.allSatisfy(\.isHexDigit) }
    }

    /// The token's own identity.
    func ownIdentity() async throws(ForgeError) -> Identity {
        struct Connection: Decodable { let authenticatedUser: Identity }
        let connection: Connection = try await client.get(
            try project.url(["_apis", "connectionData"], [("api-version", "7.0-preview")]))
        return connection.authenticatedUser
    }
}
