"""A registry in memory whose every answer takes a while, and that counts what it is asked.

It speaks what an agent needs of the distribution API: lists of tags with ETags, manifests, blobs, uploads in one or several parts.
"""
import asyncio, hashlib, json, threading, uuid

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class SlowRegistry:
    """Listens on a free port of loopback until `stop`. `latency` is in seconds, and holds for each request."""

    def __init__(self, latency):
        self.latency = latency
        self.tags, self.manifests, self.blobs, self.uploads = {}, {}, {}, {}
        self.reset()
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        started.wait()

    def reset(self):
        """Forgets what was counted."""
        self.requests, self.running, self.most_running, self.by_kind = 0, 0, 0, {}

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=512))
        self.host = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def add(self, repository, tag, created, labels=None):
        """An image without layers."""
        config = json.dumps({
            "architecture": "amd64", "os": "linux", "created": created, "config": {"Labels": labels or {}},
            "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        self.blobs[digest_of(config)] = config
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)}, "layers": []}).encode()
        self.manifests[digest_of(manifest)] = (MANIFEST, manifest)
        self.tags.setdefault(repository, {})[tag] = digest_of(manifest)

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ", 2)
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
                body = await self.body(reader, writer, headers)
                self.requests += 1
                self.running += 1
                self.most_running = max(self.most_running, self.running)
                await asyncio.sleep(self.latency)
                self.running -= 1
                status, fields, content = self.answer(method, target, headers, body)
                fields.setdefault("Content-Length", str(len(content)))
                text = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
                writer.write(text.encode() + (b"" if method == "HEAD" else content))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def body(self, reader, writer, headers):
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await reader.readexactly(int(headers.get("content-length", 0)))
        parts = []
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return b"".join(parts)

    def answer(self, method, target, headers, body):
        path = target.partition("?")[0].removeprefix("/v2/")
        calls = {"/tags/list": self.list, "/manifests/": self.manifest, "/blobs/uploads/": self.upload, "/blobs/": self.blob}
        for part, call in calls.items():
            repository, found, name = path.partition(part)
            if found:
                kind = f"{method} {part.split('/')[1]}"
                self.by_kind[kind] = self.by_kind.get(kind, 0) + 1
                return call(method, repository, name, headers, body)
        return 200, {}, b"{}"

    def list(self, method, repository, name, headers, body):
        if repository not in self.tags:
            return 404, {}, b'{"errors":[{"code":"NAME_UNKNOWN"}]}'
        content = json.dumps({"name": repository, "tags": sorted(self.tags[repository])}).encode()
        etag = '"' + digest_of(content) + '"'
        if headers.get("if-none-match") == etag:
            return 304, {"ETag": etag}, b""
        return 200, {"ETag": etag, "Content-Type": "application/json"}, content

    def manifest(self, method, repository, name, headers, body):
        digest = name if name.startswith("sha256:") else self.tags.get(repository, {}).get(name)
        if method == "PUT":
            digest = digest_of(body)
            self.manifests[digest] = (headers["content-type"], body)
            self.tags.setdefault(repository, {})
            if not name.startswith("sha256:"):
                self.tags[repository][name] = digest
            return 201, {"Docker-Content-Digest": digest}, b""
        if digest not in self.manifests:
            return 404, {}, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'
        kind, content = self.manifests[digest]
        return 200, {"Docker-Content-Digest": digest, "Content-Type": kind}, content

    def upload(self, method, repository, name, headers, body):
        if method == "POST":
            name = uuid.uuid4().hex
            self.uploads[name] = b""
            return 202, {"Location": f"/v2/{repository}/blobs/uploads/{name}"}, b""
        self.uploads[name] += body
        location = {"Location": f"/v2/{repository}/blobs/uploads/{name}", "Range": f"0-{len(self.uploads[name]) - 1}"}
        if method == "PATCH":
            return 202, location, b""
        content = self.uploads.pop(name)
        self.blobs[digest_of(content)] = content
        return 201, {"Docker-Content-Digest": digest_of(content)}, b""

    def blob(self, method, repository, name, headers, body):
        if name not in self.blobs:
            return 404, {}, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}'
        return 200, {"Docker-Content-Digest": name}, self.blobs[name]
