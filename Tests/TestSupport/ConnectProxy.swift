import Foundation

/// An HTTP proxy that knows CONNECT only, with or without a password, stopped when dropped.
package final class ConnectProxy: Sendable {
    package let port: Int
    private let server: Server

    private static let program = """
        import base64, select, socket, sys, threading

        wanted = None if sys.argv[2] == "-" else "Basic " + base64.b64encode(sys.argv[2].encode()).decode()

        def serve(client):
            data = b""
            while b"\\r\\n\\r\\n" not in data:
                piece = client.recv(4096)
                if not piece:
                    return client.close()
                data += piece
            lines = data.split(b"\\r\\n\\r\\n")[0].decode().split("\\r\\n")
            method, target, _ = lines[0].split(" ")
            headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
            given = headers.get("proxy-authorization")
            print(method, target, "authorized" if given == wanted else "refused", flush=True)
            if wanted and given != wanted:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\\r\\nProxy-Authenticate: Basic realm=\\"p\\"\\r\\n"
                               b"Content-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
                return client.close()
            if method != "CONNECT":
                client.sendall(b"HTTP/1.1 405 Method Not Allowed\\r\\nContent-Length: 0\\r\\n\\r\\n")
                return client.close()
            host, port = target.rsplit(":", 1)
            remote = socket.create_connection((host, int(port)))
            client.sendall(b"HTTP/1.1 200 Connection established\\r\\n\\r\\n")
            while True:
                for ready in select.select([client, remote], [], [])[0]:
                    piece = ready.recv(65536)
                    if not piece:
                        client.close()
                        return remote.close()
                    (remote if ready is client else client).sendall(piece)

        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(sys.argv[1])))
        listener.listen(16)
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        """

    /// - Parameter credentials: `user:password`.
    package init(directory: String, credentials: String? = nil) async throws {
        port = try Server.freePort()
        let script = directory + "/connect-proxy.py"
        try Data(Self.program.utf8).write(to: URL(fileURLWithPath: script))
        server = try Server(
            ["--default-signal", "python3", script, String(port), credentials ?? "-"], log: directory + "/proxy.log")
        let port = port
        try await waitUntil("the proxy listens") { Server.accepts(port: port) }
    }

    package var url: String { "http://127.0.0.1:\(port)" }

    /// `METHOD TARGET authorized|refused`, a line for each request.
    package var log: [String] { server.log.split(separator: "\n").map(String.init) }

    package func stop() { server.stop() }

    /// SIGSTOP lets connections be as if the network had gone; SIGCONT brings it back.
    package func send(_ signal: Int32) { server.send(signal) }
}
