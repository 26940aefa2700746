import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

@Suite(.tags(.integration), .thorough) struct CopyTests {
    @Test func followsTheRulesOfTheDestination() async throws {
        let bench = try await Workbench()
        try bench.write("a.txt", "a")
        try bench.write("b.txt", "b")
        try bench.write("dir/sub/c.txt", "c", mode: 0o600)
        try bench.write("dir/d.txt", "d")
        try bench.link("ln", to: "a.txt")
        try bench.link("dirln", to: "dir")
        let result = try await bench.build(
            """
            FROM busybox
            COPY a.txt /one
            COPY a.txt /two/
            COPY *.txt /three/
            COPY dir /four
            COPY ln dirln /five/
            COPY a.txt /data/through
            COPY a.txt /tmp
            COPY d?r/s*/c.txt /six
            COPY nothing*here /seven/
            COPY /../a.txt /eight
            """)
        let tree = try result.tree()
        #expect(tree["one"] == "f 0644 0:0")
        #expect(tree["two/a.txt"] == "f 0644 0:0")
        #expect(tree["three/a.txt"] != nil && tree["three/b.txt"] != nil)
        #expect(tree["four/sub/c.txt"] == "f 0600 0:0")
        #expect(tree["four/dir"] == nil)
        #expect(try result.text("five/ln") == "a")
        #expect(tree["five/ln"] == "f 0644 0:0")
        #expect(tree["five/sub/c.txt"] != nil)
        #expect(tree["srv/through"] == "f 0644 0:0")
        #expect(tree["data"] == "l 0777 0:0 /srv")
        #expect(tree["tmp/a.txt"] != nil)
        #expect(tree["tmp"] == "d 01777 0:0")
        #expect(tree["six"] == "f 0600 0:0")
        #expect(tree["seven"] == nil)
        #expect(try result.text("eight") == "a")
    }

    /// A link that an earlier source of the same instruction made is no way to anywhere; one that was there before is.
    @Test(arguments: BuildMode.allCases)
    func laterSourcesReplaceTheLinksOfEarlierOnes(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        try bench.write("tree/x")
        for (name, target) in [("a", "/srv/a"), ("b", "x"), ("c", "nowhere"), ("e", "/srv/old.txt")] {
            try bench.link("tree/\(name)", to: target)
            try bench.write(name, "the file \(name)")
        }
        try ArchiveTests.tar(
            "[{'name': 'a', 'type': 'l', 'link': '/srv/from-tar'}]", to: bench.directory.file("context/links.tar"))
        let result = try await bench.build(
            """
            FROM busybox
            RUN mkdir /i /f && ln -s /srv/through /i/g && ln -s /f/a /f/before
            COPY tree/ a b c e /d/
            ADD links.tar a /t/
            COPY <<a tree/ <<g /i/
            inline a
            a
            inline g
            g
            COPY --link tree/ a /linked/
            COPY tree/ a <<before /f/
            through two
            before
            """, mode: mode)
        for name in ["a", "b", "c", "e"] { #expect(try result.text("d/\(name)") == "the file \(name)") }
        #expect(try result.text("i/a") == "inline a\n" && result.text("d/x") == "")
        #expect(try result.text("t/a") == "the file a" && result.text("linked/a") == "the file a")
        #expect(try result.text("srv/through") == "inline g\n")
        // Through the old link, and not through the new one that it leads to.
        #expect(try result.text("f/a") == "through two\n")
        #expect(try !result.exists("srv/a") && !result.exists("srv/from-tar") && !result.exists("d/nowhere"))
    }

    /// As BuildKit: by the rules of `--chown`, under which a number is both.
    @Test(arguments: BuildMode.allCases) func theWorkingDirectoryBelongsToTheUser(mode: BuildMode) async throws {
        let bench = try await Workbench()
        guard bench.modes.contains(mode) else { return print("skipped: no \(mode.rawValue) on this machine") }
        let steps = [
            ("5", "5:5"), ("5:7", "5:7"), ("1000", "1000:1000"), ("app", "1000:1000"), ("app:extra", "1000:2000"),
            ("4000000000", "4000000000:4000000000"), ("0:5", "0:5"), ("nobody-knows", "0:0"),
        ]
        let lines = steps.enumerated().map { "USER \($1.0)\nWORKDIR /w\($0)/deep" }.joined(separator: "\n")
        let tree = try await bench.build("FROM busybox\n\(lines)\nUSER 5\nWORKDIR /tmp\n", mode: mode).tree()
        for (index, step) in steps.enumerated() {
            #expect(tree["w\(index)"] == "d 0755 \(step.1)", "USER \(step.0)")
            #expect(tree["w\(index)/deep"] == "d 0755 \(step.1)", "USER \(step.0)")
        }
        #expect(tree["tmp"] == "d 01777 0:0")
    }

    @Test func refusesWhatCannotBe() async throws {
        let bench = try await Workbench()
        try bench.write("f", "f")
        try bench.write("tree/srv", "a file where the base has a folder")
        try bench.write("tree2/data/x", "a folder where the base has a link")
        try bench.link("dangling", to: "/nowhere")
        for (line, code) in [
            ("COPY missing /x", BuildError.Code.missingSource), ("COPY dangling /x", .missingSource),
            ("COPY tree /", .destination), ("COPY tree2 /", .destination), ("COPY f /etc/passwd/x", .destination),
            ("COPY --chmod=9 f /x", .dockerfile), ("ADD http://example.com/x /x", .unsupported),
            ("COPY --from=nothere:latest f /x", .baseImage),
        ] {
            let error = await #expect(throws: BuildError.self, "\(line)") {
                try await bench.build("FROM busybox\n\(line)\n") {
                    $0.namedContexts["nothere:latest"] = .image(
                        try ImageLocation("oci:\(bench.directory.file("absent")):latest"))
                }
            }
            #expect(error?.code == code, "\(line): \(String(describing: error))")
            #expect(error?.place?.hasPrefix("Dockerfile:2") == true, "\(line): \(String(describing: error))")
        }
    }

    @Test func appliesTheIgnoreFile() async throws {
        let bench = try await Workbench()
        try bench.write(".dockerignore", "*.log\n!keep.log\nsecret\n")
        for name in ["a.log", "keep.log", "secret/x", "app"] { try bench.write(name, name) }
        let result = try await bench.build("FROM scratch\nCOPY . /\n")
        #expect(try Set(result.tree().keys) == [".dockerignore", "keep.log", "app"])
    }

    @Test func unpacksArchivesWithADD() async throws {
        let bench = try await Workbench()
        let source = bench.directory.file("archive")
        try FileManager.default.createDirectory(atPath: source + "/d", withIntermediateDirectories: true)
        try Data("x".utf8).write(to: URL(fileURLWithPath: source + "/d/x"))
        try FileManager.default.createSymbolicLink(atPath: source + "/l", withDestinationPath: "d/x")
        let context = bench.directory.file("context")
        try Shell.run(["tar", "-C", source, "--owner=5", "--group=6", "-czf", context + "/a.tgz", "d", "l"])
        try bench.write("plain.tgz", "not an archive")
        let result = try await bench.build(
            """
            FROM busybox
            ADD a.tgz /to
            ADD a.tgz /data/
            ADD plain.tgz /plain/
            COPY a.tgz /copied/
            ADD --unpack=false a.tgz /kept/
            ADD --chown=9:9 a.tgz /owned
            """)
        let tree = try result.tree()
        #expect(tree["to/d/x"] == "f 0644 5:6")
        if bench.hasOwners { #expect(tree["to/l"] == "l 0777 5:6 d/x") }
        #expect(tree["srv/d/x"] != nil)
        #expect(tree["plain/plain.tgz"] == "f 0644 0:0")
        #expect(tree["copied/a.tgz"] != nil && tree["kept/a.tgz"] != nil)
        #expect(tree["owned/d/x"] == "f 0644 9:9")
    }

    @Test func copiesFromImagesAndNamedContexts() async throws {
        let bench = try await Workbench()
        let other = bench.directory.file("other")
        try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
        try Data("o".utf8).write(to: URL(fileURLWithPath: other + "/o"))
        let result = try await bench.build(
            """
            FROM scratch
            COPY --from=busybox /etc/passwd /p
            COPY --from=other o /o
            """
        ) { $0.namedContexts["other"] = .directory(path: other) }
        #expect(try result.tree() == ["p": "f 0644 0:0", "o": "f 0644 0:0"])
    }

    @Test func keysFollowTheContent() async throws {
        let bench = try await Workbench()
        try bench.write("used", "1")
        try bench.write("unused", "1")
        let builder = try bench.builder()
        let text = "FROM busybox\nARG X\nCOPY used /\n"
        let first = try await builder.contentKey(bench.request(text))
        try bench.write("unused", "2")
        #expect(try await builder.contentKey(bench.request(text)) == first)
        var later = try bench.request(text)
        later.createdAt += 1
        later.annotations["a"] = "b"
        #expect(try await builder.contentKey(later) == first)
        var argued = try bench.request(text)
        argued.buildArguments = [("X", "1")]
        #expect(try await builder.contentKey(argued) != first)
        #expect(try await builder.contentKey(bench.request(text + "LABEL a=b\n")) != first)
        let excluding = "FROM busybox\nCOPY --exclude=unused . /\n"
        let before = try await builder.contentKey(bench.request(excluding))
        try bench.write("unused", "3")
        #expect(try await builder.contentKey(bench.request(excluding)) == before)
        try bench.write("used", "1", mode: 0o755)
        #expect(try await builder.contentKey(bench.request(text)) != first)
        try bench.write("used", "2")
        #expect(try await builder.contentKey(bench.request(text)) != first)
    }

    @Test func changesModesOwnersAndLeavesOut() async throws {
        let bench = try await Workbench()
        try bench.write("t/run.sh", "x", mode: 0o640)
        try bench.write("t/doc/a.md", "x")
        try bench.write("t/doc/b.txt", "x")
        try bench.link("t/l", to: "run.sh")
        let result = try await bench.build(
            """
            FROM busybox
            COPY --chmod=u=rwX,go=rX t /sym
            COPY --chmod=0700 --chown=app:extra t /new/oct
            COPY --exclude=**/*.md --exclude=l t /ex
            COPY --link t/run.sh /data/linked
            """)
        let tree = try result.tree()
        #expect(tree["sym/run.sh"] == "f 0644 0:0")
        #expect(tree["sym/doc"] == "d 0755 0:0")
        #expect(tree["new"] == "d 0700 1000:2000")
        #expect(tree["new/oct/run.sh"] == "f 0700 1000:2000")
        // Without root a link cannot carry its owner.
        if bench.hasOwners { #expect(tree["new/oct/l"] == "l 0777 1000:2000 run.sh") }
        #expect(tree["ex/doc/b.txt"] != nil && tree["ex/doc/a.md"] == nil && tree["ex/l"] == nil)
        // On an empty root there is no link /data to follow.
        #expect(tree["data/linked"] == "f 0640 0:0")
        #expect(tree["srv/linked"] == nil)
    }

    @Test func keepsFoldersThatNobodyMayWrite() async throws {
        let bench = try await Workbench()
        let none = bench.hasOwners ? "0" : "0500"
        try bench.write("f", "x")
        for mode in bench.modes {
            let result = try await bench.build(
                """
                FROM busybox AS one
                RUN mkdir -p /ro/deep && echo a > /ro/deep/a && chmod 0555 /ro/deep /ro && mkdir -m \(none) /none
                COPY f /ro/deep/f
                RUN rm /ro/deep/a && touch /ro/g
                FROM scratch
                COPY --from=one /ro /copy
                COPY --from=one /none /tmp/none
                """, mode: mode, tag: mode.rawValue)
            let tree = try result.tree()
            #expect(tree["copy/deep"] == "d 0555 0:0")
            #expect(Set(tree.keys) == ["copy", "copy/deep", "copy/deep/f", "copy/g", "tmp", "tmp/none"])
        }
    }

    @Test func stacksMoreLayersThanAPageOfOptionsHolds() async throws {
        let bench = try await Workbench()
        try bench.write("f", "x")
        let copies = (0..<90).map { "COPY f /many/\($0)" }.joined(separator: "\n")
        for mode in bench.modes {
            let result = try await bench.build(
                "FROM busybox\n\(copies)\nRUN ls /many | wc -l > /count\n", mode: mode, tag: mode.rawValue)
            #expect(try result.text("count") == "90\n")
        }
    }
}
