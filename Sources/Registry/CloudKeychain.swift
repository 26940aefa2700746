import CloudIdentity
import FoundationEssentials
import Glibc
import HTTP

/// Credentials for the registries of the clouds, from the identity that this process has there: Amazon ECR, Google Artifact
/// Registry and Container Registry, Azure Container Registry.
actor CloudKeychain {
    enum Registry: Hashable {
        case ecr(account: String, region: String, domain: String)
        case publicECR
        case google
        case azure

        /// kaniko's name for the cloud's way.
        var helper: String {
            switch self {
            case .ecr, .publicECR: "ecr"
            case .google: "google"
            case .azure: "acr"
            }
        }

        /// Which cloud a host belongs to.
        init?(host: String) {
            if host == "public.ecr.aws" {
                self = .publicECR
                return
            }
            if host == "gcr.io" || host.hasSuffix(".gcr.io") || host == "docker.pkg.dev"
                || host.hasSuffix("-docker.pkg.dev")
            {
                self = .google
                return
            }
            if [".azurecr.io", ".azurecr.cn", ".azurecr.us"].contains(where: host.hasSuffix) {
                self = .azure
                return
            }
            let parts = host.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard let account = parts.first, account.utf8.count == 12,
                account.utf8.allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
            if parts.count >= 6, parts[1] == "dkr", parts[2] == "ecr" || parts[2] == "ecr-fips",
                ["amazonaws.com", "amazonaws.com.cn"].contains(parts[4...].joined(separator: "."))
            {
                self = .ecr(account: account, region: parts[3], domain: parts[4...].joined(separator: "."))
            } else if parts.count == 5, parts[1] == "dkr-ecr", parts[3] == "on", parts[4] == "aws" {
                self = .ecr(account: account, region: parts[2], domain: "amazonaws.com")
            } else {
                return nil
            }
        }
    }

    private let aws: AWSIdentity
    private let google: GoogleIdentity
    private let azure: AzureIdentity
    /// Where a registry of Azure exchanges tokens.
    private let azureEndpoint: @Sendable (String) -> String
    private var known: [String: (credentials: Credentials, until: Int64)] = [:]

    private let environment: CloudEnvironment
    /// Whose identities are used; `nil`: all.
    private let clouds: Set<String>?

    /// The same for some clouds only.
    nonisolated func limited(to names: Set<String>) -> CloudKeychain {
        CloudKeychain(environment, clouds: names, azureEndpoint: azureEndpoint)
    }

    init(
        _ environment: CloudEnvironment = .process, clouds: Set<String>? = nil,
        azureEndpoint: @escaping @Sendable (String) -> String = { "https://\($0)" }
    ) {
        self.environment = environment
        self.clouds = clouds
        aws = AWSIdentity(environment)
        google = GoogleIdentity(environment)
        azure = AzureIdentity(environment)
        self.azureEndpoint = azureEndpoint
    }

    /// The names of credential helpers whose work is done here when the program is not installed.
    static let helpers: Set<String> = ["ecr-login", "gcr", "gcloud", "acr", "acr-env"]

    /// `nil` for other hosts, and where this process has no identity in the cloud.
    func credentials(for host: String) async throws(RegistryError) -> Credentials? {
        guard let registry = Registry(host: host), clouds?.contains(registry.helper) ?? true else { return nil }
        let now = Int64(time(nil))
        if let known = known[host], known.until > now + 60 { return known.credentials }
        do throws(CloudError) {
            let found: (Credentials, until: Int64)?
            switch registry {
            case .ecr(let account, let region, let domain):
                found = try await ecr(
                    "ecr", endpoint: aws.endpoint("ecr", "https://api.ecr.\(region).\(domain)"), region: region,
                    target: "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
                    body: #"{"registryIds":["\#(account)"]}"#)
            case .publicECR:
                found = try await ecr(
                    "ecr-public",
                    endpoint: aws.endpoint("ecr-public", "https://api.ecr-public.us-east-1.amazonaws.com"),
                    region: "us-east-1", target: "SpencerFrontendService.GetAuthorizationToken", body: "{}")
            case .google:
                // The token's own end is watched by the identity.
                found = try await google.accessToken().map {
                    (.basic(user: "oauth2accesstoken", password: $0), now)
                }
            case .azure:
                // Refresh tokens of Azure last three hours.
                found = try await azure.registryToken(registry: host, endpoint: azureEndpoint(host)).map {
                    (.identityToken($0), now + 3600)
                }
            }
            guard let found else { return nil }
            known[host] = found
            return found.0
        } catch {
            // Everybody may read there, so an identity without that right is no reason to fail.
            if registry == .publicECR { return nil }
            throw RegistryError(
                .credentials, "no credentials for \(host): \(error.summary)", place: error.place, cause: error.cause,
                hint: error.hint, isTransient: error.isTransient)
        }
    }

    /// One entry, or (public registries) an object in place of the list.
    private struct Answer: Decodable {
        struct Item: Decodable {
            var authorizationToken: String
            var expiresAt: Double?
        }

        var items: [Item]

        enum CodingKeys: String, CodingKey {
            case authorizationData
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            if let list = try? container.decode([Item].self, forKey: .authorizationData) {
                items = list
            } else {
                items = [try container.decode(Item.self, forKey: .authorizationData)]
            }
        }
    }

    /// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
    private func ecr(
        _ service: String, endpoint: String, region: String, target: String, body: String
    ) async throws(CloudError) -> (Credentials, until: Int64)? {
        let response = try await aws.call(service, endpoint: endpoint, region: region, target: target, body: body)
        guard let response else { return nil }
        guard let item = (try? JSONDecoder().decode(Answer.self, from: Data(response.body)))?.items.first,
            let bytes = Data(base64Encoded: item.authorizationToken).map([UInt8].init),
            let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
        else {
            throw CloudError("the answer of Amazon ECR cannot be read", place: "\(response.head.url)")
        }
        let credentials = Credentials.basic(
            user: String(decoding: bytes[..<colon], as: UTF8.self),
            password: String(decoding: bytes[(colon + 1)...], as: UTF8.self))
        let now = Int64(time(nil))
        let end = item.expiresAt.flatMap { $0 > 0 && $0 < 1e12 ? Int64($0) : nil } ?? now + 3600
        return (credentials, min(end, now + 43_200))
    }
}
