import Builder
import Cluster
import FileSystem
import FoundationEssentials
import Git
import Glibc
import JSON
import Notifications
import OCI
import YAML

/// Whether the files that a configuration names are there, can be read by this user, and hold what they should. Blocks.
struct FileCheck {
    private(set) var problems: [ConfigurationProblem] = []
    /// A file that several keys name is told once.
    private var seen: Set<String> = []

    private static let limit = 16 << 20

    mutating func check(_ files: [ConfiguredFile]) {
        for file in files where seen.insert("\(file.kind) \(file.path)").inserted {
            if let problem = Self.problem(of: file) { problems.append(problem) }
        }
    }

    /// The secrets of a webhook's receiver, of which some have a form.
    mutating func check(_ receiver: WebhookConfiguration.Receiver, at key: String) {
        let known = problems.count
        check(ConfiguredFiles.of(receiver, at: key))
        guard problems.count == known else { return }
        do { _ = try WebhookReceivers.secrets(of: receiver) } catch {
            problems.append(
                ConfigurationProblem(
                    .wrongFormat, (error.place.map { "\($0): " } ?? "") + error.summary, key: "\(key).secretFile",
                    cause: error.cause, hint: error.hint))
        }
    }

    /// The secrets of a channel, of which some have a form.
    mutating func check(_ channel: any NotificationChannel, at key: String) {
        let known = problems.count
        check(ConfiguredFiles.of(channel, at: key))
        guard problems.count == known else { return }
        for file in channel.files where file.content == .secret {
            guard let bytes = try? TextFile.read(file.path, limit: Self.limit) else { continue }
            let place = Place(key: "\(key).\(file.key)", path: file.path)
            var text = String(decoding: bytes, as: UTF8.self)
            while let last = text.last, last.isWhitespace { text.removeLast() }
            if text.contains(where: \.isNewline) {
                problems.append(
                    place.problem(.wrongFormat, "has several lines", hint: "it must hold the secret and nothing else"))
            } else if file.key == "urlFile", !text.hasPrefix("https://"), !text.hasPrefix("http://") {
                problems.append(
                    place.problem(.wrongFormat, "does not hold a URL", hint: "copy it as the host shows it"))
            } else if file.key == "secretFile", let problem = WebhookSignature.problem(with: text) {
                problems.append(place.problem(.wrongFormat, "cannot sign", cause: problem.summary, hint: problem.hint))
            }
        }
    }

    /// A repository on this machine.
    mutating func check(_ repository: AgentConfiguration.RepositoryConfiguration, at key: String) {
        guard let url = try? RemoteURL(repository.url), url.host == nil else { return }
        let place = Place(key: "\(key).url", path: url.description)
        var status = stat()
        if stat(place.path, &status) != 0 {
            problems.append(place.missing(errno))
        } else if status.st_mode & S_IFMT != S_IFDIR {
            problems.append(place.problem(.wrongFormat, "is not a directory", hint: "name a git repository"))
        }
    }

    mutating func check(stateDirectory path: String) {
        guard let error = StateDirectory.problem(with: path) else { return }
        problems.append(
            ConfigurationProblem(
                .stateDirectory, "\(path): \(error.summary)", key: "stateDirectory", cause: error.cause,
                hint: error.hint))
    }

    /// Named contexts that lie on this machine: directories, and images in layouts.
    mutating func check(_ contexts: [String: NamedContext], at key: String) {
        for (name, context) in contexts.sorted(by: { $0.key < $1.key }) {
            let key = "\(key).contexts.\(name)"
            switch context {
            case .directory(let path): check(directory: Place(key: key, path: path))
            case .image(let image):
                guard case .layout(let path) = image.repository else { continue }
                let place = Place(key: key, path: path)
                guard check(directory: place), access("\(path)/index.json", R_OK) != 0 else { continue }
                problems.append(
                    place.problem(
                        .wrongFormat, "is not an OCI image layout", cause: "it has no index.json that can be read",
                        hint: "write oci-layout:// before the directory that holds 'oci-layout' and 'index.json'"))
            case .context, .git, .url, .stage: continue
            }
        }
    }

    /// - Returns: whether it is there and can be read.
    @discardableResult
    private mutating func check(directory place: Place) -> Bool {
        var status = stat()
        if stat(place.path, &status) != 0 {
            problems.append(place.missing(errno))
        } else if status.st_mode & S_IFMT != S_IFDIR {
            problems.append(place.problem(.wrongFormat, "is not a directory"))
        } else if access(place.path, R_OK | X_OK) != 0 {
            problems.append(place.missing(errno))
        } else {
            return true
        }
        return false
    }

    private static func problem(of file: ConfiguredFile) -> ConfigurationProblem? {
        var place = Place(key: file.key, path: file.path)
        var status = stat()
        guard stat(place.path, &status) == 0 else { return place.missing(errno) }
        if file.kind == .dockerConfig {
            do { place.path = try DockerConfigFile.find(file.path) } catch {
                return ConfigurationProblem(
                    .missingFile, error.summary, key: file.key, cause: error.cause, hint: error.hint)
            }
            guard stat(place.path, &status) == 0 else { return place.missing(errno) }
        }
        // To open a pipe would wait for somebody to write.
        guard status.st_mode & S_IFMT == S_IFREG else { return place.problem(.wrongFormat, "is not a file") }
        let bytes: [UInt8]
        do { bytes = try TextFile.read(place.path, limit: limit) } catch {
            return place.problem(
                .unreadableFile, "cannot be read", cause: error.cause ?? error.summary,
                hint: "the user that runs the agent must be able to read it")
        }
        // Without SSH remotes, nothing has to be recorded.
        guard file.kind == .knownHosts || bytes.contains(where: { $0 > 0x20 }) else {
            return place.problem(.emptyFile, "is empty")
        }
        return wrongFormat(bytes, file).map { place.problem(.wrongFormat, $0.what, hint: $0.hint) }
    }

    /// What is wrong with a file's content.
    private static func wrongFormat(_ bytes: [UInt8], _ file: ConfiguredFile) -> (what: String, hint: String?)? {
        let text = String(decoding: bytes, as: UTF8.self)
        func holds(_ label: String) -> Bool { text.contains("-----BEGIN ") && text.contains("\(label)-----") }
        switch file.kind {
        case .secret:
            guard bytes.count <= 1 << 16 else {
                return ("is larger than 64 KiB, too large for a password or token", nil)
            }
            let lines = text.split(whereSeparator: \.isNewline).count
            return file.key.hasSuffix("tokenFile") && lines > 1
                ? ("has \(lines) lines", "the file must hold the token and nothing else") : nil
        case .userAndPassword: return text.contains(":") ? nil : ("does not hold user:password", nil)
        case .certificates:
            return holds("CERTIFICATE")
                ? nil : ("holds no certificate in PEM", "convert it with: openssl x509 -inform DER -in FILE")
        case .clientCertificate(let holdsKey):
            guard holds("CERTIFICATE") else { return ("holds no certificate in PEM", nil) }
            return holdsKey && !holds("PRIVATE KEY")
                ? ("holds no key beside the certificate", "name the key's file as 'clientKey'") : nil
        case .clientKey: return holds("PRIVATE KEY") ? nil : ("holds no private key in PEM", nil)
        case .dockerConfig:
            return (try? JSONDecoder().decode([String: Anything].self, from: Data(bytes))) == nil
                ? ("is not a JSON object", "write it with 'docker login'") : nil
        case .kubeconfig:
            let root = (try? YAMLStream.parse(bytes))?.first?.root.flatMap { JSONValue($0) }
            return root?["kind"].text == "Config"
                ? nil : ("is not a kubeconfig", "write it with: kubectl config view --flatten --minify")
        case .sshPrivateKey, .signingKey, .knownHosts, .allowedSigners, .keyring: return nil
        }
    }

    private struct Anything: Decodable {
        init(from decoder: any Decoder) {}
    }
}

/// A file or directory that a key names.
private struct Place {
    let key: String
    var path: String

    /// - Parameter number: what the kernel said.
    func missing(_ number: Int32) -> ConfigurationProblem {
        guard number != ENOENT, number != ENOTDIR else { return problem(.missingFile, "does not exist") }
        return problem(
            .unreadableFile, "cannot be read", cause: String(cString: strerror(number)),
            hint: "the user that runs the agent must be able to read it")
    }

    func problem(
        _ code: ConfigurationProblem.Code, _ what: String, cause: String? = nil, hint: String? = nil
    ) -> ConfigurationProblem {
        ConfigurationProblem(code, "\(path) \(what)", key: key, cause: cause, hint: hint)
    }
}
