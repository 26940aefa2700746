import Builder
import Foundation
import OCI
import TestSupport
import Testing

/// Where the mounts of a step go, and what it finds that every step has: names, devices, the kernel's directories.
@Suite("Places of mounts", .tags(.integration), .thorough) struct MountPlaceTests {
    private static let chroots: Set<BuildMode> = [.chroot, .inPlace]

    @Test(arguments: BuildMode.allCases)
    func `mounts in mounts get their places, in the order of the instruction`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try bench.write("a.txt", "a")
        try bench.write("dir/own", "own")
        try bench.link("dir/link", to: "sub")
        try bench.write("dir/sub/x", "x")
        let result = try await bench.build(
            """
            FROM busybox
            RUN --mount=type=tmpfs,target=/t --mount=type=bind,source=a.txt,target=/t/a.txt \
                --mount=type=bind,source=dir,target=/t/deep/er cat /t/a.txt /t/deep/er/own > /one; echo x > /t/x
            RUN --mount=type=bind,source=dir,target=/b --mount=type=bind,source=a.txt,target=/b/new/a.txt \
                --mount=type=secret,id=s,target=/b/secret --mount=type=tmpfs,target=/b/link/tmp \
                cat /b/own /b/new/a.txt /b/secret > /two; echo x > /b/sub/tmp/x; ls /b/link /b/sub/tmp >> /two
            RUN --mount=type=cache,target=/c --mount=type=bind,source=dir,target=/c/in \
                --mount=type=tmpfs,target=/c/in/tmp cat /c/in/own > /three; echo kept > /c/kept; echo x > /c/in/tmp/x
            RUN --mount=type=cache,target=/c cat /c/kept > /four; ls /c/in/own > /dev/null 2>&1 || echo gone >> /four
            RUN --mount=type=tmpfs,target=/data --mount=type=bind,source=a.txt,target=/data/a.txt cat /srv/a.txt > /five
            RUN --mount=type=tmpfs,target=/srv --mount=type=bind,source=a.txt,target=/data/a.txt cat /srv/a.txt > /six
            RUN --mount=type=bind,source=dir,target=/h/in --mount=type=tmpfs,target=/h \
                --mount=type=bind,source=a.txt,target=/h/in/a.txt cat /h/in/a.txt > /seven; ls /h/in >> /seven
            RUN --mount=type=tmpfs,target=/e --mount=type=bind,from=busybox,source=/etc,target=/e/etc \
                --mount=type=bind,source=a.txt,target=/e/etc/passwd cat /e/etc/passwd > /eight
            """, mode: mode
        ) { $0.secrets = ["s": Array("secret".utf8)] }
        let expected = [
            "one": "aown", "two": "ownasecretx\ntmp\nx\nx\n", "three": "own", "four": "kept\ngone\n", "five": "a",
            "six": "a", "seven": "aa.txt\n", "eight": "a",
        ]
        for (name, text) in expected where name != "two" { #expect(try result.text(name) == text, "\(name)") }
        #expect(try result.text("two").hasPrefix("ownasecret") && result.text("two").hasSuffix("/b/sub/tmp:\nx\n"))
        for (index, name) in ["one", "two", "three", "four", "five", "six", "seven", "eight"].enumerated() {
            #expect(try result.names(inLayer: index + 1) == [name])
        }
    }

    @Test(arguments: BuildMode.allCases)
    func `names are resolved where a root's own files are links to nowhere`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        // systemd-resolved; OpenWrt; one that leads into a directory of the kernel's.
        let links = [
            "../run/systemd/resolve/stub-resolv.conf", "/tmp/resolv.conf", "/run/own/resolv.conf", "/proc/net/nothing",
            "resolv.conf",
        ]
        for (index, target) in links.enumerated() {
            let isReachable = index < 3
            let result = try await bench.build(
                """
                FROM busybox AS base
                RUN --network=host true
                FROM scratch AS root
                COPY --from=busybox / /
                COPY --from=links . /etc/
                RUN cat /etc/resolv.conf > /names 2> /dev/null; cat /etc/hosts > /hosts; ls /run > /run-list 2>&1; \
                    echo own >> /etc/resolv.conf; true
                RUN readlink /etc/resolv.conf > /link; cat /etc/resolv.conf > /again 2> /dev/null; true
                """, mode: mode, tag: "\(index)"
            ) {
                let links = bench.directory.file("links-\(index)")
                try FileManager.default.createDirectory(atPath: links, withIntermediateDirectories: true)
                for (name, target) in [("resolv.conf", target), ("hosts", "../run/nowhere/hosts")] {
                    try FileManager.default.createSymbolicLink(atPath: "\(links)/\(name)", withDestinationPath: target)
                }
                $0.namedContexts["links"] = .directory(path: links)
            }
            let machine = try String(contentsOfFile: "/etc/resolv.conf", encoding: .utf8)
            #expect(try result.text("hosts").contains("localhost"), "\(target)")
            if isReachable || Self.chroots.contains(mode) {
                #expect(try result.text("names") == machine, "\(target)")
                #expect(try result.text("again") == machine, "\(target)")
            }
            if mode.hasNamespaces { #expect(try result.text("link") == target + "\n") }
            // Nothing of it is in the layer, and the link stays.
            let names = Set(try result.names(inLayer: 2) + result.names(inLayer: 3))
            #expect(names == ["names", "hosts", "run-list", "link", "again"], "\(target)")
            #expect(try result.tree()["etc/resolv.conf"] == "l 0777 0:0 \(target)")
        }
    }

    /// In a chroot as elsewhere: the directories are not the image's while a step runs.
    @Test(arguments: BuildMode.allCases)
    func `what a step writes to dev, proc and sys is in no layer`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try bench.write("f", "of the image")
        for hasOwn in [true, false] {
            let result = try await bench.build(
                """
                FROM busybox
                \(hasOwn ? "COPY f /dev/own/f\nCOPY f /proc/f\nCOPY f /sys/f" : "LABEL a=b")
                RUN echo x > /dev/x; echo x > /dev/shm/x; mkdir -p /dev/d/e; echo x > /proc/x; mkdir /sys/d; chmod 700 /dev; \
                    test -c /dev/null && echo x > /dev/null; touch /done; true
                RUN ls -d /dev/x /dev/d /dev/shm/x /proc/x /sys/d > /seen 2> /dev/null; true
                """, mode: mode, tag: "\(hasOwn)")
            let last = result.image.layers.count - 1
            #expect(try result.names(inLayer: last - 1) == ["done"])
            #expect(try result.names(inLayer: last) == ["seen"])
            if mode != .inPlace { #expect(try result.text("seen") == "") }
            let tree = try result.tree()
            #expect(tree["dev/own/f"] == (hasOwn ? "f 0644 0:0" : nil))
            #expect(tree["proc/f"] == (hasOwn ? "f 0644 0:0" : nil))
            #expect(tree["dev/null"] == nil && tree["dev/shm"] == nil)
        }
    }

    @Test(arguments: BuildMode.allCases)
    func `a tmpfs is one mount with what was asked for`(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        let result = try await bench.build(
            """
            FROM busybox
            RUN mkdir -m 0750 /closed
            RUN --mount=type=tmpfs,target=/dev/shm,size=3m --mount=type=tmpfs,target=/closed,size=2m \
                --mount=type=tmpfs,target=/open --mount=type=tmpfs,target=/dev/other,size=1m \
                stat -c '%n %a' /dev/shm /closed /open > /modes; \
                grep -c ' /dev/shm ' /proc/mounts > /count; df -k /dev/shm /dev/other | awk 'NR > 1 { print $2 }' > /sizes; true
            USER 1000
            RUN --mount=type=tmpfs,target=/mine touch /mine/f \(mode == .inPlace ? "" : "/dev/shm/f")
            """, mode: mode)
        #expect(try result.text("modes") == "/dev/shm 1777\n/closed 750\n/open 1777\n")
        if mode.hasNamespaces {
            #expect(try result.text("count") == "1\n")
            #expect(try result.text("sizes") == "3072\n1024\n")
        }
        #expect(try result.names(inLayer: 3).isEmpty)
    }
}
