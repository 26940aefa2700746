"""Git's servers for benchmarks: sshd, and nginx with git's HTTP backend, on free ports of loopback."""
import getpass, os, socket, subprocess, time

from harness import free_port


def run(*words, **options):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options).stdout.decode()


def wait(what, done, seconds=30):
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds} s in vain: {what}")
        time.sleep(0.05)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Servers:
    """sshd, and nginx with git's HTTP backend over TLS, for the repositories of one directory."""

    def __init__(self, scratch, repositories):
        self.scratch, self.children = scratch, []
        self.ssh_port, self.https_port = free_port(), free_port()
        for name in ("client", "host"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{scratch}/{name}")
        with open(f"{scratch}/host.pub") as key, open(f"{scratch}/known_hosts", "w") as file:
            file.write(f"[127.0.0.1]:{self.ssh_port} {key.read()}")
        with open(f"{scratch}/sshd_config", "w") as file:
            file.write(
                f"Port {self.ssh_port}\nListenAddress 127.0.0.1\nHostKey {scratch}/host\nPidFile none\nStrictModes no\n"
                f"AuthorizedKeysFile {scratch}/client.pub\nUsePAM no\nPasswordAuthentication no\n")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.start("sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", f"{scratch}/sshd_config"])

        new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        run(*new, "-x509", "-days", "2", "-subj", "/CN=Benchmark authority", "-keyout", "ca.key", "-out", "ca.pem", cwd=scratch)
        run(*new, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "server.key", "-out",
            "server.csr", cwd=scratch)
        run("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-copy_extensions", "copy", "-days", "2", "-out", "server.pem", cwd=scratch)
        places = "".join(f"{kind}_temp_path {scratch}/{kind}; " for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        with open(f"{scratch}/nginx.conf", "w") as file:
            file.write(f"""
                daemon off; pid {scratch}/nginx.pid; worker_processes 1; error_log stderr;
                {"user root;" if os.getuid() == 0 else ""}
                events {{ worker_connections 64; }}
                http {{
                  access_log {scratch}/access.log; client_max_body_size 0; client_body_temp_path {scratch}/body; {places}
                  server {{
                    listen 127.0.0.1:{self.https_port} ssl;
                    ssl_certificate {scratch}/server.pem; ssl_certificate_key {scratch}/server.key;
                    location / {{
                      fastcgi_pass unix:{scratch}/fcgi.sock;
                      fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
                      fastcgi_param GIT_PROJECT_ROOT {repositories};
                      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
                      fastcgi_param REMOTE_USER benchmark;
                      fastcgi_param PATH_INFO $uri;
                      fastcgi_param QUERY_STRING $query_string;
                      fastcgi_param REQUEST_METHOD $request_method;
                      fastcgi_param CONTENT_TYPE $content_type;
                      fastcgi_param CONTENT_LENGTH $content_length;
                      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
                      fastcgi_param PATH /usr/bin:/bin;
                    }}
                  }}
                }}""")
        self.start("fcgiwrap", ["fcgiwrap", "-s", f"unix:{scratch}/fcgi.sock"])
        self.start("nginx", ["nginx", "-p", scratch, "-c", f"{scratch}/nginx.conf"])
        wait("sshd and nginx listen", lambda: listens(self.ssh_port) and listens(self.https_port))

    def start(self, name, command):
        log = open(f"{self.scratch}/{name}.log", "w")
        self.children.append(subprocess.Popen(command, stdout=log, stderr=log))

    def url(self, way, repository):
        """How a bare repository is reached by `path`, `ssh` or `https`."""
        name = os.path.basename(repository)
        if way == "ssh":
            return f"ssh://{getpass.getuser()}@127.0.0.1:{self.ssh_port}{repository}"
        return repository if way == "path" else f"https://localhost:{self.https_port}/{name}"

    def requests(self):
        """How many requests came by HTTPS so far."""
        with open(f"{self.scratch}/access.log") as file:
            return sum(1 for _ in file)

    def stop(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait()
