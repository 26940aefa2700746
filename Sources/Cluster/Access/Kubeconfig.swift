import FoundationEssentials
import HTTP
import JSON
import YAML

/// A kubeconfig: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
package struct Kubeconfig: Sendable {
    private let file: String
    private let root: JSONValue

    /// - Throws: `configuration`.
    package init(file: String) throws(ClusterError) {
        self.file = file
        let bytes = try CredentialFile.bytes(file)
        let documents: [YAMLDocument]
        do {
            documents = try YAMLStream.parse(bytes, file: file)
        } catch {
            throw ClusterError(.configuration, error.summary, place: error.place, hint: error.hint)
        }
        guard let node = documents.first?.root, let root = JSONValue(node), root["kind"].text == "Config" else {
            throw ClusterError(
                .configuration, "not a kubeconfig", place: file, cause: "its kind is not Config",
                hint: "see: kubectl config view")
        }
        self.root = root
    }

    /// The server and the user of a context; of the current one where none is named.
    ///
    /// - Throws: `configuration`.
    package func endpoint(context name: String? = nil) throws(ClusterError) -> ClusterEndpoint {
        guard let name = name ?? root["current-context"].text else {
            throw ClusterError(
                .configuration, "the kubeconfig has no current context", place: file,
                hint: "name a context, or run: kubectl config use-context NAME")
        }
        let context = try entry(name, of: "contexts", in: "context")
        let cluster = try entry(context["cluster"].text ?? "", of: "clusters", in: "cluster")
        guard let server = cluster["server"].text else {
            throw ClusterError(.configuration, "the cluster of context '\(name)' has no server", place: file)
        }
        var endpoint = ClusterEndpoint(server: try ClusterURL.parse(server, of: file))
        if let namespace = context["namespace"].text { endpoint.namespace = namespace }
        try trust(cluster, &endpoint)
        if let user = context["user"].text { try identify(try entry(user, of: "users", in: "user"), &endpoint) }
        return endpoint
    }

    private func entry(_ name: String, of list: String, in key: String) throws(ClusterError) -> JSONValue {
        guard let found = root[list].items.first(where: { $0["name"].text == name }) else {
            let known = root[list].items.compactMap { $0["name"].text }
            throw ClusterError(
                .configuration, "'\(name)' is not among the \(list) of the kubeconfig", place: file,
                hint: known.isEmpty ? nil : "there are: \(known.joined(separator: ", "))")
        }
        return found[key]
    }

    private func trust(_ cluster: JSONValue, _ endpoint: inout ClusterEndpoint) throws(ClusterError) {
        if cluster["tls-server-name"].text != nil {
            throw ClusterError(
                .configuration, "tls-server-name is not supported", place: file,
                hint: "let 'server' name a host that the server's certificate has")
        }
        if cluster["insecure-skip-tls-verify"].isTrue { endpoint.trust.skipsVerification = true }
        endpoint.trust.certificateBundle = try path(cluster, "certificate-authority", &endpoint)
        if let proxy = cluster["proxy-url"].text {
            endpoint.proxies.byHost["\(endpoint.server.host):\(endpoint.server.port)"] = proxy
        }
    }

    private func identify(_ user: JSONValue, _ endpoint: inout ClusterEndpoint) throws(ClusterError) {
        for key in ["username", "auth-provider"] where !user[key].isNull {
            throw ClusterError(
                .configuration, "'\(key)' in a kubeconfig is not supported", place: file,
                hint: "Kubernetes dropped it; use a token, a client certificate, or an exec plugin")
        }
        endpoint.trust.clientCertificate = try path(user, "client-certificate", &endpoint)
        endpoint.trust.clientKey = try path(user, "client-key", &endpoint)
        if let file = user["tokenFile"].text {
            endpoint.credentials = .tokenFile(absolute(file))
        } else if let token = user["token"].text {
            endpoint.credentials = .bearer(token)
        } else if !user["exec"].isNull {
            endpoint.credentials = .exec(try ExecPlugin(user["exec"], file: file, server: endpoint.server.text))
        }
    }

    /// The file that a key names, or one in memory of what the key with `-data` holds in base64, which counts before it.
    private func path(
        _ object: JSONValue, _ key: String, _ endpoint: inout ClusterEndpoint
    ) throws(ClusterError) -> String? {
        guard let text = object["\(key)-data"].text else { return object[key].text.map(absolute) }
        guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters) else {
            throw ClusterError(.configuration, "\(key)-data is not base64", place: file)
        }
        let memory = try MemoryFile([UInt8](data))
        endpoint.files.append(memory)
        return memory.path
    }

    /// Relative paths are relative to the kubeconfig.
    private func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }
}
