import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// What a RUN step may do and see, in every way of isolating it; and what hostile steps cannot do.
@Suite("Isolated steps", .tags(.integration), .thorough) struct IsolationTests {
    // MARK: Package managers

    /// Writes the archive of a package by hand, with owners that this machine need not have.
    private func writePackage(_ bench: Workbench) throws {
        let program = """
            import io, tarfile, sys
            def tar(entries):
                out = io.BytesIO()
                with tarfile.open(fileobj=out, mode='w:gz', format=tarfile.GNU_FORMAT) as archive:
                    for name, kind, mode, uid, gid, data in entries:
                        info = tarfile.TarInfo(name); info.type = kind; info.mode = mode; info.uid = uid; info.gid = gid
                        info.mtime = 1500000000
                        if kind == tarfile.SYMTYPE: info.linkname = data.decode(); data = b''
                        info.size = len(data); archive.addfile(info, io.BytesIO(data))
                return out.getvalue()
            control = b'Package: demo\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.com>\\nDescription: d\\n'
            script = b'''#!/bin/sh
            set -e
            groupadd -r -g 321 demo && useradd -r -u 123 -g demo -d /var/lib/demo -s /bin/sh demo
            chown demo:demo /var/lib/demo /usr/lib/demo/late && chmod 6711 /usr/lib/demo/late
            '''
            F, D, L = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE
            parts = [('debian-binary', b'2.0\\n'),
                ('control.tar.gz', tar([('./', D, 0o755, 0, 0, b''), ('./control', F, 0o644, 0, 0, control),
                                        ('./postinst', F, 0o755, 0, 0, script)])),
                ('data.tar.gz', tar([('./', D, 0o755, 0, 0, b''), ('./usr/', D, 0o755, 0, 0, b''),
                    ('./usr/lib/', D, 0o755, 0, 0, b''), ('./usr/lib/demo/', D, 0o2770, 33, 44, b''),
                    ('./usr/lib/demo/file', F, 0o640, 33, 44, b'f'), ('./usr/lib/demo/suid', F, 0o4755, 0, 44, b's'),
                    ('./usr/lib/demo/late', F, 0o755, 0, 0, b'l'), ('./usr/lib/demo/link', L, 0o777, 33, 44, b'file'),
                    ('./var/', D, 0o755, 0, 0, b''), ('./var/lib/', D, 0o755, 0, 0, b''),
                    ('./var/lib/demo/', D, 0o750, 0, 0, b'')]))]
            with open(sys.argv[1], 'wb') as out:
                out.write(b'!<arch>\\n')
                for name, data in parts:
                    out.write(('%-16s%-12d%-6d%-6d%-8s%-10d`\\n' % (name, 0, 0, 0, '100644', len(data))).encode() + data)
                    if len(data) % 2: out.write(b'\\n')
            """
        try Shell.run(["python3", "-c", program, bench.directory.file("context/demo.deb")])
    }

    @Test(arguments: BuildMode.allCases) func packagesKeepTheirOwners(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode), let tools = try await ToolsImage.name() else { return }
        try writePackage(bench)
        let result = try await bench.build(
            """
            FROM tools
            COPY demo.deb /tmp/
            RUN /usr/bin/dpkg -i /tmp/demo.deb && rm /tmp/demo.deb
            RUN useradd -m -u 1500 extra && mkdir /opt && chown -R extra:demo /opt && echo x > /opt/f \\
             && chgrp 77 /opt/f && chmod 2755 /opt/f && ln -s f /opt/l && chown -h 5:6 /opt/l && mkfifo /opt/p && chown 8:9 /opt/p
            RUN /usr/bin/setpriv --reuid 42 --regid 65534 --clear-groups sh -c 'id -u; id -g; echo x > /tmp/of42' > /tmp/who \\
             && /usr/bin/setpriv --reuid 123 --regid 321 --init-groups touch /var/lib/demo/mine
            """, mode: mode
        ) { $0.namedContexts["tools"] = .image(try ImageLocation(tools)) }
        let tree = try result.tree()
        let expected = [
            "usr/lib/demo": "d 02770 33:44", "usr/lib/demo/file": "f 0640 33:44", "usr/lib/demo/suid": "f 04755 0:44",
            "usr/lib/demo/late": "f 06711 123:321", "usr/lib/demo/link": "l 0777 33:44 file",
            "var/lib/demo": "d 0750 123:321", "var/lib/demo/mine": "f 0644 123:321", "opt": "d 0755 1500:321",
            "opt/f": "f 02755 0:77", "opt/l": "l 0777 5:6 f", "opt/p": "p 0644 8:9", "tmp/of42": "f 0644 42:65534",
        ]
        for (path, file) in expected { #expect(tree[path] == file, "\(path)") }
        #expect(try result.text("tmp/who") == "42\n65534\n")
        let users = try result.text("etc/passwd")
        #expect(users.contains("\ndemo:") && users.contains("\nextra:"), "\(users)")
        #expect(try result.text("var/lib/dpkg/status").contains("Status: install ok installed"))
    }

    // MARK: What a step sees

    @Test(arguments: BuildMode.allCases) func aStepSeesNothingOfTheAgent(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        setenv("SLIPWAY_TEST_SECRET", "visible-secret", 1)
        let secret = bench.directory.file("secret")
        try Data("visible-file".utf8).write(to: URL(fileURLWithPath: secret))
        let result = try await bench.build(
            """
            FROM busybox
            RUN (env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; cat \(secret); \\
                for p in /proc/[0-9]*; do cat $p/root\(secret) $p/cwd/secret $p/root/proc/self/environ; ls -l $p/fd/; done; \\
                cat /proc/$PPID/environ; cat /.slipway-aside/*) > /seen 2>/dev/null </dev/null; \\
                ls -a / > /ls; echo own >> /etc/hosts; echo own > /etc/resolv.conf; cat /etc/hosts > /hosts
            """, mode: mode
        ) { $0.secrets = ["other": Array("visible-other".utf8)] }
        #expect(try !result.text("seen").contains("visible-"))
        #expect(try result.text("hosts").contains("localhost") && result.text("hosts").hasSuffix("own\n"))
        let names = Set(try result.text("ls").split(separator: "\n").map(String.init))
        let usual: Set = [
            ".", "..", "bin", "data", "dev", "etc", "home", "proc", "root", "srv", "sys", "tmp", "usr", "ls", "seen",
        ]
        #expect(names.subtracting(usual).isEmpty)
        #expect(Set(try result.names(inLayer: 1)) == ["hosts", "ls", "seen"])
    }

    @Test func aMissingProcIsToldOf() async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(.chroot) else { return }
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nRUN cat /proc/self/status\n", mode: .chroot)
        }
        #expect(error?.hint?.contains("in a chroot there is no /proc") == true)
    }

    @Test func setuidThatGainsNothingIsExplained() async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(.chroot) else { return }
        let error = await #expect(throws: BuildError.self) {
            try await bench.build(
                "FROM busybox\nRUN echo 'sudo: The \"no new privileges\" flag is set' >&2; exit 1\n", mode: .chroot)
        }
        #expect(error?.hint?.contains("USER 0") == true)
    }

    // MARK: Hostile steps

    @Test(arguments: BuildMode.allCases) func aStepCannotKillOthers(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let start =
            "import subprocess as s; print(s.Popen(['sleep', '1000'], stdin=s.DEVNULL, stdout=s.DEVNULL, stderr=s.DEVNULL).pid)"
        let started = try Shell.run(["python3", "-c", start]).stdout
        let victim = try #require(pid_t(started.trimmingCharacters(in: .whitespacesAndNewlines)))
        defer { kill(victim, SIGKILL) }
        // Where there are namespaces, really all that it can see.
        let all = mode.hasNamespaces ? "kill -9 -1; " : ""
        _ = try? await bench.build(
            "FROM busybox\nRUN kill -9 \(victim) \(getpid()) $PPID; \(all)true\n", mode: mode)
        #expect(kill(victim, 0) == 0)
        let again = try await bench.build("FROM busybox\nRUN echo alive > /a\n", mode: mode)
        #expect(try again.text("a") == "alive\n")
    }

    @Test(arguments: BuildMode.allCases) func aStepThatForksForeverIsStopped(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let mark = "bomb\(Int.random(in: 1_000_000...9_999_999))"
        // One that doubles every few milliseconds is stopped by the process namespace's own limit. Without namespaces
        // there is only the counting, which is too slow for it: there it is the pod's limit that stops it, and tried here
        // it would take the whole machine along.
        let doubling = mode.hasNamespaces ? ["b() { b & b & wait; }; b"] : []
        for bomb in ["while :; do sleep 1000 & done"] + doubling {
            let error = await #expect(throws: BuildError.self) {
                try await bench.build("FROM busybox\nRUN : \(mark); \(bomb)\n", mode: mode) {
                    $0.stepProcessLimit = 64
                    $0.stepTimeout = .seconds(60)
                }
            }
            let text = "\(String(describing: error))"
            #expect(text.contains("more than 64 processes") || text.contains("can't fork"), "\(text)")
            #expect(try Shell.run(["pgrep", "-f", mark], allowFailure: true).stdout.isEmpty)
        }
    }

    /// On a small disk of its own.
    @Test(arguments: [BuildMode.namespaces, .chroot]) func aStepThatWritesForeverIsStopped(mode: BuildMode) async throws
    {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let disk = bench.directory.file("small")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        let mounted = try Shell.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk], allowFailure: true)
        guard mounted.status == 0 else { return print("skipped: nothing can be mounted here") }
        defer { _ = try? Shell.run(["umount", "-l", disk], allowFailure: true) }
        for script in [
            "yes > /big", "head -c 60m /dev/zero > /a; while :; do head -c 200k /dev/zero >> /b; sleep 0.02; done",
        ] {
            let error = await #expect(throws: BuildError.self) {
                try await bench.build("FROM busybox\nRUN \(script)\n", mode: mode, state: "small/state") {
                    $0.stepTimeout = .seconds(60)
                }
            }
            let text = "\(String(describing: error))"
            #expect(text.contains("of the disk free") || text.contains("No space left"), "\(text)")
            #expect(error?.isTransient == true)
        }
        // What it wrote is gone, and others build on.
        let after = try await bench.build("FROM busybox\nRUN echo x > /a\n", mode: mode, state: "small/state")
        #expect(try after.text("a") == "x\n")
    }

    @Test(arguments: BuildMode.allCases) func nothingRunsOnAfterAStep(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return }
        let mark = "left\(Int.random(in: 1_000_000...9_999_999))"
        let result = try await bench.build(
            """
            FROM busybox
            RUN (setsid sh -c ': \(mark); trap "" TERM HUP; while :; do sleep 1; echo x >> /late; done' >/dev/null 2>&1 &); \\
                (true &); (sh -c 'exit 3' &); sleep 0.2; echo x > /a
            RUN test ! -e /late2; echo y > /b
            """, mode: mode)
        #expect(try result.text("b") == "y\n")
        #expect(try Shell.run(["pgrep", "-f", mark], allowFailure: true).stdout.isEmpty)
        let states = try Shell.run(["ps", "--ppid", "\(getpid())", "-o", "stat="], allowFailure: true).stdout
        #expect(!states.split(separator: "\n").contains { $0.hasPrefix("Z") }, "zombies: \(states)")
    }

    // MARK: In place

    @Test func aRootInPlaceIsEmptiedAndKeepsWhatIsMounted() async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(.inPlace) else { return }
        let root = bench.directory.file("throw-away")
        try FileManager.default.createDirectory(atPath: root + "/etc/volume", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: root + "/var/run/keep", withIntermediateDirectories: true)
        let mounted = try Shell.run(
            ["mount", "-t", "tmpfs", "tmpfs", root + "/etc/volume"], allowFailure: true)
        defer { _ = try? Shell.run(["umount", "-l", root + "/etc/volume"], allowFailure: true) }
        try Data("of the volume".utf8).write(to: URL(fileURLWithPath: root + "/etc/volume/f"))
        let result = try await bench.build(
            """
            FROM busybox AS one
            RUN echo one > /one && mkdir -p /var/run && ls /etc > /etc-list && test ! -e /usr/lib/pod
            FROM busybox AS two
            RUN test ! -e /one && echo two > /two
            FROM one
            COPY --from=two /two /two
            RUN cat /one /two > /both && rm /one && mkdir -p /etc/volume && echo x > /etc/volume/g
            """, mode: .inPlace)
        #expect(try result.text("both") == "one\ntwo\n")
        #expect(try !result.exists("one"))
        #expect(try result.text("etc-list").contains("passwd"))
        #expect(result.image.isolation == .inPlace)
        if mounted.status == 0 {
            #expect(try String(contentsOfFile: root + "/etc/volume/f", encoding: .utf8) == "of the volume")
            #expect(try !result.exists("etc/volume/f") && !result.exists("etc/volume/g"))
        }
        #expect(!FileManager.default.fileExists(atPath: root + "/usr/lib/pod"))
    }

    @Test func aRootThatIsNotThrownAwayIsRefused() async throws {
        guard !ThrowAwayRoot.isOne else { return print("skipped: this root is thrown away") }
        let bench = try await Workbench()
        #expect(!bench.report.available.contains(.inPlace) && bench.report.automatic != .inPlace)
        var request = try bench.request("FROM busybox\nRUN true\n")
        request.isolation = .inPlace
        let asked = request
        let error = await #expect(throws: BuildError.self) { try await bench.builder().build(asked) { _ in } }
        #expect(error?.summary == "this machine cannot isolate RUN steps by in-place")
        if geteuid() == 0, IdentityMap.mark == nil { #expect(error?.hint?.contains(ThrowAwayRoot.mark) == true) }
    }
}
