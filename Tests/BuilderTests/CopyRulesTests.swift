import Builder
import Foundation
import OCI
import TestSupport
import Testing

/// The finer rules of COPY: `--parents`, `--exclude`, wildcards, what becomes of links and attributes.
@Suite(.tags(.integration), .thorough) struct CopyRulesTests {
    private func parents(_ lines: String, write: (Workbench) throws -> Void = { _ in }) async throws -> [String: String]
    {
        let bench = try await Workbench()
        for path in [
            "test/a/b/c/d/foo", "test/a/b/c/d/e/bay", "test/a/b2/c/d/e/bar", "test/a/b/c2/d/e/baz",
            "test/a/b/c2/d/e2/baz", "x/1.txt", "x/2.md", "y/1.txt",
        ] { try bench.write(path, path) }
        try write(bench)
        let result = try await bench.build("FROM scratch\n\(lines)\n")
        return try result.layer(-1).short
    }

    @Test func parentsAreMadeAgain() async throws {
        #expect(
            try await parents("COPY --parents test/a/b/c/d /out/").keys.sorted() == [
                "out", "out/test", "out/test/a", "out/test/a/b", "out/test/a/b/c", "out/test/a/b/c/d",
                "out/test/a/b/c/d/e", "out/test/a/b/c/d/e/bay", "out/test/a/b/c/d/foo",
            ])
        #expect(
            try await parents("COPY --parents x/1.txt y/1.txt /").keys.sorted() == ["x", "x/1.txt", "y", "y/1.txt"])
        #expect(try await parents("COPY --parents ./x/*.txt /o").keys.sorted() == ["o", "o/x", "o/x/1.txt"])
        #expect(
            try await parents("COPY --parents --exclude=*/1.txt x y /o").keys.sorted() == [
                "o", "o/x", "o/x/2.md", "o/y",
            ])
        #expect(
            try await parents("COPY --parents --exclude=x/2.md --exclude=test . /").keys.sorted() == [
                "x", "x/1.txt", "y", "y/1.txt",
            ])
    }

    @Test func thePivotSaysWhereParentsBegin() async throws {
        let out = ["out", "out/c", "out/c/d", "out/c/d/e", "out/c/d/e/bay", "out/c/d/foo"]
        #expect(try await parents("COPY --parents test/a/b/./c/d /out/").keys.sorted() == out)
        #expect(
            try await parents("COPY --parents /test/a/./b/./c /out/").keys.sorted()
                == [
                    "out", "out/b", "out/b/c", "out/b/c/d", "out/b/c/d/e", "out/b/c/d/e/bay", "out/b/c/d/foo",
                ])
        #expect(
            try await parents("COPY --parents /test/a/./*/c /out/").keys.sorted()
                == [
                    "out", "out/b", "out/b/c", "out/b/c/d", "out/b/c/d/e", "out/b/c/d/e/bay", "out/b/c/d/foo", "out/b2",
                    "out/b2/c", "out/b2/c/d", "out/b2/c/d/e", "out/b2/c/d/e/bar",
                ])
        #expect(
            try await parents("COPY --parents /test/a/b*/./c/**/e /out/").keys.sorted()
                == ["out", "out/c", "out/c/d", "out/c/d/e", "out/c/d/e/bar", "out/c/d/e/bay"])
        #expect(
            try await parents("COPY --parents /test/a/b/c*/./d/**/baz /test/a/b*/./c/**/bar /out/").keys.sorted()
                == [
                    "out", "out/c", "out/c/d", "out/c/d/e", "out/c/d/e/bar", "out/d", "out/d/e", "out/d/e/baz",
                    "out/d/e2", "out/d/e2/baz",
                ])
        // The destination is there even when a pattern finds nothing.
        #expect(try await parents("COPY --parents /test/a/b/./q* /out/").keys.sorted() == ["out"])
    }

    @Test func parentsHaveTheMetadataOfTheSource() async throws {
        let listing = try await parents("COPY --parents --chown=3:4 test/a/b/c/d/foo /out/") { bench in
            try Shell.run(["chmod", "0700", bench.directory.file("context/test")])
            try Shell.run(["chmod", "0750", bench.directory.file("context/test/a")])
        }
        #expect(listing["out"] == "d 0755 3:4")
        #expect(listing["out/test"] == "d 0700 3:4")
        #expect(listing["out/test/a"] == "d 0750 3:4")
        #expect(listing["out/test/a/b/c/d/foo"] == "f 0644 3:4")
    }

    @Test(arguments: [
        "test/nothing", "test/a/b/./nothing", "no*/../nothing", "test/link/d/foo",
        // Excluded, as BuildKit: the paths are said to be there.
        "--exclude=x x", "--exclude=* test", "--exclude=x/** x/1.txt",
    ])
    func parentsNeedTheirSource(source: String) async throws {
        let error = await #expect(throws: BuildError.self) {
            _ = try await parents("COPY --parents \(source) /out/") { bench in
                try bench.link("test/link", to: "a/b/c")
            }
        }
        #expect(error?.code == .missingSource)
        #expect(error?.place?.hasPrefix("Dockerfile:2") == true)
    }

    @Test func exclusionsCanBeTakenBack() async throws {
        let listing = try await parents(
            """
            COPY --exclude=test/a/* --exclude=!test/a/b2 --exclude=**/*.md --exclude=y . /out/
            """)
        #expect(
            listing.keys.sorted() == [
                "out", "out/test", "out/test/a", "out/test/a/b2", "out/test/a/b2/c", "out/test/a/b2/c/d",
                "out/test/a/b2/c/d/e", "out/test/a/b2/c/d/e/bar", "out/x", "out/x/1.txt",
            ])
        // A folder that is left out is made for what is taken back below it.
        #expect(
            try await parents("COPY --exclude=test --exclude=!test/a/b2/c --exclude=x . /").keys.sorted() == [
                "test", "test/a", "test/a/b2", "test/a/b2/c", "test/a/b2/c/d", "test/a/b2/c/d/e",
                "test/a/b2/c/d/e/bar", "y", "y/1.txt",
            ])
        // What a wildcard finds is left out by its name; a folder that it finds is a root of its own.
        #expect(try await parents("COPY --exclude=*.md x/* /o/").keys.sorted() == ["o", "o/1.txt"])
        #expect(try await parents("COPY --exclude=* x* /o").keys.sorted() == ["o"])
    }

    @Test func wildcardsDoNotLookThroughLinks() async throws {
        let listing = try await parents("COPY l*k/1.txt x?/1.txt /o/\nCOPY l*k /dir/\nCOPY lnk/*.txt [xy]/1.t?t /p/") {
            try $0.link("lnk", to: "x")
        }
        #expect(listing.keys.sorted() == ["p", "p/1.txt"])
    }

    @Test func keepsLinksAndAttributesOfTheContext() async throws {
        let bench = try await Workbench()
        try bench.write("t/one", "1")
        try bench.write("t/sub/plain", "1")
        let context = bench.directory.file("context")
        try Shell.run(["ln", context + "/t/one", context + "/t/sub/two"])
        try Shell.run(["ln", context + "/t/one", context + "/outside"])
        try Shell.run(["mkfifo", "-m", "0640", context + "/t/pipe"])
        try Shell.run(["touch", "-d", "@1500000000", context + "/t/one", context + "/t/sub"])
        let setAttribute = "import os,sys; os.setxattr(sys.argv[1], 'user.note', b'kept')"
        try Shell.run(["python3", "-c", setAttribute, context + "/t/sub"])
        try Shell.run(["python3", "-c", setAttribute, context + "/t/one"])
        let result = try await bench.build("FROM scratch\nCOPY --chmod=g=u t /t/\nCOPY t/one outside /links/\n") {
            $0.isReproducible = false
        }
        let first = try result.layer(-2)
        #expect(
            first.short == [
                "t": "d 0755 0:0", "t/one": "f 0664 0:0", "t/sub": "d 0775 0:0", "t/sub/plain": "f 0664 0:0",
                "t/sub/two": "h 0664 0:0 t/one", "t/pipe": "p 0660 0:0",
            ])
        #expect(first["t/sub"]?.xattrs == ["user.note": "kept"])
        #expect(first["t/one"]?.xattrs == ["user.note": "kept"])
        #expect(first["t/one"]?.mtime == 1_500_000_000)
        #expect(first["t/sub"]?.mtime == 1_500_000_000)
        // Not across sources.
        #expect(
            try result.layer(-1).short == [
                "links": "d 0755 0:0", "links/one": "f 0644 0:0", "links/outside": "f 0644 0:0",
            ])
    }

    @Test func hardLinksOfOneSourceAreNotThoseOfTheNext() async throws {
        let bench = try await Workbench()
        let result = try await bench.build(
            """
            FROM busybox AS a
            RUN mkdir /one /two && echo old > /one/x && ln /one/x /two/y && echo new > /two/x
            FROM scratch
            COPY --from=a /one /two /d/
            COPY --from=a /one/x /two/y /f
            """)
        #expect(try result.text("d/x") == "new\n")
        #expect(try result.text("d/y") == "old\n")
        #expect(try result.text("f") == "old\n")
    }

    @Test func modesOfWhatIsMadeOnTheWay() async throws {
        let bench = try await Workbench()
        try bench.write("f", "x", mode: 0o600)
        try bench.write("d/s", "x", mode: 0o4711)
        let result = try await bench.build(
            """
            FROM busybox
            COPY --chmod=0600 f /oct/way/
            COPY --chmod=a=rX,u+w f /sym/way/
            COPY --chmod=2750 --chown=app d /set/
            COPY --chown=nobody:nogroup f /nobody
            COPY --chown=7 f /seven
            COPY d /keeps/
            COPY --link --chmod=0640 f /data/notlinked
            COPY --link d /srv/linked/
            """)
        let tree = try result.tree()
        #expect(tree["oct"] == "d 0600 0:0" && tree["oct/way"] == "d 0600 0:0" && tree["oct/way/f"] == "f 0600 0:0")
        #expect(tree["sym"] == "d 0755 0:0" && tree["sym/way/f"] == "f 0644 0:0")
        #expect(tree["set"] == "d 02750 1000:1000" && tree["set/s"] == "f 02750 1000:1000")
        #expect(tree["nobody"] == "f 0600 0:0")
        #expect(tree["seven"] == "f 0600 7:7")
        #expect(tree["keeps/s"] == "f 04711 0:0")
        // With --chmod, --link is not one.
        #expect(tree["srv/notlinked"] == "f 0640 0:0")
        #expect(try result.layer(-1).short["srv"] == "d 0755 0:0")
    }

    @Test(arguments: [
        "COPY https://example.com/x /y", "COPY git@example.com:a/b.git /y", "COPY --chmod=u+q f /x",
        "COPY --chmod=8 f /x",
        "COPY --checksum=sha256:00 f /x", "ADD --parents f /x", "ADD --checksum=sha256:00 f /x", "ADD --from=a f /x",
    ])
    func refusesFlagsThatAreNotForIt(line: String) async throws {
        let bench = try await Workbench()
        try bench.write("f", "x")
        let error = await #expect(throws: BuildError.self) { _ = try await bench.build("FROM scratch\n\(line)\n") }
        #expect(error?.code == .dockerfile || error?.code == .unsupported)
        #expect(error?.place?.hasPrefix("Dockerfile:2") == true, "\(String(describing: error))")
    }
}
