import Blocking
import Glibc
import HTTP
import JSON
import Text

/// A program that prints credentials (client-go credential plugins), such as `aws eks get-token`.
///
/// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
package struct ExecPlugin: Sendable {
    let command: String
    let arguments: [String]
    /// Beside those of this process.
    let environment: [String: String]
    let version: String
    let hint: String?
    /// For `provideClusterInfo`.
    let information: JSONValue

    private static let versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]

    /// - Parameter file: the kubeconfig, for messages.
    init(_ exec: JSONValue, file: String, server: String) throws(ClusterError) {
        guard let command = exec["command"].text, let version = exec["apiVersion"].text else {
            throw ClusterError(.configuration, "'exec' has no command or no apiVersion", place: file)
        }
        guard Self.versions.contains(version) else {
            throw ClusterError(
                .configuration, "the exec plugin's apiVersion '\(printable(version))' is not supported", place: file,
                hint: "use \(Self.versions.joined(separator: " or "))")
        }
        guard exec["interactiveMode"].text != "Always" else {
            throw ClusterError(
                .configuration, "the exec plugin wants a terminal (interactiveMode: Always)", place: file,
                hint: "use a plugin that works without one")
        }
        self.command = command
        self.version = version
        arguments = exec["args"].items.compactMap {
            if case .string(let text) = $0 { text } else { nil }
        }
        var environment: [String: String] = [:]
        for pair in exec["env"].items {
            if let name = pair["name"].text { environment[name] = pair["value"].text ?? "" }
        }
        self.environment = environment
        hint = exec["installHint"].text.map { printable($0, limit: 500) }
        information = exec["provideClusterInfo"].isTrue ? ["server": .string(server)] : .null
    }

    struct Answer: Sendable {
        var token: String?
        /// Certificate and key (PEM).
        var certificate: (chain: [UInt8], key: [UInt8])?
        /// Seconds since 1970; `nil`: as long as the process lives, or until the server refuses it.
        var expires: Int64?
    }

    /// Runs the program. Blocks.
    ///
    /// - Throws: `configuration`. What the program prints is never repeated: it may be a secret.
    func run() throws(ClusterError) -> Answer {
        var spec: JSONValue = ["interactive": false]
        if !information.isNull { spec["cluster"] = information }
        let request: JSONValue = ["apiVersion": .string(version), "kind": "ExecCredential", "spec": spec]
        var environment = environment
        environment["KUBERNETES_EXEC_INFO"] = String(decoding: request.encoded, as: UTF8.self)
        let output = try output(environment)
        guard let answer = try? JSONReader.read(output), answer["kind"].text == "ExecCredential" else {
            throw ClusterError(.configuration, "\(command) did not print an ExecCredential", hint: hint)
        }
        let status = answer["status"]
        var result = Answer(expires: status["expirationTimestamp"].text.flatMap(UTCDate.seconds(rfc3339:)))
        result.token = status["token"].text
        if let chain = status["clientCertificateData"].text, let key = status["clientKeyData"].text {
            result.certificate = (Array(chain.utf8), Array(key.utf8))
        }
        guard result.token != nil || result.certificate != nil else {
            throw ClusterError(
                .configuration, "\(command) printed neither a token nor a certificate with its key", hint: hint)
        }
        return result
    }

    private func output(_ own: [String: String]) throws(ClusterError) -> [UInt8] {
        func failure(_ cause: String) -> ClusterError {
            ClusterError(.configuration, "the exec plugin \(command) failed", cause: cause, hint: hint)
        }
        guard
            let path = command.contains("/")
                ? command : ChildProcess.find(command, in: ChildProcess.searchPath)
        else {
            throw failure("it is in no directory of PATH")
        }
        var environment = ChildProcess.inherited
        for (name, value) in own {
            environment.removeAll { $0.hasPrefix("\(name)=") }
            environment.append("\(name)=\(value)")
        }
        do {
            let result = try ChildProcess(path, arguments, environment: environment).run()
            guard result.status == 0 else { throw failure("it exited with \(result.status)") }
            return result.output
        } catch let error as ClusterError {
            throw error
        } catch ChildProcess.Failure.notStarted(let reason) {
            throw failure(reason)
        } catch ChildProcess.Failure.printedTooMuch {
            throw failure("it printed more than a megabyte")
        } catch {
            throw failure("it took longer than a minute")
        }
    }
}
