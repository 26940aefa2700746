import Agent
import ArgumentParser
import Glibc
import Sandbox

/// How the process was called, in the words of the root command.
///
/// The binary may stand under the names of kaniko's programs, and what they are given is spelled as Go's pflag reads it:
/// `--flag=false`, `-c=x`, `-cx`, and values that begin with a dash.
package enum Invocation {
    /// Where a flag of kaniko's goes that no option of the command stands for.
    static let residue = "kaniko-flag"
    /// Where a spelling of kaniko's goes that it has given up, so that the user is told.
    static let formerName = "kaniko-former-name"

    /// - Parameter all: with the program's name.
    package static func arguments(_ all: [String]) -> [String] {
        var rest = Array(all.dropFirst())
        switch all.first.map(baseName) {
        case "executor": rest.insert("executor", at: 0)
        case "warmer": rest.insert("warm", at: 0)
        default:
            // An image whose entry point is this binary, in a Job that names kaniko's arguments only.
            if let first = rest.first, KanikoFlags.executor.token(first)?.flag != nil {
                rest.insert("executor", at: 0)
            }
        }
        guard let verb = rest.first else { return rest }
        switch verb {
        case "build", "executor": return [verb] + normalised(rest.dropFirst(), by: .executor)
        case "warm", "warmer": return ["warm"] + normalised(rest.dropFirst(), by: .warmer)
        default: return rest
        }
    }

    /// As kaniko's programs, trusts the certificates in `ssl/certs` of kaniko's directory too, where Jobs mount their own.
    /// Before the process has a second thread.
    package static func takeCertificates(for arguments: [String]) {
        guard let verb = arguments.first, ["executor", "warm"].contains(verb) else { return }
        let folder = (OutputOptions.environment("KANIKO_DIR") ?? "/kaniko") + "/ssl/certs"
        guard access(folder, R_OK | X_OK) == 0 else { return }
        let others = OutputOptions.environment("SSL_CERT_DIR").map { $0 + ":" } ?? ""
        setenv("SSL_CERT_DIR", others + folder, 1)
    }

    /// Takes the user's subordinate ids, if it has any, where images may be built. Before the process has a second thread.
    package static func takeIdentities(for arguments: [String]) {
        guard let verb = arguments.first, ["build", "executor", "sync", "agent", "cache", "doctor"].contains(verb)
        else { return }
        SubordinateIDs.enter()
    }

    private static func baseName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    /// The same arguments with kaniko's flags in one spelling: `--name=value` with a value, `--name` for what is on; those
    /// that no option stands for as `--kaniko-flag=name=value`.
    static func normalised(_ arguments: some Sequence<String>, by flags: KanikoFlags) -> [String] {
        var result: [String] = []
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            if argument == "--" { return result + [argument] + rest }
            guard let (token, flag) = flags.token(argument), let flag else {
                result.append(argument)
                continue
            }
            var value = token.value
            // Without a value, the parser says what is missing.
            if flag.form.takesValue, value == nil {
                guard let next = rest.popFirst() else {
                    result.append("--\(flag.name)")
                    continue
                }
                value = next
            }
            if value?.isEmpty == true {
                // What a template left empty is as good as not given; an image or a context has to be named.
                switch flag.name {
                case "destination", "context", "image": result.append("--\(flag.name)")
                case "credential-helpers": result.append("--\(flag.name)=none")
                default: break
                }
                continue
            }
            if token.name != flag.name { result.append("--\(formerName)=\(token.name)") }
            let text = "\(flag.name)=\(value ?? "true")"
            guard flag.handling == .honoured else {
                result.append("--\(residue)=\(text)")
                continue
            }
            guard flag.form == .boolean else {
                result.append("--\(text)")
                continue
            }
            let name = "--\(flag.name)"
            switch GoBoolean.parse(value ?? "true") {
            case true?: result.append(name)
            case false?: result.removeAll { $0 == name }
            case nil: result.append("--\(residue)=\(text)")
            }
        }
        return result
    }
}

/// A flag that can be switched off as well as on: `--cache`, `--cache=true`, `--cache=false`.
struct Toggle: ExpressibleByArgument, Sendable, Hashable {
    let isOn: Bool

    init?(argument: String) {
        guard let isOn = GoBoolean.parse(argument) else { return nil }
        self.isOn = isOn
    }
}
