import Builder
import Foundation
import OCI
import Registry
import Sandbox
import TestSupport
import Testing

/// What kaniko, its forks and buildah all build right: a drop-in has to, too.
@Suite("Dockerfiles that all builders get right", .tags(.integration), .thorough) struct KanikoCommonTests {
    @Test("row", arguments: mounts + copies + files + archives + metadata + scopes + contexts + stages)
    func row(_ row: KanikoCase) async throws {
        var row = row
        row.isSpread = true
        try await row.run()
    }

    static let mounts: [KanikoCase] = [
        KanikoCase(
            name: "RUN --mount=type=secret optional, absent",
            dockerfile: "FROM busybox\nRUN --mount=type=secret,id=s test ! -e /run/secrets/s && echo ok > /a\n",
            expects: [.text("a", "ok\n"), .file("run", nil)]),
        KanikoCase(
            name: "RUN --mount=type=ssh optional, absent",
            dockerfile: "FROM busybox\nRUN --mount=type=ssh echo \"[$SSH_AUTH_SOCK]\" > /a\n",
            expects: [.text("a", "[]\n")]),
    ]

    static let copies: [KanikoCase] = [
        KanikoCase(
            name: "COPY --chmod octal", files: [.file("f"), .file("d/g", mode: 0o600), .link("d/l", "g")],
            dockerfile: "FROM busybox\nCOPY --chmod=4755 f /f\nCOPY --chmod=0710 d /d\n",
            expects: [
                .file("f", "f 04755 0:0"), .file("d", "d 0710 0:0"), .file("d/g", "f 0710 0:0"),
                .file("d/l", "l 0777 0:0 g"),
            ]),
        KanikoCase(
            name: "COPY --chmod=$VAR", files: [.file("f")],
            dockerfile: "FROM busybox\nARG M=640\nCOPY --chmod=$M f /f\n", expects: [.file("f", "f 0640 0:0")]),
        KanikoCase(
            name: "COPY --chown name:group", files: [.file("f"), .file("d/g")],
            dockerfile:
                "FROM busybox\nCOPY --chown=app:extra f /f\nCOPY --chown=app d /d\nCOPY --chown=root:2000 f /n/e/w\n",
            expects: [
                .file("f", "f 0644 1000:2000"), .file("d/g", "f 0644 1000:1000"), .file("d", "d 0755 1000:1000"),
                .file("n/e", "d 0755 0:2000"), .file("n/e/w", "f 0644 0:2000"),
            ]),
        KanikoCase(
            name: "COPY --chown numeric unknown", files: [.file("f")],
            dockerfile: "FROM busybox\nCOPY --chown=4321:1234 f /f\nCOPY --chown=77 f /g\n",
            expects: [.file("f", "f 0644 4321:1234"), .file("g", "f 0644 77:77")]),
        KanikoCase(
            // BuildKit's code takes 0 for names that are not there, whatever its documentation says.
            name: "COPY --chown unknown user name fails", files: [.file("f")],
            dockerfile:
                "FROM busybox\nCOPY --chown=nobody-here f /f\nFROM scratch\nCOPY --chown=app:app f /g\nCOPY --from=0 /f /f\n",
            expects: [.file("f", "f 0644 0:0"), .file("g", "f 0644 0:0")]),
        KanikoCase(
            name: "COPY --from=image",
            dockerfile: "FROM busybox\nCOPY --from=other /d/f /f\nCOPY --from=other / /all/\n",
            images: ["other": [[.directory("d", mode: 0o700), TarItem.file("d/f", "x").owned(3, 4)]]],
            expects: [
                .file("f", "f 0644 3:4"), .text("f", "x"), .file("all/d", "d 0700 0:0"), .file("all/d/f", "f 0644 3:4"),
            ]),
        KanikoCase(
            name: "COPY --from=index",
            dockerfile:
                "FROM busybox\nRUN echo a > /a\nFROM busybox AS named\nRUN echo b > /b\nFROM scratch\nCOPY --from=0 /a /\nCOPY --from=1 /b /\n",
            expects: [.text("a", "a\n"), .text("b", "b\n")]),
        KanikoCase(
            name: "COPY --from wildcard",
            dockerfile:
                "FROM busybox AS a\nRUN mkdir /d && touch /d/x.so /d/y.so /d/z\nFROM scratch\nCOPY --from=a /d/*.so /lib/\n",
            expects: [.file("lib/x.so", "f 0644 0:0"), .file("lib/y.so", "f 0644 0:0"), .file("lib/z", nil)]),
        KanikoCase(
            name: "COPY dir keeps inner symlinks",
            files: [.file("d/f"), .link("d/in", "f"), .link("d/out", "../nowhere"), .link("d/abs", "/etc/passwd")],
            dockerfile: "FROM busybox\nCOPY d /d\n",
            expects: [
                .file("d/in", "l 0777 0:0 f"), .file("d/out", "l 0777 0:0 ../nowhere"),
                .file("d/abs", "l 0777 0:0 /etc/passwd"),
            ]),
        KanikoCase(
            name: "COPY through symlinked dir", files: [.file("f", "x"), .file("d/g")],
            dockerfile:
                "FROM busybox\nCOPY f /data/f\nCOPY d /data/\nRUN ln -s /srv/new /dangling\nCOPY f /dangling/\n",
            expects: [
                .file("data", "l 0777 0:0 /srv"), .text("srv/f", "x"), .file("srv/g", "f 0644 0:0"),
                .text("srv/new/f", "x"), .file("dangling", "l 0777 0:0 /srv/new"),
            ]),
        KanikoCase(
            name: "COPY JSON form with spaces", files: [.file("a b", "x"), .file("$v")],
            dockerfile: "FROM busybox\nCOPY [\"a b\", \"/c d/\"]\nCOPY [\"\\\\$v\", \"/e f\"]\n",
            expects: [.text("c d/a b", "x"), .file("e f", "f 0644 0:0")]),
        KanikoCase(
            name: "COPY missing source fails", files: [.file("f")], dockerfile: "FROM busybox\nCOPY f missing /x/\n",
            expects: [.fails("Dockerfile:2:")]),
        KanikoCase(
            name: "COPY ../ cannot escape context", files: [.file("f", "x"), .link("out", "../../../etc/hostname")],
            dockerfile: "FROM busybox\nCOPY ../../f /f\nCOPY /f /g\nCOPY d/../../../f /h\n",
            expects: [.text("f", "x"), .text("g", "x"), .text("h", "x")]),
    ]

    static let files: [KanikoCase] = [
        KanikoCase(
            name: "RUN hardlink in layer", dockerfile: "FROM busybox\nRUN echo x > /a && ln /a /b && ln /a /tmp/c\n",
            expects: [.check { #expect($0.tree.names(ofFileAt: "a") == ["a", "b", "tmp/c"]) }, .text("tmp/c", "x\n")]),
        KanikoCase(
            name: "setuid/sticky via RUN",
            dockerfile:
                "FROM busybox\nRUN touch /s && chmod 6755 /s && mkdir /d && chmod 3777 /d && chmod u+s /srv/old.txt\n",
            expects: [.file("s", "f 06755 0:0"), .file("d", "d 03777 0:0"), .file("srv/old.txt", "f 04644 0:0")]),
        KanikoCase(
            name: "file capability kept when chmod'ed in RUN",
            dockerfile: "FROM capable AS c\nFROM busybox\nCOPY --from=c /ping /ping\nRUN chmod 700 /ping\n",
            images: ["capable": [[KanikoFailureTests.capable("ping")]]], needsOwners: true,
            expects: [
                .check {
                    #expect($0.tree["ping"]?.description == "f 0700 0:0 +security.capability")
                    #expect($0.tree["ping"]?.attributes["security.capability"] == TarItem.capability)
                }
            ]),
        KanikoCase(
            name: "RUN rm file from base", dockerfile: "FROM busybox\nRUN rm /srv/old.txt\n",
            expects: [
                .file("srv/old.txt", nil),
                .check { #expect($0.tree.layers[1].filter { $0 != "srv/" } == ["srv/.wh.old.txt"]) },
            ]),
        KanikoCase(
            name: "RUN rm dir, recreate",
            dockerfile: "FROM busybox\nRUN rm -r /srv /home && mkdir /srv && echo n > /srv/new && mkdir -m 700 /home\n",
            expects: [
                .file("srv/old.txt", nil), .text("srv/new", "n\n"), .file("home/app", nil), .file("home", "d 0700 0:0"),
            ]),
        KanikoCase(
            name: "RUN replace dir by symlink",
            dockerfile: "FROM busybox\nRUN rm -r /srv && ln -s /tmp /srv\nRUN echo x > /srv/f\n",
            expects: [.file("srv", "l 0777 0:0 /tmp"), .file("srv/old.txt", nil), .text("tmp/f", "x\n")]),
        KanikoCase(
            name: "RUN replace symlink by dir",
            dockerfile: "FROM busybox\nRUN rm /data && mkdir /data && echo x > /data/f\n",
            expects: [.file("data", "d 0755 0:0"), .text("data/f", "x\n"), .file("srv/f", nil)]),
        KanikoCase(
            name: "RUN chmod only", dockerfile: "FROM busybox\nRUN chmod 600 /etc/group && chmod 711 /home\n",
            expects: [
                .file("etc/group", "f 0600 0:0"), .file("home", "d 0711 0:0"),
                .text("etc/group", "root:x:0:\napp:x:1000:\nextra:x:2000:app\n"), .file("home/app", "d 0755 0:0"),
            ]),
        KanikoCase(
            name: "RUN chown -h symlink",
            dockerfile:
                "FROM busybox\nRUN ln -s x /l && chown -h 5:6 /l && chown -h 7:8 /data && chown 9:9 /srv/old.txt\n",
            needsOwners: true,
            expects: [
                .file("l", "l 0777 5:6 x"), .file("data", "l 0777 7:8 /srv"), .file("srv/old.txt", "f 0644 9:9"),
                .file("srv", "d 0755 0:0"),
            ]),
        KanikoCase(
            name: "empty dir / empty file", dockerfile: "FROM busybox\nRUN mkdir /e && touch /f\n",
            expects: [.file("e", "d 0755 0:0"), .file("f", "f 0644 0:0"), .text("f", "")]),
        KanikoCase(
            name: "fifo made in RUN", dockerfile: "FROM busybox\nRUN mkfifo -m 640 /p\n",
            expects: [.file("p", "p 0640 0:0")]),
        KanikoCase(
            name: "non-ASCII, newline, 200-char names", files: [.file("ü/ñ", "c"), .file("a\nb", "d")],
            dockerfile: """
                FROM busybox
                COPY . /ctx/
                RUN mkdir /n && cd /n && touch 'grüße' "$(printf 'two\\nlines')" "$(head -c 200 /dev/zero | tr '\\0' x)" \
                    ' lead' "$(printf 'bad\\377')" -- '-dash' 'tab	in'
                """,
            expects: [
                .text("ctx/ü/ñ", "c"), .text("ctx/a\nb", "d"),
                .check { image in
                    let names = Set(image.tree.files.keys.filter { $0.hasPrefix("n/") }.map { String($0.dropFirst(2)) })
                    #expect(
                        names == [
                            "grüße", "two\nlines", String(repeating: "x", count: 200), " lead", "bad\\xff", "-dash",
                            "tab\tin",
                        ])
                },
            ]),
    ]

    static let archives: [KanikoCase] = [
        KanikoFailureTests.unpacking("ADD local tar.gz unpacks", "gzip", ".gz"),
        KanikoFailureTests.unpacking("ADD local tar.bz2 unpacks", "bzip2", ".bz2"),
    ]

    static let metadata: [KanikoCase] = [
        KanikoCase(
            name: "HEALTHCHECK",
            dockerfile:
                "FROM busybox\nHEALTHCHECK --interval=1m30s --timeout=500ms --start-period=2s --retries=3 CMD a b\n",
            expects: [
                .config(
                    "Healthcheck",
                    #"{"Test":["CMD-SHELL","a b"],"Interval":90000000000,"Timeout":500000000,"StartPeriod":2000000000,"Retries":3}"#
                )
            ]),
        KanikoCase(
            name: "SHELL",
            dockerfile: "FROM busybox\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN false; true; echo \"$0\" > /a || true\n",
            expects: [.fails("Dockerfile:3:")]),
        KanikoCase(
            name: "SHELL kept in config",
            dockerfile: "FROM busybox\nSHELL [\"/bin/sh\", \"-xc\"]\nRUN echo $- > /a\n",
            expects: [
                .config("Shell", #"["/bin/sh","-xc"]"#), .check { #expect($0.tree["a"]?.text.contains("x") == true) },
            ]),
        KanikoCase(
            name: "ENTRYPOINT [] keeps a CMD of its own stage",
            dockerfile: "FROM busybox\nCMD [\"own\"]\nENTRYPOINT [\"e\"]\nENTRYPOINT []\n",
            expects: [.config("Entrypoint", "null"), .config("Cmd", #"["own"]"#)]),
        KanikoCase(
            name: "ENTRYPOINT clears inherited CMD",
            dockerfile: "FROM busybox AS a\nCMD [\"old\"]\nFROM a\nENTRYPOINT [\"e\"]\n",
            expects: [.config("Entrypoint", #"["e"]"#), .config("Cmd", "null")]),
        KanikoCase(
            name: "CMD shell form uses SHELL",
            dockerfile: "FROM busybox\nSHELL [\"/bin/ash\", \"-c\"]\nCMD run  me\nENTRYPOINT now\n",
            expects: [
                .config("Cmd", #"["/bin/ash","-c","run  me"]"#), .config("Entrypoint", #"["/bin/ash","-c","now"]"#),
            ]),
        KanikoCase(
            name: "ONBUILD via stage", files: [.file("f", "x")],
            dockerfile: "FROM busybox AS a\nONBUILD COPY f /f\nONBUILD RUN cat /f > /g\nFROM a\nRUN cat /g > /h\n",
            expects: [.text("h", "x"), .config("OnBuild", "null")]),
        KanikoCase(
            name: "ONBUILD recorded", dockerfile: "FROM busybox\nONBUILD RUN  echo $X\nONBUILD copy a b\n",
            expects: [.config("OnBuild", #"["RUN  echo $X","copy a b"]"#)]),
    ]

    static let scopes: [KanikoCase] = [
        KanikoCase(
            name: "ARG before FROM + ${:-} ${:+}",
            dockerfile: """
                ARG NAME=busy
                ARG BOX=${NAME:+${NAME}box}
                FROM ${BOX:-missing}${EMPTY:-}
                ARG BOX
                LABEL a=${BOX} b=${NAME:-none} c=${NAME:+set}
                """, expects: [.config("Labels", #"{"a":"busybox","b":"none","c":""}"#)]),
        KanikoCase(
            name: "FROM --platform=$BUILDPLATFORM",
            dockerfile: "FROM --platform=$BUILDPLATFORM busybox\nRUN echo x > /a\n",
            expects: [.text("a", "x\n")]),
        KanikoCase(
            name: "predefined HTTP_PROXY arg w/o ARG",
            dockerfile: "FROM busybox\nRUN echo $HTTP_PROXY $http_proxy $NO_PROXY $no_proxy > /a\n",
            adjust: { $0.buildArguments = [("HTTP_PROXY", "http://p:1"), ("no_proxy", "x")] },
            expects: [
                .text("a", "http://p:1 http://p:1 x x\n"),
                .check { image in
                    #expect(image.history.allSatisfy { !"\($0)".contains("http://p:1") })
                    #expect(!"\(image.config)".contains("http://p:1"))
                },
            ]),
        KanikoCase(
            name: "ENV in same line uses old value",
            dockerfile: "FROM busybox\nENV a=1\nENV a=2 b=$a\nRUN echo $a $b > /x\n", expects: [.text("x", "2 1\n")]),
        KanikoCase(
            name: "USER numeric w/o passwd, HOME=/",
            dockerfile:
                "FROM busybox\nRUN chmod 777 /srv\nUSER 4242\nRUN echo $HOME > /srv/a; id -u >> /srv/a; id -g >> /srv/a\n",
            needsOwners: true, expects: [.text("srv/a", "/\n4242\n0\n")]),
        KanikoCase(
            name: "WORKDIR relative chain; RUN in it",
            dockerfile: "FROM busybox\nWORKDIR /a\nWORKDIR b/../c\nENV D=deep\nWORKDIR $D/er\nRUN pwd > here\n",
            expects: [
                .text("a/c/deep/er/here", "/a/c/deep/er\n"), .config("WorkingDir", #""/a/c/deep/er""#),
                .file("a/b", nil),
            ]),
        KanikoCase(
            name: "WORKDIR creates dir in image without RUN", dockerfile: "FROM scratch\nWORKDIR /x/y\n",
            expects: [.file("x", "d 0755 0:0"), .file("x/y", "d 0755 0:0")]),
    ]

    static let contexts: [KanikoCase] = [
        KanikoCase(
            name: ".dockerignore negation + **",
            files: [
                .file(".dockerignore", "# note\n**/*.log\n!**/keep.log\ndocs\n!docs/README\n\n/only\nx?y\n"),
                .file("a.log"), .file("d/b.log"), .file("d/keep.log"), .file("docs/README"), .file("docs/other"),
                .file("only"), .file("d/only"), .file("xzy"), .file("xzzy"),
            ], dockerfile: "FROM scratch\nCOPY . /\n",
            expects: [
                .check { image in
                    #expect(
                        Set(image.tree.files.keys) == [
                            ".dockerignore", "d", "d/keep.log", "d/only", "docs", "docs/README", "xzzy",
                        ])
                }
            ]),
        KanikoCase(
            name: "Dockerfile.dockerignore wins",
            files: [
                .file(".dockerignore", "a\n"), .file("build.Dockerfile.dockerignore", "b\n"), .file("a"), .file("b"),
                .file("build.Dockerfile", "FROM scratch\nCOPY . /\n"),
            ], dockerfile: "", adjust: { $0.dockerfile = .path("build.Dockerfile") },
            expects: [.file("a", "f 0644 0:0"), .file("b", nil)]),
        KanikoCase(
            name: "allow-list ignore does not break COPY --from",
            files: [.file(".dockerignore", "*\n!f\n"), .file("f", "x"), .file("g")],
            dockerfile: "FROM busybox AS a\nCOPY . /ctx/\nRUN echo y > /g\nFROM scratch\nCOPY --from=a /g /ctx /\n",
            expects: [
                .text("f", "x"), .text("g", "y\n"), .check { #expect(Set($0.tree.files.keys) == ["f", "g"]) },
            ]),
        KanikoCase(
            name: "comment + blank in continuation",
            dockerfile:
                "FROM busybox\nRUN echo one > /a \\\n  # a comment\n\n  && echo two >> /a \\\n# another\n  && echo '# kept' >> /a\n",
            expects: [.text("a", "one\ntwo\n# kept\n")]),
    ]

    static let stages: [KanikoCase] = [
        KanikoCase(
            name: "RUN exec form",
            dockerfile: "FROM busybox\nENV V=x\nRUN [\"sh\", \"-c\", \"echo \\\"$0 $1\\\" > /a\", \"$V\", \"a  b\"]\n",
            expects: [.text("a", "$V a  b\n")]),
        KanikoCase(
            name: "failing RUN fails the build", dockerfile: "FROM busybox\nRUN echo before && exit 42\n",
            expects: [.fails("42"), .fails("Dockerfile:2:1")]),
        KanikoCase(
            name: "--target", dockerfile: "FROM busybox AS one\nRUN echo 1 > /a\nFROM one AS Two\nRUN exit 1\n",
            adjust: { $0.target = "ONE" }, expects: [.text("a", "1\n")]),
        KanikoCase(
            name: "upper-case stage name",
            dockerfile:
                "FROM busybox AS BUILD\nRUN echo 1 > /a\nFROM scratch\nCOPY --from=BuilD /a /\nFROM build\nCOPY --from=1 /a /b\n",
            expects: [.text("b", "1\n")]),
        KanikoCase(
            name: "FROM scratch + COPY", files: [.file("f", "x")], dockerfile: "FROM scratch\nCOPY f /\n",
            expects: [
                .check { image in
                    #expect(Array(image.tree.files.keys) == ["f"])
                    #expect(image.layerCount == 1)
                },
                .config("Env", #"["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]"#),
                .config("WorkingDir", #""/""#),
            ]),
        KanikoCase(
            name: "FROM scratch without any layer", dockerfile: "FROM scratch\nLABEL a=b\nCMD [\"/x\"]\n",
            expects: [
                .check { image in
                    #expect(image.layerCount == 0)
                    #expect(image.tree.files.isEmpty)
                }, .config("Labels", #"{"a":"b"}"#),
            ]),
        KanikoCase(
            name: "RUN append /etc/hosts not kept",
            dockerfile:
                "FROM busybox\nRUN echo '1.2.3.4 x' >> /etc/hosts && grep -c 1.2.3.4 /etc/hosts > /a; echo nameserver x >> /etc/resolv.conf\nRUN grep -c 1.2.3.4 /etc/hosts > /b; true\n",
            expects: [
                .text("a", "1\n"), .text("b", "0\n"), .file("etc/hosts", nil), .file("etc/resolv.conf", nil),
            ]),
        KanikoCase(
            name: "background process does not hang build",
            dockerfile: "FROM busybox\nRUN sleep 1000 & (setsid sleep 1000 >/dev/null 2>&1 &) ; echo x > /a\n",
            expects: [.text("a", "x\n")]),
    ]

    @Test("stage named like its image") func stageNamedLikeItsImage() async throws {
        let bench = try await Workbench()
        try ImageFixtures.busybox(at: bench.directory.file("hub/library/thebase"))
        var configuration = RegistryConfiguration()
        configuration.maps = [(from: "docker.io", to: ["oci:\(bench.directory.file("hub"))"])]
        let registry = RegistryAccess(configuration: configuration)
        let builder = try Builder(
            stateDirectory: bench.directory.file("state"), registry: registry, report: bench.report)
        let request = try bench.request(
            "FROM thebase AS thebase\nRUN echo 1 > /a\nFROM thebase\nCOPY --from=thebase /a /b\n")
        let image = try await builder.build(request) { _ in }
        #expect(image.layers.map(\.origin).filter { $0 == .built }.count == 2)
        let tree = try ImageTree(
            blobs: image.layers.map {
                bench.directory.file("state/content/blobs/sha256/\($0.descriptor.digest.encoded)")
            }
            .filter(FileManager.default.fileExists), foreign: 1)
        #expect(tree["a"]?.text == "1\n" && tree["b"]?.text == "1\n")
    }
}
