"""What the benchmarks share: one measured run, and a docker-registry of their own."""
import json, signal, socket, subprocess, sys, time, urllib.request

MEASURE = (
    "import resource, subprocess, sys, time\n"
    "start = time.monotonic()\n"
    "out = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
    "seconds = time.monotonic() - start\n"
    "if out.returncode: sys.stderr.buffer.write((out.stdout + out.stderr)[-4000:]); sys.exit(1)\n"
    "usage = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    "print(seconds, usage.ru_maxrss, usage.ru_utime + usage.ru_stime)\n"
    "print(out.stdout.decode(errors='replace')[-200:].strip())\n"
)


def measure(command, **options):
    """Seconds, processor seconds and the highest memory (KiB) of any process of one run, and the end of what it printed."""
    done = subprocess.run([sys.executable, "-c", MEASURE] + command, stdout=subprocess.PIPE, **options)
    if done.returncode:
        raise SystemExit("failed: " + " ".join(command))
    first, _, rest = done.stdout.decode().partition("\n")
    seconds, memory, processor = first.split()
    return {"seconds": float(seconds), "kib": int(memory), "cpu": float(processor), "printed": rest.strip()}


def free_port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def report(options, results, lines):
    """Writes the results and the lines of their table where the options say, and prints the table."""
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)
    text = "\n".join(lines) + "\n"
    if options.markdown:
        with open(options.markdown, "w") as file:
            file.write(text)
    print(text)


class Registry:
    """docker-registry on a free port of loopback; with `counts`, it writes down its requests."""

    def __init__(self, scratch, counts=False):
        self.host = f"127.0.0.1:{free_port()}"
        self.root, self.log_path = f"{scratch}/registry", f"{scratch}/registry.log"
        with open(f"{scratch}/registry.yml", "w") as file:
            file.write(
                f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: {str(not counts).lower()}}}}}\n"
                f"storage: {{filesystem: {{rootdirectory: {self.root}}}, delete: {{enabled: true}}}}\n"
                f"http: {{addr: '{self.host}'}}\n")
        log = open(self.log_path, "w")
        self.process = subprocess.Popen(["docker-registry", "serve", f"{scratch}/registry.yml"], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{self.host}/v2/", timeout=1)
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit("docker-registry did not start")
                time.sleep(0.05)

    def requests(self):
        with open(self.log_path) as file:
            return sum(1 for line in file if '"GET ' in line or '"HEAD ' in line)

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
