import Blocking
import Git
import Glibc
import OCI
import Registry

/// Whether the hosts, repositories and registries that a configuration names can be reached with its credentials.
struct ReachExamination: Sendable {
    let configuration: AgentConfiguration
    /// A directory for mirrors that are made for the question alone.
    let scratch: String

    /// Hosts that are asked at once.
    private static let width = 8

    func findings() async -> [DoctorFinding] {
        let names = await concurrentMap(hosts, width: Self.width) { await Self.resolve($0) }
        let git = await concurrentMap(configuration.repositories, width: Self.width) { await ask($0) }
        let registry = Fleet.registry(configuration)
        let pushed = await concurrentMap(destinations, width: Self.width) { await Self.ask($0, registry) }
        return names + git + pushed
    }

    // MARK: Names

    /// The hosts to be resolved, sorted. Those behind a proxy are the proxy's to resolve, and left out.
    var hosts: [String] {
        var hosts: Set<String> = []
        for repository in configuration.repositories {
            let git = repository.git ?? configuration.git
            guard git.proxy == nil, let host = (try? RemoteURL(repository.url))?.host else { continue }
            hosts.insert(host)
        }
        for case .registry(let host, _) in destinations {
            if let proxy = configuration.registries.first(where: { $0.host == host })?.proxy, !proxy.isEmpty {
                continue
            }
            hosts.insert(Self.name(ofHost: host))
        }
        return hosts.sorted()
    }

    /// Without its port.
    static func name(ofHost host: String) -> String {
        if host.hasPrefix("[") { return String(host.dropFirst().prefix { $0 != "]" }) }
        return String(host.prefix { $0 != ":" })
    }

    private static func resolve(_ host: String) async -> DoctorFinding {
        await runBlocking {
            var answer: UnsafeMutablePointer<addrinfo>?
            let code = getaddrinfo(host, nil, nil, &answer)
            if let answer { freeaddrinfo(answer) }
            guard code != 0 else { return DoctorFinding(.name, .ok, "\(host) has an address", subject: host) }
            return DoctorFinding(
                .name, .error, "\(host) has no address", subject: host, cause: String(cString: gai_strerror(code)),
                hint: "check the spelling, and whether a NetworkPolicy keeps the pod from the cluster's DNS (port 53)")
        }
    }

    // MARK: Git

    private func ask(_ repository: AgentConfiguration.RepositoryConfiguration) async -> DoctorFinding {
        let name = repository.name
        let path = "\(scratch)/\(GitAccess.folder(for: repository.url))-\(UInt32.random(in: 0 ... .max))"
        defer { try? Mirror.remove(at: path) }
        do {
            let credentials = try await GitAccess.current(repository.git ?? configuration.git, of: repository.url)
            let mirror = try Mirror(path: path, url: repository.url, credentials: credentials)
            let branches = try await mirror.remoteBranches()
            guard branches[repository.branch] != nil else {
                return DoctorFinding(
                    .git, .error, "\(name): there is no branch '\(repository.branch)'", subject: name,
                    cause: branches.isEmpty
                        ? "the repository is empty"
                        : "it has " + branches.keys.sorted().prefix(5).joined(separator: ", "),
                    hint: "set 'branch' of the repository, or push the branch")
            }
            return DoctorFinding(.git, .ok, "\(name): \(repository.branch) can be read", subject: name)
        } catch let error as GitError {
            return DoctorFinding(.git, subject: name, error)
        } catch let error as AgentError {
            return DoctorFinding(.git, subject: name, error)
        } catch {
            return DoctorFinding(.git, .error, "\(name): \(error)", subject: name)
        }
    }

    // MARK: Registries

    private var destinations: [RepositoryLocation] {
        let all = configuration.repositories.flatMap(\.builds).flatMap(\.destinations).map(\.repository)
        return Set(all).sorted { "\($0)" < "\($1)" }
    }

    /// Begins an upload and gives it up.
    private static func ask(_ location: RepositoryLocation, _ registry: RegistryAccess) async -> DoctorFinding {
        let name = "\(location)"
        do throws(RegistryError) {
            guard let remote = try registry.repository(location) as? RemoteRepository else {
                return DoctorFinding(.registry, .ok, "\(name) is a directory", subject: name)
            }
            try await remote.checkPush()
            return DoctorFinding(.registry, .ok, "\(name) takes images", subject: name)
        } catch {
            return DoctorFinding(.registry, subject: name, error)
        }
    }
}
