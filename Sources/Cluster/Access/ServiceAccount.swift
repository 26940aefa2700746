import HTTP

/// The API server as a pod sees it: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
package enum ServiceAccount {
    package static let directory = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// - Returns: `nil` outside of a cluster.
    /// - Throws: `configuration` where the pod has no token, or its server's address cannot be used.
    package static func endpoint(
        _ environment: [String: String], directory: String = directory
    ) throws(ClusterError) -> ClusterEndpoint? {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
            let port = environment["KUBERNETES_SERVICE_PORT_HTTPS"] ?? environment["KUBERNETES_SERVICE_PORT"]
        else { return nil }
        guard CredentialFile.exists("\(directory)/token") else {
            throw ClusterError(
                .configuration, "the pod has no service account token", place: "\(directory)/token",
                hint: "set automountServiceAccountToken: true in the pod, or mount a projected token there")
        }
        let authority = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)"
        var endpoint = ClusterEndpoint(
            server: try ClusterURL.parse("https://\(authority)", of: "KUBERNETES_SERVICE_HOST"))
        // libcurl opens it for each connection, so a renewed authority counts at once.
        endpoint.trust.certificateBundle = "\(directory)/ca.crt"
        endpoint.credentials = .tokenFile("\(directory)/token")
        if let text = try? CredentialFile.text("\(directory)/namespace"), !text.isEmpty { endpoint.namespace = text }
        return endpoint
    }
}
