import Cluster
import Diagnostics
import Foundation
import HTTP
import TestSupport
import Testing

@Suite(.tags(.unit)) struct KubeconfigTests {
    private static let config = """
        apiVersion: v1
        kind: Config
        current-context: shop
        contexts:
          - name: shop
            context: {cluster: lab, user: ci, namespace: shop}
          - name: bare
            context: {cluster: lab}
          - name: lost
            context: {cluster: gone, user: ci}
          - name: old
            context: {cluster: lab, user: old}
          - name: named
            context: {cluster: named, user: ci}
          - name: plugged
            context: {cluster: lab, user: plugin}
        clusters:
          - name: lab
            cluster: {server: "https://10.0.0.1:6443", certificate-authority: pki/ca.crt}
          - name: named
            cluster: {server: "https://10.0.0.1:6443", tls-server-name: api.example.com}
        users:
          - name: ci
            user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ, token: secret-token}
          - name: old
            user: {username: admin, password: secret-password}
          - name: plugin
            user:
              exec: {apiVersion: client.authentication.k8s.io/v1, command: ./get-token, interactiveMode: Never}
        """

    private static func file(_ text: String = config) throws -> (TemporaryDirectory, Kubeconfig) {
        let folder = try TemporaryDirectory("kubeconfig")
        try text.write(toFile: folder.file("config"), atomically: true, encoding: .utf8)
        return (folder, try Kubeconfig(file: folder.file("config")))
    }

    @Test func `the current context's server, namespace and credentials`() throws {
        let (folder, config) = try Self.file()
        let endpoint = try config.endpoint()
        #expect(endpoint.server.text == "https://10.0.0.1:6443/")
        #expect(endpoint.namespace == "shop")
        #expect(endpoint.trust.certificateBundle == folder.file("pki/ca.crt"))
        guard case .bearer("secret-token") = endpoint.credentials else {
            Issue.record("\(endpoint.credentials)")
            return
        }
        // What is written into the file in base64 is in memory, and only as long as the endpoint is.
        let certificate = try #require(endpoint.trust.clientCertificate)
        #expect(try String(contentsOfFile: certificate, encoding: .utf8) == "CERT")
        #expect(try String(contentsOfFile: try #require(endpoint.trust.clientKey), encoding: .utf8) == "KEY")
        #expect(certificate.hasPrefix("/proc/self/fd/"))
    }

    @Test func `a context by name, without user and namespace`() throws {
        let endpoint = try Self.file().1.endpoint(context: "bare")
        #expect(endpoint.namespace == "default")
        guard case .none = endpoint.credentials else {
            Issue.record("\(endpoint.credentials)")
            return
        }
    }

    @Test(arguments: [
        ("nothing", "'nothing' is not among the contexts"), ("lost", "'gone' is not among the clusters"),
        ("old", "'username' in a kubeconfig is not supported"), ("named", "tls-server-name is not supported"),
    ])
    func `what cannot be used is named`(_ context: String, _ reason: String) throws {
        let (_, config) = try Self.file()
        let error = #expect(throws: ClusterError.self) { _ = try config.endpoint(context: context) }
        #expect(error?.code == .configuration)
        #expect(error?.summary.contains(reason) == true, "\(String(describing: error))")
        #expect(error?.description.contains("secret") == false)
    }

    @Test(arguments: ["", "a: [", "kind: Pod", "- 1"])
    func `what is no kubeconfig is refused`(_ text: String) throws {
        #expect(throws: ClusterError.self) { _ = try Self.file(text) }
    }

    @Test func `a pod's service account, in IPv4 and IPv6`() throws {
        let folder = try TemporaryDirectory("account")
        #expect(try ServiceAccount.endpoint([:], directory: folder.path) == nil)
        let environment = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"]
        let missing = #expect(throws: ClusterError.self) {
            _ = try ServiceAccount.endpoint(environment, directory: folder.path)
        }
        #expect(missing?.hint?.contains("automountServiceAccountToken") == true)
        for (name, text) in [("token", "t"), ("namespace", "shop\n"), ("ca.crt", "")] {
            try text.write(toFile: folder.file(name), atomically: true, encoding: .utf8)
        }
        let endpoint = try #require(try ServiceAccount.endpoint(environment, directory: folder.path))
        #expect(endpoint.server.text == "https://[fd00::1]:443/" || endpoint.server.text == "https://[fd00::1]/")
        #expect(endpoint.namespace == "shop")
    }
}
