import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// Rows about archives, configurations, scopes and the root file system.
extension KanikoFailureTests {
    /// Makes `a.tar` of a small tree in the context's `packed`, compressed by a program.
    private static func packed(_ program: String?, _ suffix: String) -> @Sendable (String) throws -> Void {
        { context in
            try Data(
                TarItem.archive([
                    .directory("d", mode: 0o750), TarItem.file("d/f", "packed").owned(5, 6), .symlink("l", "d/f"),
                ])
            ).write(to: URL(fileURLWithPath: context + "/a.tar"))
            if let program { try Shell.run([program, "-q", context + "/a.tar"]) }
            if program == "zstd" { try FileManager.default.removeItem(atPath: context + "/a.tar") }
        }
    }

    static func unpacking(_ name: String, _ program: String?, _ suffix: String) -> KanikoCase {
        KanikoCase(
            name: name, dockerfile: "FROM busybox\nADD a.tar\(suffix) /to\n", prepare: packed(program, suffix),
            expects: [
                .file("to/d", "d 0750 0:0"), .file("to/d/f", "f 0644 5:6"), .text("to/d/f", "packed"),
                .file("to/l", "l 0777 0:0 d/f"), .file("to/a.tar\(suffix)", nil),
            ])
    }

    static let archives: [KanikoCase] = [
        unpacking("ADD local tar.xz unpacks", "xz", ".xz"),
        unpacking("ADD local tar.zst unpacks", "zstd", ".zst"),
        KanikoCase(
            name: "ADD --unpack=false / keep tar",
            dockerfile: "FROM busybox\nADD --unpack=false a.tar.gz /to/\nADD --unpack=true a.tar.gz /un/\n",
            prepare: packed("gzip", ".gz"),
            expects: [.file("to/a.tar.gz", "f 0644 0:0"), .file("to/d", nil), .text("un/d/f", "packed")]),
    ]

    static let metadata: [KanikoCase] = [
        KanikoCase(
            name: "STOPSIGNAL / EXPOSE range / LABEL / ENV",
            dockerfile: """
                FROM busybox
                STOPSIGNAL SIGQUIT
                EXPOSE 8000-8002 53/UDP
                LABEL a="x y" b.c='d' multi="one\\
                two"
                ENV A=1 B="b c" C=c\\ d
                """,
            expects: [
                .config("StopSignal", #""SIGQUIT""#),
                .config("ExposedPorts", #"{"8000/tcp":{},"8001/tcp":{},"8002/tcp":{},"53/udp":{}}"#),
                .config("Labels", #"{"a":"x y","b.c":"d","multi":"onetwo"}"#),
                .config("Env", #"["PATH=/usr/bin:/bin","BASE=busybox","A=1","B=b c","C=c d"]"#),
            ]),
        KanikoCase(
            name: "history has every instruction", files: [.file("f")],
            dockerfile: """
                FROM busybox
                ARG V=1
                ENV A=$V
                COPY f /f
                RUN true
                WORKDIR /w
                LABEL l=m
                CMD ["x"]
                """,
            expects: [
                .check { image in
                    let entries = image.history.dropFirst()
                    #expect(
                        entries.map { $0["created_by"] as? String } == [
                            "ARG V=1", "ENV A=1", "COPY f /f # buildkit", "RUN |1 V=1 /bin/sh -c true # buildkit",
                            "WORKDIR /w", "LABEL l=m", #"CMD ["x"]"#,
                        ])
                    #expect(
                        entries.map { $0["empty_layer"] as? Bool ?? false } == [
                            true, true, false, false, false, true, true,
                        ])
                    #expect(entries.allSatisfy { ($0["created"] as? String)?.hasPrefix("2020-09-13T12:26:40") == true })
                    #expect(entries.allSatisfy { $0["comment"] as? String == "buildkit.dockerfile.v0" })
                    #expect(image.layerCount == 4)
                }
            ]),
        KanikoCase(
            name: "VOLUME then RUN write is kept (BuildKit)",
            dockerfile: "FROM busybox\nVOLUME /v /srv\nRUN mkdir -p /v && echo x > /v/f && echo y > /srv/g\n",
            expects: [.text("v/f", "x\n"), .text("srv/g", "y\n"), .config("Volumes", #"{"/v":{},"/srv":{}}"#)]),
        KanikoCase(
            name: "MAINTAINER", dockerfile: "FROM busybox\nMAINTAINER A B <a@b>\n",
            expects: [.check { #expect($0.configuration["author"] as? String == "A B <a@b>") }]),
    ]

    static let scopes: [KanikoCase] = [
        KanikoCase(
            name: "${v#pat} ${v%pat} ${v/a/b}",
            dockerfile: """
                FROM busybox
                ENV v=a/b/c.tar.gz
                LABEL one=${v#*/} two=${v##*/} three=${v%.*} four=${v%%.*} five=${v/b/x} six=${v//[/]/x} seven=${v//a/z}
                """,
            expects: [
                .config(
                    "Labels",
                    #"{"one":"b/c.tar.gz","two":"c.tar.gz","three":"a/b/c.tar","four":"a/b/c","five":"a/x/c.tar.gz","#
                        + #""six":"a/b/c.tar.gz","seven":"z/b/c.tzr.gz"}"#)
            ]),
        KanikoCase(
            name: "TARGETARCH etc. automatic ARGs",
            dockerfile: """
                FROM busybox
                ARG TARGETPLATFORM
                ARG TARGETOS TARGETARCH BUILDPLATFORM
                LABEL p=$TARGETPLATFORM o=$TARGETOS same=${BUILDPLATFORM} none=$TARGETVARIANT$BUILDARCH
                RUN echo $TARGETARCH > /a
                """,
            expects: [
                .check { image in
                    let host = Platform.host
                    let labels = image.config["Labels"] as? [String: String]
                    #expect(labels == ["p": "\(host)", "o": host.os, "same": "\(host)", "none": ""])
                    #expect(image.tree["a"]?.text == host.architecture + "\n")
                }
            ]),
        KanikoCase(
            name: "ARG does not leak to sibling stage",
            dockerfile: """
                ARG G=global
                FROM busybox AS a
                ARG X=one
                ARG G
                RUN echo "$X $G" > /a
                FROM busybox
                COPY --from=a /a /a
                RUN echo "[$X][$G]" > /b
                FROM a
                COPY --from=1 /b /b
                RUN echo "$X" > /c
                """, expects: [.text("a", "one global\n"), .text("b", "[][]\n"), .text("c", "one\n")]),
        KanikoCase(
            name: "ARG after inherited ENV wins",
            dockerfile: """
                FROM busybox AS a
                ENV X=env
                FROM a
                ARG X=arg
                RUN echo $X > /a
                LABEL x=$X
                """,
            expects: [
                .text("a", "arg\n"), .config("Labels", #"{"x":"arg"}"#),
                .config("Env", #"["PATH=/usr/bin:/bin","BASE=busybox","X=env"]"#),
            ]),
        KanikoCase(
            name: "USER user:group honoured by RUN",
            dockerfile: """
                FROM busybox
                RUN chmod 777 /srv
                USER app:extra
                RUN id -u > /srv/a; id -g >> /srv/a; id -G >> /srv/a
                USER app
                RUN id -G > /srv/b; echo $HOME >> /srv/b
                USER 7:8
                RUN id -u > /srv/c; id -G >> /srv/c; echo $HOME >> /srv/c
                """, needsOwners: true,
            expects: [
                .text("srv/a", "1000\n2000\n2000\n"), .text("srv/b", "1000 2000\n/home/app\n"),
                .text("srv/c", "7\n8\n/\n"), .file("srv/a", "f 0644 1000:2000"), .file("srv/c", "f 0644 7:8"),
            ]),
        KanikoCase(
            name: "# escape=` and # syntax=",
            dockerfile:
                "# syntax=docker/dockerfile:1\n# escape=`\nFROM busybox\nLABEL a=x`\ny b=C:\\\nRUN echo one `\n  two > /a\n",
            expects: [.config("Labels", #"{"a":"xy","b":"C:\\"}"#), .text("a", "one two\n")]),
        KanikoCase(
            name: "unused broken stage skipped (default flags)",
            dockerfile: """
                FROM no.such.registry.invalid/image AS unpulled
                RUN false
                FROM busybox AS broken
                RUN exit 7
                FROM busybox
                RUN echo ok > /a
                """, expects: [.text("a", "ok\n")]),
    ]

    static let roots: [KanikoCase] = [
        KanikoCase(
            name: "RUN write to /var/run kept",
            dockerfile: "FROM busybox\nRUN mkdir -p /var/run && echo x > /var/run/f\n",
            expects: [.text("var/run/f", "x\n")]),
        KanikoCase(
            name: "RUN write to /workspace kept",
            dockerfile: "FROM busybox\nRUN mkdir /workspace && echo x > /workspace/f\n",
            expects: [.text("workspace/f", "x\n")]),
        KanikoCase(
            name: "RUN write to /kaniko kept", dockerfile: "FROM busybox\nRUN mkdir /kaniko && echo x > /kaniko/f\n",
            expects: [.text("kaniko/f", "x\n")]),
        KanikoCase(
            name: "COPY over /etc/hosts and /etc/resolv.conf", files: [.file("h", "1.2.3.4 mine\n")],
            dockerfile: "FROM busybox\nCOPY h /etc/hosts\nCOPY h /etc/resolv.conf\nRUN true\nRUN echo x > /f\n",
            expects: [
                .text("etc/hosts", "1.2.3.4 mine\n"), .text("etc/resolv.conf", "1.2.3.4 mine\n"), .text("f", "x\n"),
            ]),
        KanikoCase(
            name: "RUN cannot see executor files (/kaniko)",
            dockerfile: """
                FROM busybox
                RUN ls -A / > /ls; env | sort | cut -d= -f1 > /env; ls /proc/1/root >/dev/null 2>&1; cat /etc/shadow > /shadow 2>&1; true
                """,
            expects: [
                .check { image in
                    let names = Set(image.tree["ls"]?.text.split(separator: "\n").map(String.init) ?? [])
                    let expected: Set = [
                        "bin", "etc", "tmp", "root", "srv", "usr", "home", "data", "ls", "proc", "sys", "dev",
                    ]
                    #expect(names.subtracting(expected) == [], "a step sees the builder's files")
                    let variables = Set(image.tree["env"]?.text.split(separator: "\n").map(String.init) ?? [])
                    #expect(
                        variables.subtracting([
                            "BASE", "HOME", "OLDPWD", "PATH", "PWD", "SHLVL", "HOSTNAME", "SOURCE_DATE_EPOCH",
                        ])
                            == [])
                    #expect(image.tree["shadow"]?.text.contains("No such file") == true)
                }
            ]),
    ]
}
