#!/usr/bin/env python3
"""Runs the agent for long and tells whether what it holds levels out: memory, descriptors, threads, disk and inodes.

    Benchmarks/soak.py [--minutes 30] [--every 5] [--sample 20] [--cache 4] [--history 30] [--images 60] [--json FILE] [--markdown FILE]

Needs SLIPWAY_BINARY (a release build), git, sshd, nginx, fcgiwrap, openssl, docker-registry and busybox. Three repositories, one
over a path, one over SSH, one over HTTPS, get a commit each every few seconds; the agent builds an image from it with a RUN step,
pushes it, and commits its tag to the manifest. What builds keep is bounded to 4 MB, the history to 30 builds and the registry to 60 images of each
repository, so that all levels out within minutes; what is known of a branch is bounded by its 5,000 newest commits. The exit code is 1 where something still
grew in the last third of the run by more than a tenth, or where an image or a commit of the agent is missing in the end.
"""
import argparse, json, os, shutil, signal, subprocess, sys, tempfile, time, urllib.request

from git_servers import Servers, run, wait
from harness import Registry, free_port


class Repository:
    """A bare repository and a person's clone of it."""

    def __init__(self, scratch, repositories, name, host):
        self.name, self.commits = name, 0
        self.bare, self.work = f"{repositories}/{name}.git", f"{scratch}/work-{name}"
        run("git", "init", "-q", "--bare", "-b", "main", self.bare)
        run("git", "-C", self.bare, "config", "http.receivepack", "true")
        run("git", "clone", "-q", self.bare, self.work)
        for key, value in (("user.name", "Person"), ("user.email", "person@example.com"), ("gc.auto", "0")):
            run("git", "-C", self.work, "config", key, value)
        os.makedirs(f"{self.work}/app")
        os.makedirs(f"{self.work}/deploy")
        shutil.copy(shutil.which("busybox"), f"{self.work}/app/busybox")
        self.write("app/Dockerfile", 'FROM scratch\nCOPY busybox /bin/\nCOPY number /number\n'
                   'RUN ["/bin/busybox", "sh", "-c", "/bin/busybox cat /number /number > /made"]\n')
        self.write(".slipway.yaml", f'builds:\n  - {{name: {name}, context: app, destinations: ["{host}/soak/{name}"], '
                   'tags: ["v{build.number}"]}\n')
        self.write("deploy/app.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\n  annotations:\n"
                   '    fluxcd.io/automated: "true"\nspec:\n  template:\n    spec:\n      containers:\n'
                   f"        - name: app\n          image: {host}/soak/{name}:v0\n")
        self.commit()

    def write(self, path, text):
        with open(f"{self.work}/{path}", "w") as file:
            file.write(text)

    def commit(self):
        """One change; who loses the race against the agent takes its commit in and pushes again."""
        self.commits += 1
        self.write("app/number", f"{self.commits}\n")
        run("git", "-C", self.work, "add", "-A")
        run("git", "-C", self.work, "commit", "-qm", f"number {self.commits}")
        for _ in range(20):
            try:
                return run("git", "-C", self.work, "push", "-q", "origin", "HEAD:main")
            except subprocess.CalledProcessError:
                run("git", "-C", self.work, "pull", "-q", "--rebase", "origin", "main")
        raise SystemExit(f"{self.name}: 20 pushes lost the race")

    def deployed(self):
        text = run("git", "-C", self.bare, "show", "main:deploy/app.yaml")
        return int(text.rsplit(":v", 1)[1].split()[0])


def sizes(root):
    blocks = inodes = 0
    for folder, folders, files in os.walk(root):
        for name in files:
            try:
                status = os.lstat(f"{folder}/{name}")
            except OSError:
                continue
            blocks += status.st_blocks * 512
            inodes += 1
        inodes += len(folders)
    return blocks, inodes


def look(process, state):
    with open(f"/proc/{process.pid}/status") as file:
        status = dict(line.split(":", 1) for line in file)
    disk, inodes = sizes(state)
    # A program's own pages are what it can leak; those of files, its code above all, come and go as the kernel likes.
    return {"memory": int(status["RssAnon"].split()[0]) * 1024, "resident": int(status["VmRSS"].split()[0]) * 1024, "descriptors": len(os.listdir(f"/proc/{process.pid}/fd")),
            "threads": int(status["Threads"]), "disk": disk, "inodes": inodes}


def tags(registry, name):
    with urllib.request.urlopen(f"http://{registry.host}/v2/soak/{name}/tags/list?n=100000") as answer:
        return json.load(answer)["tags"] or []


def retain(registry, name, count):
    """What registries are set up to do: the oldest images go, so that what is known of them has an end."""
    numbers = sorted(int(tag[1:]) for tag in tags(registry, name) if tag.startswith("v"))
    for number in numbers[:-count]:
        url = f"http://{registry.host}/v2/soak/{name}/manifests/"
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        with urllib.request.urlopen(urllib.request.Request(f"{url}v{number}", method="HEAD", headers=accept)) as answer:
            digest = answer.headers["Docker-Content-Digest"]
        urllib.request.urlopen(urllib.request.Request(url + digest, method="DELETE")).close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=5, help="seconds between two commits of one repository")
    parser.add_argument("--sample", type=float, default=20, help="seconds between two looks")
    parser.add_argument("--cache", type=int, default=4, help="MB that layers, blobs and mirrors of builds may have together")
    parser.add_argument("--history", type=int, default=30, help="builds that are kept of each repository")
    parser.add_argument("--images", type=int, default=60, help="images that the registry keeps of each repository")
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    binary = os.environ["SLIPWAY_BINARY"]
    scratch = tempfile.mkdtemp(prefix="slipway-soak-")
    repositories = f"{scratch}/repositories"
    os.makedirs(repositories)
    registry, servers, process = Registry(scratch), Servers(scratch, repositories), None
    try:
        watched = [Repository(scratch, repositories, name, registry.host) for name in ("file", "ssh", "https")]
        user = run("id", "-un").strip()
        with open(f"{scratch}/agent.yaml", "w") as file:
            file.write(
                f"stateDirectory: {scratch}/state\ninterval: 2s\n"
                f"git: {{sshKey: {scratch}/client, knownHosts: {scratch}/known_hosts, caFile: {scratch}/ca.pem}}\n"
                f"registries: [{{host: \"{registry.host}\", insecure: true}}]\n"
                f"builds: {{cache: {{maxSize: {options.cache}m}}}}\nhistory: {{builds: {options.history}}}\nrepositories:\n"
                f"  - {{name: file, url: {repositories}/file.git, branch: main}}\n"
                f"  - {{name: ssh, url: \"ssh://{user}@127.0.0.1:{servers.ssh_port}{repositories}/ssh.git\", branch: main}}\n"
                f"  - {{name: https, url: \"https://localhost:{servers.https_port}/https.git\", branch: main}}\n")
        log = open(f"{scratch}/agent.log", "w")
        process = subprocess.Popen([binary, "agent", "--config", f"{scratch}/agent.yaml"], stdout=log, stderr=log)
        start, looks, next_commit, next_look = time.monotonic(), [], time.monotonic() + options.every, time.monotonic()
        while time.monotonic() - start < options.minutes * 60:
            if process.poll() is not None:
                raise SystemExit(f"the agent ended with {process.returncode}: {scratch}/agent.log")
            now = time.monotonic()
            if now >= next_commit:
                for repository in watched:
                    repository.commit()
                    retain(registry, repository.name, options.images)
                next_commit = max(now, next_commit + options.every)
            if now >= next_look:
                looks.append({"minutes": round((now - start) / 60, 2), **look(process, f"{scratch}/state")})
                print(json.dumps(looks[-1]), flush=True)
                next_look += options.sample
            time.sleep(max(0.01, min(next_commit, next_look) - time.monotonic()))

        # Everything committed has become an image, and the newest one runs.
        def settled():
            counts = [tags(registry, repository.name) for repository in watched]
            return all(
                repository.deployed() == max(int(tag[1:]) for tag in found)
                for repository, found in zip(watched, counts)) and idle()

        def idle():
            newest = [run("git", "-C", r.bare, "log", "-1", "--format=%an", "main").strip() for r in watched]
            return all(author == "Slipway" for author in newest)

        wait("the newest images run", settled, 120)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        grown = report(options, looks, watched, registry)
        return 1 if grown else 0
    finally:
        if process and process.poll() is None:
            process.kill()
        servers.stop()
        registry.stop()
        if not os.environ.get("SLIPWAY_KEEP_SCRATCH"):
            shutil.rmtree(scratch, ignore_errors=True)


def report(options, looks, watched, registry):
    """The mean of each third, since one look may meet a build."""
    third = max(1, len(looks) // 3)
    parts = [looks[:third], looks[third:-third] or looks[-third:], looks[-third:]]
    mean = lambda part, key: sum(look[key] for look in part) / len(part)
    rows, grown = [], []
    names = {"memory": "own memory, MiB", "resident": "resident with its code, MiB", "disk": "disk, MiB"}
    for key in ("memory", "resident", "descriptors", "threads", "disk", "inodes"):
        first, middle, last = (mean(part, key) for part in parts)
        unit = 1 << 20 if key in names else 1
        digits = 1 if unit > 1 else 0
        rows.append(f"| {names.get(key, key)} | " + " | ".join(f"{value / unit:.{digits}f}" for value in (first, middle, last)) + " |")
        if last > middle * 1.1:
            grown.append(key)
    lines = ["| | first third | second third | last third |", "|---|---|---|---|", *rows, "",
             f"{options.minutes:g} minutes, {sum(r.commits for r in watched)} commits of people, "
             f"{sum(r.deployed() for r in watched)} images."]
    print("\n".join(lines))
    if grown:
        print("still growing: " + ", ".join(grown), file=sys.stderr)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(looks, file)
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write("\n".join(lines) + "\n")
    return grown


if __name__ == "__main__":
    sys.exit(main())
