import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

@Suite(.tags(.integration), .thorough) struct BuildTests {
    @Test func buildsAndPushesAThinImage() async throws {
        let bench = try await Workbench()
        try bench.write("f", "hello\n")
        #expect(geteuid() != 0 || bench.modes == BuildMode.allCases, "root has all modes")
        for mode in bench.modes {
            let result = try await bench.build(
                """
                FROM busybox
                COPY f /f
                RUN echo hi > /x
                CMD ["cat", "/f", "/x"]
                """, mode: mode, tag: mode.rawValue)
            #expect(try result.text("f") == "hello\n")
            #expect(try result.text("x") == "hi\n")
            #expect(result.image.config.config.cmd == ["cat", "/f", "/x"])
            #expect(result.image.isolation == mode.isolation)
            #expect(result.image.layers.map(\.origin).filter { $0 == .built }.count == 2)
            #expect(try result.names(inLayer: 1) == ["f"])
            #expect(try result.names(inLayer: 2) == ["x"])
            let seen = try Shell.run(["skopeo", "inspect", "oci:\(bench.directory.file("out")):\(result.tag)"]).stdout
            #expect(seen.contains(result.image.layers[2].descriptor.digest.description))
        }
    }

    @Test func writesConfigurationAndHistory() async throws {
        let bench = try await Workbench()
        try bench.write("f")
        let result = try await bench.build(
            """
            ARG VERSION=1
            FROM busybox
            ARG VERSION
            ARG LATE=x$VERSION
            ENV A=1 B=$LATE
            LABEL a.b="c d" e=f
            WORKDIR srv/app
            COPY f ./
            USER app
            EXPOSE 80 53/udp
            VOLUME /data
            STOPSIGNAL SIGTERM
            HEALTHCHECK --interval=5s CMD true
            SHELL ["/bin/sh", "-ec"]
            ENTRYPOINT run me
            CMD ["a", "b"]
            ONBUILD RUN true
            """
        ) { request in
            request.labels = [("e", "g")]
            request.annotations = ["org.opencontainers.image.revision": "abc"]
            request.buildArguments = [("VERSION", "2")]
        }
        let config = result.image.config.config
        #expect(config.env == ["PATH=/usr/bin:/bin", "BASE=busybox", "A=1", "B=x2"])
        #expect(config.labels == ["a.b": "c d", "e": "g"])
        #expect(config.workingDir == "/srv/app")
        #expect(config.user == "app")
        #expect(config.exposedPorts == ["80/tcp", "53/udp"])
        #expect(config.volumes == ["/data"])
        #expect(config.stopSignal == "SIGTERM")
        #expect(config.healthcheck?.test == ["CMD-SHELL", "true"])
        #expect(config.healthcheck?.interval == 5_000_000_000)
        #expect(config.entrypoint == ["/bin/sh", "-ec", "run me"])
        #expect(config.cmd == ["a", "b"])
        #expect(config.onBuild == ["RUN true"])
        #expect(result.image.config.created == "2020-09-13T12:26:40Z")
        let history = result.image.config.history.dropFirst().map {
            ($0.createdBy ?? "") + ($0.emptyLayer == true ? " -" : "")
        }
        #expect(
            history == [
                "ARG VERSION=2 -", "ARG LATE=x2 -", "ENV A=1 B=x2 -", "LABEL a.b=c d e=f -", "WORKDIR /srv/app",
                "COPY f ./ # buildkit", "USER app -", "EXPOSE [53/udp 80/tcp] -", "VOLUME [/data] -",
                "STOPSIGNAL SIGTERM -",
                "HEALTHCHECK {Test:[CMD-SHELL true] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0} -",
                "SHELL [/bin/sh -ec] -", #"ENTRYPOINT ["/bin/sh" "-ec" "run me"] -"#, #"CMD ["a" "b"] -"#,
            ])
        let annotations = try #require(result.image.manifest.annotations)
        #expect(annotations["org.opencontainers.image.revision"] == "abc")
        #expect(annotations["org.opencontainers.image.base.digest"]?.hasPrefix("sha256:") == true)
        #expect(annotations[Annotation.contentKey]?.hasPrefix("sha256:") == true)
        #expect(try result.exists("srv/app/f"))
    }

    @Test func buildsStagesFromEachOther() async throws {
        let bench = try await Workbench()
        guard bench.hasOwners else { return }
        try bench.write("main.c", "int main;\n")
        for mode in bench.modes {
            let result = try await bench.build(
                """
                FROM busybox AS build
                WORKDIR /src
                COPY main.c .
                RUN mkdir out && cp main.c out/app && chown 1000:1000 out/app && chmod 4755 out/app && ln out/app out/twin

                FROM busybox AS unused
                RUN exit 1

                FROM scratch AS final
                COPY --from=build /src/out/ /bin/
                COPY --from=0 --chown=7:8 --chmod=0600 /src/main.c /etc/main
                ENTRYPOINT ["/bin/app"]
                """, mode: mode, tag: mode.rawValue)
            let tree = try result.tree()
            #expect(tree["bin/app"] == "f 04755 1000:1000")
            #expect(tree["bin/twin"] == "f 04755 1000:1000")
            #expect(tree["etc/main"] == "f 0600 7:8")
            #expect(tree["bin"] == "d 0755 0:0")
            #expect(tree.count == 5)
            let root = try result.unpack()
            #expect(
                try Shell.run(["stat", "-c", "%i", root + "/bin/app"]).stdout
                    == Shell.run(["stat", "-c", "%i", root + "/bin/twin"]).stdout)
            #expect(result.image.config.config.entrypoint == ["/bin/app"])
            #expect(result.image.base == nil)
        }
    }

    @Test func recordsDeletionsAndReplacements() async throws {
        let bench = try await Workbench()
        try bench.write("tree/a/one", "1")
        try bench.write("tree/a/two", "2")
        try bench.write("tree/b/three", "3")
        for mode in bench.modes {
            let result = try await bench.build(
                """
                FROM busybox
                COPY tree /tree
                RUN rm /srv/old.txt && rm -r /tree/a && mkdir /tree/a && echo new > /tree/a/new \
                 && rm -r /tree/b && echo file > /tree/b && touch /tmp/gone && rm /tmp/gone && chmod 700 /home/app
                """, mode: mode, tag: mode.rawValue)
            #expect(
                try Set(result.names(inLayer: 2)) == [
                    "home/", "home/app/", "srv/", "srv/.wh.old.txt", "tree/", "tree/a/", "tree/a/.wh.one",
                    "tree/a/.wh.two", "tree/a/new", "tree/b",
                ])
            #expect(try !result.exists("srv/old.txt"))
            #expect(try result.text("tree/b") == "file\n")
            #expect(try !result.exists("tree/a/one"))
            #expect(try result.tree()["home/app"] == "d 0700 0:0")
        }
    }

    @Test func givesTheSameDigestAgainAndInEveryMode() async throws {
        let bench = try await Workbench()
        guard bench.hasOwners else { return }
        try bench.write("dir/f", "x", mode: 0o640)
        try bench.link("dir/l", to: "f")
        let text = """
            FROM busybox
            COPY dir /opt/dir
            WORKDIR /opt/work
            RUN echo a > a && mkdir -p d/e && ln -s a d/l && chown -R app:app d && rm /srv/old.txt
            USER app
            RUN echo b > /tmp/b
            """
        var digests: Set<Digest> = []
        for mode in bench.modes {
            for state in ["one", "two"] {
                let result = try await bench.build(text, mode: mode, state: state, tag: "\(mode.rawValue)-\(state)")
                digests.insert(result.image.manifestDigest)
                #expect(try result.tree()["tmp/b"] == "f 0644 1000:1000")
                #expect(try result.tree()["opt/dir/f"] == "f 0640 0:0")
                #expect(try result.tree()["opt/dir/l"] == "l 0777 0:0 f")
            }
        }
        #expect(digests.count == 1)
    }

    @Test func namesTheFailedStep() async throws {
        let bench = try await Workbench()
        for mode in bench.modes {
            let error = await #expect(throws: BuildError.self) {
                try await bench.build("FROM busybox\n\nRUN echo before; echo to-stderr >&2; exit 7\n", mode: mode)
            }
            #expect(error?.code == .step)
            #expect(error?.place == "Dockerfile:3:1")
            #expect(error?.summary.contains("exit code 7") == true)
            #expect(error?.isTransient == false)
            #expect(error?.cause?.contains("to-stderr") == true)
        }
        #expect(!FileManager.default.fileExists(atPath: bench.directory.file("out")))
        let builds = try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/builds"))
        #expect(builds.isEmpty)
    }

    @Test func runsStepsAsTheirUserWithItsEnvironment() async throws {
        let bench = try await Workbench()
        guard bench.hasOwners else { return }
        for mode in bench.modes {
            let result = try await bench.build(
                """
                FROM busybox
                ARG SECRETLESS=yes
                ENV NAME=value
                RUN env > /env && id > /id && pwd > /pwd && umask > /umask
                USER app
                WORKDIR /home/app/deep
                RUN id > id && env > env && pwd > pwd
                USER 4242
                RUN ["/bin/sh", "-c", "id > /tmp/id"]
                """, mode: mode, tag: mode.rawValue
            ) { $0.buildArguments = [("HTTP_PROXY", "http://p:1")] }
            let environment = try Set(result.text("env").split(separator: "\n").map(String.init))
            #expect(
                environment.isSuperset(of: [
                    "SECRETLESS=yes", "NAME=value", "HOME=/root", "PATH=/usr/bin:/bin", "HTTP_PROXY=http://p:1",
                    "http_proxy=http://p:1", "BASE=busybox",
                ]))
            #expect(try result.text("umask") == "0022\n")
            #expect(try result.text("pwd") == "/\n")
            #expect(try result.text("home/app/deep/id") == "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)\n")
            #expect(try result.text("home/app/deep/env").contains("HOME=/home/app\n"))
            #expect(try result.tree()["home/app/deep"] == "d 0755 1000:1000")
            #expect(try result.text("tmp/id").hasPrefix("uid=4242 gid=0(root)"))
            #expect(
                result.image.config.history.contains {
                    $0.createdBy?.hasPrefix("RUN |1 SECRETLESS=yes /bin/sh -c env") == true
                })
            #expect(!result.image.config.config.env.contains { $0.hasPrefix("SECRETLESS") || $0.hasPrefix("HTTP") })
        }
    }

    @Test func runsTriggersOfTheBase() async throws {
        let bench = try await Workbench(onBuild: ["COPY f /triggered/", "RUN echo trigger > /t"])
        try bench.write("f", "x")
        let result = try await bench.build("FROM busybox\nLABEL a=b\n")
        #expect(try result.text("triggered/f") == "x")
        #expect(try result.text("t") == "trigger\n")
        #expect(result.image.config.config.onBuild.isEmpty)
    }

    @Test func leavesTheBaseAloneWhenOnlyMetadataChanges() async throws {
        let bench = try await Workbench()
        let result = try await bench.build("FROM busybox\nLABEL a=b\n")
        let layers = bench.directory.file("state/layers")
        #expect(try FileManager.default.contentsOfDirectory(atPath: layers).isEmpty)
        #expect(result.image.isolation == nil)
        #expect(try result.exists("bin/busybox"))
    }

    @Test func runsHeredocs() async throws {
        let bench = try await Workbench()
        let result = try await bench.build(
            """
            FROM busybox
            ENV WHO=world
            RUN <<EOF
            echo "hello $WHO" > /a
            echo two >> /a
            EOF
            COPY <<one <<"two" /d/
            hello $WHO
            one
            hello $WHO
            two
            RUN cat <<X > /b
            $WHO
            X
            """)
        #expect(try result.text("a") == "hello world\ntwo\n")
        #expect(try result.text("d/one") == "hello world\n")
        #expect(try result.text("d/two") == "hello $WHO\n")
        #expect(try result.text("b") == "world\n")
    }

    @Test func takesTheTimeFromSourceDateEpoch() async throws {
        let bench = try await Workbench()
        let result = try await bench.build("FROM busybox\nLABEL a=b\n") {
            $0.buildArguments = [("SOURCE_DATE_EPOCH", "1500000000")]
        }
        #expect(result.image.config.created == "2017-07-14T02:40:00Z")
        #expect(result.image.config.history.last?.created == "2017-07-14T02:40:00Z")
        await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\n") { $0.buildArguments = [("SOURCE_DATE_EPOCH", "today")] }
        }
        let dated = "ARG SOURCE_DATE_EPOCH=1400000000\nFROM busybox\nLABEL a=b\n"
        #expect(try await bench.build(dated, tag: "arg").image.config.created == "2014-05-13T16:53:20Z")
        let other = try await bench.build(dated, tag: "both") {
            $0.buildArguments = [("SOURCE_DATE_EPOCH", "1500000000")]
        }
        #expect(other.image.config.created == "2017-07-14T02:40:00Z")
        let unset = try await bench.build(dated, tag: "unset") { $0.buildArguments = [("SOURCE_DATE_EPOCH", "")] }
        #expect(unset.image.config.created == "2020-09-13T12:26:40Z")
    }

    @Test func obeysBuildKitsArguments() async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(.namespaces) else { return print("skipped: no namespaces on this machine") }
        let text =
            "FROM busybox\nRUN --mount=type=cache,id=x,target=/c hostname > /name; ls /c > /seen; touch /c/mark\n"
        let first = try await bench.build(text, tag: "one") {
            $0.buildArguments = [("BUILDKIT_SANDBOX_HOSTNAME", "own"), ("BUILDKIT_CACHE_MOUNT_NS", "a")]
        }
        let second = try await bench.build(text, tag: "two") { $0.buildArguments = [("BUILDKIT_CACHE_MOUNT_NS", "b")] }
        let third = try await bench.build(text, tag: "three") {
            $0.buildArguments = [("BUILDKIT_CACHE_MOUNT_NS", "a"), ("BUILDKIT_INLINE_CACHE", "1")]
            $0.noCache = true
        }
        #expect(
            try [first, second, third].map { try $0.text("name") } == [
                "own\n", "buildkitsandbox\n", "buildkitsandbox\n",
            ])
        #expect(try [first, second, third].map { try $0.text("seen") } == ["", "", "mark\n"])
        #expect(
            third.log.all.contains {
                if case .note(let text) = $0 { text.contains("BUILDKIT_INLINE_CACHE") } else { false }
            })
        #expect(!third.image.config.history.contains { $0.createdBy?.contains("BUILDKIT") == true })
    }

    @Test func givesABaseWithoutHistoryOne() async throws {
        let bench = try await Workbench()
        try bench.write("f", "x")
        let tar = bench.directory.file("plain.tar")
        try Shell.run(["tar", "-C", bench.directory.file("context"), "-cf", tar, "f"])
        let name = try ImageFixtures.image(
            at: bench.directory.file("plain"), tag: "latest", layerTars: [tar], hasHistory: false)
        let result = try await bench.build("FROM plain\nCOPY f /g\n") {
            $0.namedContexts["plain"] = .image(try ImageLocation(name))
        }
        let history = result.image.config.history
        #expect(history.count { $0.emptyLayer != true } == result.image.layers.count)
        #expect(history.count == 2)
        #expect(result.image.config.config.env == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
        #expect(Set(try result.tree().keys) == ["f", "g"])
    }
}
