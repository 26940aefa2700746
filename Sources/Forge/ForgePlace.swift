import Text

/// What the URL of a repository says about its host's API.
struct ForgePlace: Equatable {
    /// Where the API's paths begin.
    var api: String
    /// The project's path as the API has it.
    var path: String

    /// - Parameter location: of the repository's URL.
    init?(_ kind: ForgeKind, _ location: (host: String, path: String)) {
        let (host, path) = location
        switch kind {
        case .github:
            // GitHub Enterprise Cloud with data residency has its API at a host of its own.
            let isCloud = host == "github.com" || host.hasSuffix(".ghe.com")
            self.init(api: isCloud ? "https://api.\(host)" : "https://\(host)/api/v3", path: path)
        case .gitlab: self.init(api: "https://\(host)/api/v4", path: path)
        case .gitea: self.init(api: "https://\(host)/api/v1", path: path)
        case .bitbucket: self.init(api: "https://api.bitbucket.org/2.0", path: path)
        case .bitbucketServer:
            // Its pages, git over HTTP and the API lie below the same context.
            var parts = path.split(separator: "/").map(String.init)
            var context = ""
            if let mark = parts.lastIndex(of: "scm") {
                context = parts[..<mark].map { "/" + $0 }.joined()
                parts.removeSubrange(...mark)
            }
            self.init(api: "https://\(host)\(context)/rest/api/latest", path: parts.joined(separator: "/"))
        case .azureDevOps: self.init(azure: host, path)
        }
    }

    private init(api: String, path: String) {
        self.api = api
        self.path = path
    }

    /// Azure DevOps: `ORGANISATION/PROJECT/_git/REPOSITORY`, below an organisation's own host without it, and
    /// `v3/ORGANISATION/PROJECT/REPOSITORY` by SSH. The project may be left out where the repository has its name.
    private init?(azure host: String, _ path: String) {
        var parts = path.split(separator: "/").map { PercentEncoding.decode($0) ?? String($0) }
        if host == "ssh.dev.azure.com" || host == "vs-ssh.visualstudio.com" {
            guard parts.count == 4, parts[0] == "v3" else { return nil }
            self.init(api: Self.services(parts[1]), path: "\(parts[2])/\(parts[3])")
            return
        }
        guard let mark = parts.lastIndex(of: "_git"), mark == parts.count - 2 else { return nil }
        let repository = parts[mark + 1]
        parts.removeSubrange(mark...)
        let isServices = host == "dev.azure.com"
        if host.hasSuffix(".visualstudio.com") {
            parts.removeAll { $0 == "DefaultCollection" }
            let organisation = String(host.dropLast(".visualstudio.com".count))
            self.init(api: Self.services(organisation), path: "\(parts.last ?? repository)/\(repository)")
        } else if isServices, let organisation = parts.first {
            self.init(
                api: Self.services(organisation), path: "\(parts.count > 1 ? parts[1] : repository)/\(repository)")
        } else if !isServices, parts.count > 1 {
            let collection = parts.dropLast().map { "/" + PercentEncoding.encode($0) }.joined()
            self.init(api: "https://\(host)\(collection)", path: "\(parts[parts.count - 1])/\(repository)")
        } else {
            return nil
        }
    }

    private static func services(_ organisation: String) -> String {
        "https://dev.azure.com/\(PercentEncoding.encode(organisation))"
    }

    /// Hosts of which it is known what they are.
    static func kind(of host: String) -> ForgeKind? {
        switch host {
        case "github.com": .github
        case "gitlab.com": .gitlab
        case "codeberg.org", "gitea.com": .gitea
        case "bitbucket.org": .bitbucket
        case "dev.azure.com", "ssh.dev.azure.com", "vs-ssh.visualstudio.com": .azureDevOps
        default: host.hasSuffix(".visualstudio.com") ? .azureDevOps : host.hasSuffix(".ghe.com") ? .github : nil
        }
    }
}
