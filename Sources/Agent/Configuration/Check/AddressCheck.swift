import Git
import HTTP
import OCI

/// Whether the addresses of a configuration are addresses. Nothing is asked of the network.
struct AddressCheck {
    private(set) var problems: [ConfigurationProblem] = []

    mutating func check(_ configuration: AgentConfiguration) {
        for (key, listen) in [("listen", configuration.listen), ("webhooks.listen", configuration.webhooks?.listen)] {
            guard let listen else { continue }
            do { _ = try ListenAddress(listen) } catch {
                add(key, error.summary, cause: error.cause, hint: error.hint)
            }
        }
    }

    mutating func check(_ registry: AgentConfiguration.RegistryEntry, at key: String) {
        if registry.host != "*" { host(registry.host, "\(key).host") }
        for (name, targets) in [("map", registry.map), ("mirrors", registry.mirrors)] {
            for target in targets { self.target(target, "\(key).\(name)") }
        }
        if let proxy = registry.proxy, !proxy.isEmpty { self.proxy(proxy, "\(key).proxy") }
    }

    mutating func check(_ git: AgentConfiguration.GitConfiguration, at key: String) {
        if let proxy = git.proxy { self.proxy(proxy, "\(key).proxy") }
    }

    mutating func check(_ repository: AgentConfiguration.RepositoryConfiguration, at key: String) {
        do { _ = try RemoteURL(repository.url) } catch {
            add("\(key).url", error.summary, cause: error.cause, hint: error.hint)
        }
    }

    private mutating func add(_ key: String, _ summary: String, cause: String? = nil, hint: String? = nil) {
        problems.append(ConfigurationProblem(.invalidAddress, summary, key: key, cause: cause, hint: hint))
    }

    private mutating func proxy(_ text: String, _ key: String) {
        do { try Proxies.check(text) } catch {
            add(key, error.summary, cause: error.cause, hint: "write http://HOST:PORT")
        }
    }

    /// `HOST` or `HOST:PORT`, by the grammar of references.
    private mutating func host(_ text: String, _ key: String) {
        if let cause = Self.problem(ofHost: text) {
            add(
                key, "'\(text)' is not a registry host", cause: cause,
                hint: "write HOST or HOST:PORT, without a scheme and a path")
        }
    }

    /// `HOST[:PORT][/PREFIX]` or `oci:/DIRECTORY`.
    private mutating func target(_ text: String, _ key: String) {
        var cause: String?
        if text.hasPrefix("oci:") {
            if !text.hasPrefix("oci:/") { cause = "the directory is not an absolute path" }
        } else if let slash = text.firstIndex(of: "/"), !text.contains("://") {
            cause = Self.problem(ofHost: String(text[..<slash]))
            let prefix = text[slash...].split(separator: "/").joined(separator: "/")
            if cause == nil, !prefix.isEmpty, (try? Reference("registry.example.com/\(prefix)/x")) == nil {
                cause = "'\(prefix)' is not the beginning of a repository's name"
            }
        } else {
            cause = Self.problem(ofHost: text)
        }
        if let cause {
            add(
                key, "'\(text)' is neither a registry nor a directory of OCI layouts", cause: cause,
                hint: "write HOST[:PORT][/PREFIX] or oci:/DIRECTORY")
        }
    }

    private static func problem(ofHost text: String) -> String? {
        if text.contains("://") { return "it has a URL's scheme" }
        if text.contains("/") { return "it has a path" }
        let tail = text[(text.lastIndex(of: "]") ?? text.startIndex)...]
        if let colon = tail.lastIndex(of: ":") {
            let port = tail[tail.index(after: colon)...]
            guard let number = Int(port), (1...65_535).contains(number), !port.hasPrefix("+") else {
                return "'\(port)' is not a port from 1 to 65535"
            }
            return (try? Reference("\(text)/x")) == nil ? "it is neither a name nor an address" : nil
        }
        return (try? Reference("\(text):1/x")) == nil ? "it is neither a name nor an address" : nil
    }
}
