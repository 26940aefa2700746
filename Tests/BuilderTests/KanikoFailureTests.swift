import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// What kaniko, its forks or buildah build wrongly, refuse, or build where they should not. Named after the behaviour.
@Suite("Dockerfiles that other builders get wrong", .tags(.integration), .thorough) struct KanikoFailureTests {
    @Test("row", arguments: heredocs + mounts + copies + links + archives + metadata + scopes + roots)
    func row(_ row: KanikoCase) async throws { try await row.run() }

    static let heredocs: [KanikoCase] = [
        KanikoCase(
            name: "heredoc RUN",
            dockerfile:
                "FROM busybox\nRUN <<EOF\necho one > /a\necho two >> /a\nEOF\nRUN cat <<A - <<B > /b\n1\nA\n2\nB\n",
            expects: [.text("a", "one\ntwo\n"), .text("b", "2\n")]),
        KanikoCase(
            name: "heredoc RUN quoted 'EOF'",
            dockerfile: "FROM busybox\nENV X=outer\nRUN <<'EOF'\nX=inner\necho \"$X\" > /a\nEOF\n",
            expects: [.text("a", "inner\n")]),
        KanikoCase(
            name: "heredoc RUN with #! line",
            dockerfile: "FROM busybox\nRUN <<EOF\n#!/bin/awk -f\nBEGIN { print \"by awk\" > \"/a\" }\nEOF\n",
            expects: [.text("a", "by awk\n"), .file("dev/pipes", nil)]),
        KanikoCase(
            name: "heredoc COPY", dockerfile: "FROM busybox\nCOPY <<EOF /a\nhello\n  # kept\nEOF\n",
            expects: [.text("a", "hello\n  # kept\n"), .file("a", "f 0644 0:0")]),
        KanikoCase(
            name: "heredoc COPY expands $VAR",
            dockerfile:
                "FROM busybox\nENV V=x\nCOPY <<EOF /a\n$V \"${V}y\" \\$V ${W:-w}\nEOF\nCOPY <<'EOF' /b\n$V\nEOF\n",
            expects: [.text("a", "x \"xy\" $V w\n"), .text("b", "$V\n")]),
        KanikoCase(
            name: "heredoc COPY two files", files: [.file("c", "3")],
            dockerfile: "FROM busybox\nCOPY --chmod=600 c <<a <<-b /d/\n1\na\n\t2\nb\n",
            expects: [
                .text("d/a", "1\n"), .text("d/b", "2\n"), .text("d/c", "3"), .file("d/b", "f 0600 0:0"),
            ]),
    ]

    static let mounts: [KanikoCase] = [
        KanikoCase(
            name: "RUN --mount=type=cache",
            dockerfile: """
                FROM busybox
                RUN --mount=type=cache,target=/cache,id=$ID echo x >> /cache/f && wc -l < /cache/f > /a
                RUN --mount=type=cache,target=/other,id=$ID echo x >> /other/f && wc -l < /other/f > /b
                """, adjust: { $0.buildArguments = [("ID", "unused")] },

            expects: [
                .file("cache", nil), .file("other", nil),
                .check { #expect(Int($0.tree["b"]?.text.trimming ?? "") != nil) },
            ]),
        KanikoCase(
            name: "RUN --mount=type=bind (context)",
            files: [.file("d/f", "bound"), .file(".dockerignore", "d/no"), .file("d/no")],
            dockerfile: """
                FROM busybox
                RUN --mount=type=bind,target=/ctx cat /ctx/d/f > /a && ls /ctx/d > /b
                RUN --mount=source=d/f,target=/one,rw cat /one > /c && echo lost > /one
                """,

            expects: [
                .text("a", "bound"), .text("b", "f\n"), .text("c", "bound"), .file("ctx", nil), .file("one", nil),
            ]),
        KanikoCase(
            name: "RUN --mount=type=bind,from=stage",
            dockerfile: """
                FROM busybox AS tools
                RUN mkdir /t && echo tool > /t/x
                FROM busybox
                RUN --mount=from=tools,source=/t,target=/tools cat /tools/x > /a; echo no > /tools/y; true
                RUN --mount=from=tools,source=/t,target=/tools,rw test ! -e /tools/y; echo yes > /tools/y
                """, expects: [.text("a", "tool\n"), .file("tools", nil)]),
        KanikoCase(
            name: "RUN --mount=type=bind is read-only",
            dockerfile: """
                FROM busybox AS tools
                RUN mkdir /t
                FROM busybox
                RUN --mount=from=tools,source=/t,target=/tools echo no > /tools/y; test ! -e /tools/y
                """, modes: [.namespaces, .ordinaryUser], expects: [.file("tools", nil)]),
        KanikoCase(
            name: "RUN --mount=type=tmpfs",
            dockerfile: """
                FROM busybox
                RUN --mount=type=tmpfs,target=/scratch,size=1m grep -c ' /scratch tmpfs' /proc/self/mounts > /a; echo x > /scratch/x
                """, modes: [.namespaces, .ordinaryUser], expects: [.text("a", "1\n"), .file("scratch", nil)]),
        KanikoCase(
            name: "RUN --mount=type=secret",
            dockerfile: """
                FROM busybox
                RUN --mount=type=secret,id=s cat /run/secrets/s > /a && stat -c '%a %u:%g' /run/secrets/s > /b
                RUN --mount=type=secret,id=s,env=S echo "$S" > /c
                RUN --mount=type=secret,id=s,target=/deep/er/s,mode=0444 cat /deep/er/s > /d
                """, adjust: { $0.secrets = ["s": Array("hush".utf8)] },

            expects: [
                .text("a", "hush"), .text("b", "400 0:0\n"), .text("c", "hush\n"), .text("d", "hush"),
                .file("run/secrets", nil), .file("deep", nil),
            ]),
    ]

    static let copies: [KanikoCase] = [
        KanikoCase(
            name: "COPY --link", files: [.file("f", "x")],
            dockerfile: "FROM busybox\nCOPY --link f /data/f\nCOPY --link f /tmp/f\n",
            expects: [
                .file("data", "d 0755 0:0"), .text("data/f", "x"), .file("srv/f", nil), .file("tmp", "d 0755 0:0"),
            ]),
        KanikoCase(
            name: "COPY --parents", files: [.file("a/b/c.txt", "c"), .file("a/d/e.txt", "e"), .file("a/d/e.md")],
            dockerfile: "FROM busybox\nCOPY --parents a/**/*.txt /p/\nCOPY --parents a/./b/c.txt /q/\n",
            expects: [
                .text("p/a/b/c.txt", "c"), .text("p/a/d/e.txt", "e"), .file("p/a/d/e.md", nil),
                .text("q/b/c.txt", "c"), .file("q/a", nil),
            ]),
        KanikoCase(
            name: "COPY --exclude",
            files: [.file("d/a.txt"), .file("d/a.md"), .file("d/s/b.md"), .file("d/s/keep.md")],
            dockerfile: "FROM busybox\nCOPY --exclude=**/*.md --exclude=!**/keep.md d /d/\n",
            expects: [
                .file("d/a.txt", "f 0644 0:0"), .file("d/a.md", nil), .file("d/s/b.md", nil),
                .file("d/s/keep.md", "f 0644 0:0"),
            ]),
        KanikoCase(
            name: "COPY --chmod symbolic",
            files: [.file("d/x", mode: 0o755), .file("d/f", mode: 0o640), .link("d/l", "f")],
            dockerfile:
                "FROM busybox\nCOPY --chmod=u=rwX,go=rX d /d/\nCOPY --chmod=+x d/f /g\nCOPY --chmod=g=u d/f /h\n",
            expects: [
                .file("d/x", "f 0755 0:0"), .file("d/f", "f 0644 0:0"), .file("d/l", "l 0777 0:0 f"),
                .file("g", "f 0751 0:0"), .file("h", "f 0660 0:0"),
            ]),
        KanikoCase(
            name: "COPY under USER is root:root", files: [.file("f"), .file("d/g")],
            dockerfile: "FROM busybox\nUSER app\nCOPY f /a/\nCOPY d /b\nCOPY <<x /c/\nx\nADD f /e/\n",
            expects: ["a", "b", "c", "e"].map { .file($0, "d 0755 0:0") }
                + ["a/f", "b/g", "c/x", "e/f"].map { .file($0, "f 0644 0:0") }),
        KanikoCase(
            name: "COPY context uid kept? (must be root)",
            files: [KanikoCase.File(path: "f", owner: 1234), KanikoCase.File(path: "d/g", owner: 1234)],
            dockerfile: "FROM busybox\nCOPY f /f\nCOPY d /d\nADD f /h\n",
            expects: [.file("f", "f 0644 0:0"), .file("d/g", "f 0644 0:0"), .file("h", "f 0644 0:0")]),
        KanikoCase(
            name: "COPY --from symlink file is dereferenced",
            dockerfile: """
                FROM busybox AS a
                RUN mkdir -p /d/in && echo x > /d/f && ln -s f /d/l && ln -s /d/f /abs && ln -s in /d/dir && echo y > /d/in/y
                FROM busybox
                COPY --from=a /d/l /abs /to/
                COPY --from=a /d/dir /dir
                """,
            expects: [
                .file("to/l", "f 0644 0:0"), .text("to/l", "x\n"), .text("to/abs", "x\n"), .text("dir/y", "y\n"),
                .file("dir", "d 0755 0:0"),
            ]),
        KanikoCase(
            name: "COPY context symlink file is dereferenced",
            files: [.file("f", "x"), .link("l", "f"), .file("d/g", "y"), .link("k", "d"), .link("abs", "/f")],
            dockerfile: "FROM busybox\nCOPY l abs /to/\nCOPY k /dir\nCOPY l /plain\n",
            expects: [
                .file("to/l", "f 0644 0:0"), .text("to/l", "x"), .text("to/abs", "x"), .text("dir/g", "y"),
                .file("plain", "f 0644 0:0"),
            ]),
        KanikoCase(
            name: "mtime of context file kept",
            files: [
                KanikoCase.File(path: "f", modified: 1_234_567_890),
                KanikoCase.File(path: "d/g", modified: 1_000_000_000),
            ],
            dockerfile: "FROM busybox\nCOPY f /f\nCOPY d /d\n",
            expects: [
                .check {
                    #expect($0.tree["f"]?.modified == 1_234_567_890)
                    #expect($0.tree["d/g"]?.modified == 1_000_000_000)
                }
            ]),
        KanikoCase(
            name: "mtime kept by COPY --from",
            dockerfile: "FROM busybox AS a\nRUN touch -d @1111111111 /f\nFROM scratch\nCOPY --from=a /f /\n",
            adjust: { $0.isReproducible = false },
            expects: [.check { #expect($0.tree["f"]?.modified == 1_111_111_111) }]),
        KanikoCase(
            name: "COPY into existing dir keeps its mode", files: [.file("d/f"), .file("d/s/g", mode: 0o600)],
            dockerfile: "FROM busybox\nCOPY d /tmp\nCOPY d/f /tmp/x/\n",
            expects: [.file("tmp", "d 01777 0:0"), .file("tmp/s/g", "f 0600 0:0"), .file("tmp/x", "d 0755 0:0")]),
        KanikoCase(
            // BuildKit builds it: nothing happens, and the layer is there.
            name: "COPY wildcard without match fails", files: [.file("f")],
            dockerfile: "FROM busybox\nCOPY nothing*here /x/\nCOPY f no[t]hing* /y/\n",
            expects: [
                .file("x", nil), .file("y/f", "f 0644 0:0"),
                .check {
                    #expect($0.layerCount == 3)
                    #expect($0.tree.layers[1] == [])
                },
            ]),
    ]

    static let links: [KanikoCase] = [
        KanikoCase(
            name: "COPY --from keeps hardlinks",
            dockerfile: """
                FROM busybox AS a
                RUN mkdir -p /d/s && echo x > /d/one && ln /d/one /d/s/two && ln /d/one /d/three
                FROM scratch
                COPY --from=a /d /d
                """,
            expects: [
                .check { #expect($0.tree.names(ofFileAt: "d/one") == ["d/one", "d/s/two", "d/three"]) },
                .text("d/s/two", "x\n"),
            ]),
        KanikoCase(
            name: "RUN hardlink to base-layer file",
            dockerfile: "FROM busybox\nRUN ln /srv/old.txt /srv/new.txt\nRUN ln /srv/old.txt /srv/third\n",
            expects: [
                .text("srv/new.txt", "removable\n"), .text("srv/old.txt", "removable\n"),
                .text("srv/third", "removable\n"),
                .check { #expect($0.tree.names(ofFileAt: "srv/third").contains("srv/third")) },
            ]),
        KanikoCase(
            name: "setuid/sticky via COPY --from",
            dockerfile: """
                FROM busybox AS a
                RUN mkdir /d && cp /bin/busybox /d/su && chmod 4755 /d/su && touch /d/sg && chmod 2750 /d/sg \\
                  && mkdir /d/st && chmod 1777 /d/st
                FROM scratch
                COPY --from=a /d /d
                COPY --from=a /d/su /su
                """,
            expects: [
                .file("d/su", "f 04755 0:0"), .file("d/sg", "f 02750 0:0"), .file("d/st", "d 01777 0:0"),
                .file("su", "f 04755 0:0"),
            ]),
        KanikoCase(
            name: "file capability kept by COPY --from",
            dockerfile:
                "FROM capable AS a\nFROM scratch\nCOPY --from=a /d /d\nCOPY --from=a /d/ping /ping\nCOPY --from=capable /d/ping /p3\n",
            images: ["capable": [[.directory("d"), capable("d/ping")]]], needsOwners: true,
            expects: ["d/ping", "ping", "p3"].flatMap { path -> [KanikoCase.Expectation] in
                [
                    .file(path, "f 0755 0:0 +security.capability"),
                    .check { #expect($0.tree[path]?.attributes["security.capability"] == TarItem.capability) },
                ]
            }),
        KanikoCase(
            name: "user.* xattr kept by COPY --from",
            dockerfile: "FROM tagged AS a\nFROM scratch\nCOPY --from=a /d /d\n",
            images: [
                "tagged": [
                    [
                        .directory("d"),
                        TarItem.file("d/f", "x").with { $0.attributes = [("user.note", [0, 0xff, 0x0a])] },
                    ]
                ]
            ], expects: [.check { #expect($0.tree["d/f"]?.attributes == ["user.note": [0, 0xff, 0x0a]]) }]),
        KanikoCase(
            name: "base with opaque whiteout",
            dockerfile: "FROM opaque AS a\nFROM scratch\nCOPY --from=a / /all\nCOPY --from=opaque /d /d\n",
            images: [
                "opaque": [
                    [.directory("d"), .file("d/lower", "1"), .directory("d/s"), .file("d/s/x"), .file("gone")],
                    [.file("d/upper", "2"), .directory("d"), .file("d/.wh..wh..opq"), .file(".wh.gone")],
                ]
            ],
            expects: [
                .file("all/d/lower", nil), .file("all/d/s", nil), .text("all/d/upper", "2"), .file("all/gone", nil),
                .file("d/lower", nil), .text("d/upper", "2"), .file("all/d/.wh..opq", nil),
            ]),
        KanikoCase(
            name: "char device made in RUN",
            dockerfile: "FROM busybox\nRUN mknod /null c 1 3 && chmod 666 /null && mknod /blk b 7 9\n",
            needsOwners: true,
            expects: [.file("null", "c 0666 0:0 1,3"), .file("blk", "b 0644 0:0 7,9")]),
    ]

    static func capable(_ name: String) -> TarItem {
        TarItem.file(name, "#!", mode: 0o755).with { $0.attributes = [("security.capability", TarItem.capability)] }
    }
}

extension String {
    var trimming: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
