import Foundation

/// Options for env(1), which starts the servers: threads of Swift's pool block signals, a child inherits that, and a server
/// that blocks SIGTERM cannot be stopped.
private let unblocked = ["--default-signal"]

/// Git's own HTTP backend behind nginx, serving all repositories of a directory, stopped when dropped.
package final class GitHTTPServer: Sendable {
    package let port: Int
    private let tls: Bool
    private let scratch: TemporaryDirectory
    private let nginx: Server
    private let gateway: Server

    /// The certificate authority that signed the server's certificate, as a PEM file. Only there with TLS.
    package var caFile: String { scratch.file("ca.pem") }

    /// - Parameters:
    ///   - directory: `URL/name.git` is the repository `directory`/name.git.
    ///   - user: with a password, everything needs HTTP Basic authentication.
    ///   - tls: serve HTTPS for 127.0.0.1 and localhost, with a certificate of an authority of the test's own.
    ///   - identity: a folder with another certificate for that, `server.pem` and `server.key`.
    ///   - extra: further directives for nginx's `server` block.
    package init(
        directory: String, user: String? = nil, password: String? = nil, tls: Bool = false, identity: String? = nil,
        extra: String = ""
    ) async throws {
        self.tls = tls
        scratch = try TemporaryDirectory("git-http")
        port = try Server.freePort()
        let socket = scratch.file("fcgi.sock")
        var lines = extra
        if let user, let password {
            try Shell.run(["htpasswd", "-bc", scratch.file("users"), user, password])
            lines += "auth_basic \"git\"; auth_basic_user_file \(scratch.file("users"));\n"
        }
        if tls {
            if identity == nil { try Self.makeCertificates(in: scratch.path) }
            let folder = identity ?? scratch.path
            lines += "ssl_certificate \(folder)/server.pem; ssl_certificate_key \(folder)/server.key;\n"
        }
        let configuration = """
            daemon off; pid \(scratch.file("nginx.pid")); worker_processes 1; error_log stderr;
            \(getuid() == 0 ? "user root;" : "")
            events { worker_connections 64; }
            http {
              access_log \(scratch.file("access.log"));
              client_max_body_size 0;
              client_body_temp_path \(scratch.file("body")); proxy_temp_path \(scratch.file("proxy"));
              fastcgi_temp_path \(scratch.file("fastcgi")); uwsgi_temp_path \(scratch.file("uwsgi"));
              scgi_temp_path \(scratch.file("scgi"));
              server {
                listen 127.0.0.1:\(port)\(tls ? " ssl" : "");
                \(lines)
                location / {
                  fastcgi_pass unix:\(socket);
                  fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
                  fastcgi_param GIT_PROJECT_ROOT \(directory);
                  fastcgi_param GIT_HTTP_EXPORT_ALL 1;
                  fastcgi_param PATH_INFO $uri;
                  fastcgi_param QUERY_STRING $query_string;
                  fastcgi_param REQUEST_METHOD $request_method;
                  fastcgi_param CONTENT_TYPE $content_type;
                  fastcgi_param CONTENT_LENGTH $content_length;
                  fastcgi_param REMOTE_USER $remote_user;
                  fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
                  fastcgi_param PATH /usr/bin:/bin;
                }
              }
            }
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: scratch.file("nginx.conf")))
        gateway = try Server(unblocked + ["fcgiwrap", "-s", "unix:\(socket)"], log: scratch.file("fcgiwrap.log"))
        nginx = try Server(
            unblocked + ["nginx", "-p", scratch.path, "-c", scratch.file("nginx.conf")], log: scratch.file("nginx.log"))
        let (port, log) = (port, scratch.file("nginx.log"))
        do {
            try await waitUntil("nginx listens") {
                Server.accepts(port: port) && FileManager.default.fileExists(atPath: socket)
            }
        } catch {
            throw TestSupportError("\(error); nginx says: \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
        }
    }

    /// `http://127.0.0.1:port` or `https://localhost:port`, to be followed by "/name.git".
    package var url: String { tls ? "https://localhost:\(port)" : "http://127.0.0.1:\(port)" }

    /// The requests so far, one a line: `POST /repo.git/git-receive-pack HTTP/1.1" 200 …`.
    package var accessLog: [String] {
        let text = (try? String(contentsOfFile: scratch.file("access.log"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { $0.split(separator: "\"", maxSplits: 1).last.map(String.init) }
    }

    package func stop() {
        nginx.stop()
        gateway.stop()
    }

    private static func makeCertificates(in directory: String) throws {
        try Shell.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2",
                "-subj", "/CN=Slipway test authority", "-keyout", "ca.key", "-out", "ca.pem",
            ], in: directory)
        try Shell.run(
            [
                "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "server.key",
                "-out",
                "server.csr",
            ], in: directory)
        try Shell.run(
            [
                "openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-copy_extensions", "copy", "-days", "2", "-out", "server.pem",
            ], in: directory)
    }
}

/// An OpenSSH server that lets this user in with one key, stopped when dropped.
package final class SSHGitServer: Sendable {
    package let port: Int
    /// The client's private key (ed25519, no passphrase).
    package let keyPath: String
    /// Names the server with its ed25519 and ECDSA keys.
    package let knownHostsPath: String
    package let user: String
    private let directory: String
    private let scratch: TemporaryDirectory
    private let sshd: Server

    /// - Parameters:
    ///   - directory: `url/name.git` is the repository `directory`/name.git.
    ///   - path: where the programs of sessions are; the system's by default.
    package init(directory: String, path: String? = nil) async throws {
        self.directory = directory
        scratch = try TemporaryDirectory("git-ssh")
        port = try Server.freePort()
        user = try Shell.run(["id", "-un"]).stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        keyPath = scratch.file("client")
        knownHostsPath = scratch.file("known_hosts")
        try Shell.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keyPath])
        for type in ["ed25519", "ecdsa"] {
            try Shell.run(["ssh-keygen", "-q", "-t", type, "-N", "", "-f", scratch.file("host_\(type)")])
        }
        // sshd wants its empty privilege separation directory, which Debian makes at boot.
        if getuid() == 0 { try Shell.run(["mkdir", "-p", "/run/sshd"]) }
        let configuration = """
            Port \(port)
            ListenAddress 127.0.0.1
            HostKey \(scratch.file("host_ed25519"))
            HostKey \(scratch.file("host_ecdsa"))
            AuthorizedKeysFile \(keyPath).pub \(scratch.file("more_keys"))
            PidFile none
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PermitRootLogin prohibit-password
            \(path.map { "SetEnv PATH=\($0)" } ?? "")
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: scratch.file("sshd_config")))
        // sshd closes all descriptors that it inherits. Foundation takes the one of them that it put there for the sign that
        // the process has ended, and then waits for every later process in vain; a shell between the two keeps it open.
        let keeper = #""$@" & child=$!; trap 'kill "$child"' TERM; wait "$child"; wait "$child""#
        sshd = try Server(
            unblocked + ["sh", "-c", keeper, "sh", "/usr/sbin/sshd", "-D", "-e", "-f", scratch.file("sshd_config")],
            log: scratch.file("sshd.log"))
        let (port, log) = (port, scratch.file("sshd.log"))
        do {
            try await waitUntil("sshd listens") { Server.accepts(port: port) }
        } catch {
            throw TestSupportError("\(error); sshd says: \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
        }
        try writeKnownHosts(["ed25519", "ecdsa"], to: knownHostsPath)
    }

    /// `ssh://user@127.0.0.1:port/directory`, to be followed by "/name.git".
    package var url: String { "ssh://\(user)@127.0.0.1:\(port)\(directory)" }

    /// What the server logged.
    package var log: String { sshd.log }

    /// Writes a known_hosts file with some of the server's keys, its name in clear or hashed.
    package func writeKnownHosts(_ types: [String], to path: String, hashed: Bool = false) throws {
        var text = ""
        for type in types {
            let key = try String(contentsOfFile: scratch.file("host_\(type).pub"), encoding: .utf8)
            text += "[127.0.0.1]:\(port) \(key)"
        }
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        if hashed { try Shell.run(["ssh-keygen", "-q", "-H", "-f", path]) }
    }

    /// Lets a further public key in.
    package func authorize(_ publicKeyPath: String) throws {
        let key = try String(contentsOfFile: publicKeyPath, encoding: .utf8)
        let file = scratch.file("more_keys")
        let old = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        try Data((old + key).utf8).write(to: URL(fileURLWithPath: file))
    }

    package func stop() { sshd.stop() }
}

/// An ssh-agent of a test's own, stopped when dropped.
package final class SSHAgent: Sendable {
    /// What SSH_AUTH_SOCK is to be.
    package let socket: String
    private let agent: Server

    package init(directory: String) throws {
        socket = directory + "/agent.sock"
        agent = try Server(unblocked + ["ssh-agent", "-D", "-a", socket], log: directory + "/agent.log")
        let deadline = Date().addingTimeInterval(10)
        while !FileManager.default.fileExists(atPath: socket), Date() < deadline { usleep(10_000) }
    }

    /// Adds a private key without a passphrase.
    package func add(_ keyPath: String) throws {
        try Shell.run(["ssh-add", "-q", keyPath], environment: ["SSH_AUTH_SOCK": socket])
    }

    package func stop() { agent.stop() }
}
