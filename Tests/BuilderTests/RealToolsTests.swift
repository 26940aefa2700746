import Builder
import Foundation
import OCI
import TestSupport
import Testing

/// Programs that go by times, as Debian has them: what they make of commits that come and go is what they would make of each alone.
@Suite("Real tools see true times", .tags(.integration), .thorough) struct RealToolsTests {
    /// A commit, its successor of the same length, a revert to what is cached, another branch.
    private static let commits = ["one", "two", "one", "six", "two", "one"]

    @Test(arguments: BuildMode.allCases) func ninja(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        guard let tools = try await ToolsImage.name(), ToolsImage.has("/usr/bin/ninja") else { return }
        try bench.write(
            "build.ninja",
            """
            builddir = /obj
            rule cc
              command = sed 's/^/o:/' $in > $out
            rule link
              command = cat $in > $out
            build /obj/a.o: cc a.c
            build /obj/b.o: cc b.c
            build /obj/prog: link /obj/a.o /obj/b.o

            """)
        try bench.write("b.c", "b\n")
        for (round, text) in Self.commits.enumerated() {
            try bench.write("a.c", text + "\n")
            let result = try await bench.build(
                """
                FROM tools
                COPY . /src
                RUN --mount=type=cache,target=/obj cd /src && ninja && cp /obj/prog /prog
                """, mode: mode, tag: "\(round)"
            ) {
                $0.namedContexts["tools"] = .image(try ImageLocation(tools))
                $0.noCache = false
                $0.context = DatelessContext(inner: $0.context)
            }
            #expect(try result.text("prog") == "o:\(text)\no:b\n", "round \(round)")
        }
    }

    @Test(arguments: BuildMode.allCases) func compileall(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        let root = try DebianRoot.image(
            of: ["python3.11-minimal", "libpython3.11-stdlib"], in: bench.directory.file("python"))
        guard let root else { return }
        try bench.write("app/part.py", "TEXT = 'part'\n")
        try bench.write("app/sub/__init__.py")
        try bench.write("app/sub/deep.py", "TEXT = 'deep'\n")
        let check = """
            import os, sys
            stale = 0
            for folder, _, names in os.walk(sys.argv[1]):
                for name in names:
                    if not name.endswith('.pyc'): continue
                    head = open(os.path.join(folder, name), 'rb').read(16)
                    source = os.stat(os.path.join(os.path.dirname(folder), name.split('.')[0] + '.py'))
                    told = int.from_bytes(head[8:12], 'little')
                    # Where SOURCE_DATE_EPOCH is set, Python knows them by their sources' hashes.
                    if head[4] & 1: print(name)
                    elif head[4:8] != bytes(4) or told != int(source.st_mtime) or \\
                            int.from_bytes(head[12:16], 'little') != source.st_size: stale += 1
                    else: print(name)
            print(stale, 'stale')
            """
        for isReproducible in [true, false] {
            let result = try await bench.build(
                """
                FROM python
                COPY app /app
                RUN echo 'TEXT = 3' > /app/own.py && python3.11 -m compileall -q /app
                RUN cd /app && python3.11 -v -c 'import part, own, sub.deep' 2>&1 | grep -c 'matches /app' > /fresh
                """, mode: mode, state: "\(isReproducible)", tag: "\(isReproducible)"
            ) {
                $0.namedContexts["python"] = .image(try ImageLocation(root))
                $0.isReproducible = isReproducible
                $0.context = DatelessContext(inner: $0.context)
            }
            #expect(try result.text("fresh") == "4\n", "the next step takes them")
            let told = try Shell.run(["python3", "-c", check, result.unpack() + "/app"]).stdout.split(separator: "\n")
            #expect(told.last == "0 stale" && told.count == 5, "\(told)")
        }
    }

    @Test func cargo() async throws {
        let bench = try await Workbench()
        guard let mode = bench.modes.first else { return }
        // Of the compiler for C, only what links.
        let root = try DebianRoot.image(
            of: ["cargo", "libc6-dev"], without: ["/(cc1|lto1|cc1plus)$", "^/usr/share/(perl|mime|pixmaps|icons)"],
            in: bench.directory.file("rust"))
        guard let root else { return }
        try bench.write("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
        try bench.write("src/main.rs", "mod part;\nfn main() { println!(\"{}\", part::TEXT); }\n")
        for (round, text) in Self.commits.enumerated() {
            try bench.write("src/part.rs", "pub const TEXT: &str = \"\(text)\";\n")
            let result = try await bench.build(
                """
                FROM rust
                RUN ln -sf gcc-12 /usr/bin/cc && mkdir -p /stub/src && echo 'fn main() { println!("stub"); }' > /stub/src/main.rs
                ENV CARGO_HOME=/cargo
                COPY Cargo.toml /stub/
                RUN cd /stub && cargo build --offline --quiet && target/debug/app > /stub-out
                COPY src /stub/src
                RUN cd /stub && touch src/main.rs && cargo build --offline --quiet && target/debug/app > /recipe-out
                COPY . /src
                RUN --mount=type=cache,target=/src/target cd /src && cargo build --offline --quiet && target/debug/app > /cached-out
                """, mode: mode, tag: "\(round)"
            ) {
                $0.namedContexts["rust"] = .image(try ImageLocation(root))
                $0.noCache = false
                $0.context = DatelessContext(inner: $0.context)
            }
            let tree = try result.read().tree
            #expect(tree["stub-out"]?.text == "stub\n")
            #expect(tree["recipe-out"]?.text == text + "\n", "round \(round)")
            #expect(tree["cached-out"]?.text == text + "\n", "round \(round)")
        }
    }

    /// Its `ETag` is made of time and length.
    @Test func nginxSeesThatAFileChanged() async throws {
        let bench = try await Workbench()
        let server = try await FileServer(of: bench.directory.file("served"))
        var seen: Set<String> = []
        for text in ["one", "two", "six"] {
            try bench.write("index.html", text)
            let result = try await bench.build("FROM busybox\nCOPY index.html /www/\n", tag: text) {
                $0.isReproducible = false
                $0.context = DatelessContext(inner: $0.context)
            }
            // Times are whole seconds there: a build is not made in less, and a test may.
            var status = stat()
            let file = try result.unpack() + "/www/index.html"
            try #require(stat(file, &status) == 0)
            try await waitUntil("the next second") { time(nil) > status.st_mtim.tv_sec }
            try Shell.run(["cp", "-a", file, server.root + "/index.html"])
            let headers = try Shell.run(["curl", "-sI", server.url + "/index.html"]).stdout.lowercased()
            let tag = try #require(headers.split(separator: "\r\n").first { $0.hasPrefix("etag:") })
            seen.insert(String(tag))
        }
        #expect(seen.count == 3)
    }
}

/// nginx over a directory.
private final class FileServer {
    let root: String
    let url: String
    private let server: Server

    init(of root: String) async throws {
        let port = try Server.freePort()
        self.root = root
        url = "http://127.0.0.1:\(port)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(root)/.\($0);" }.joined(separator: " ")
        let configuration = """
            daemon off; pid \(root)/.pid; worker_processes 1; error_log stderr; \(getuid() == 0 ? "user root;" : "")
            events { worker_connections 64; }
            http { access_log off; \(paths) server { listen 127.0.0.1:\(port); root \(root); } }
            """
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: root + "/.conf"))
        server = try Server(["nginx", "-p", root, "-c", root + "/.conf"], log: root + "/.log")
        try await waitUntil("nginx listens") { Server.accepts(port: port) }
    }
}
