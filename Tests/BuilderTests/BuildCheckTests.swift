import Builder
import OCI
import TestSupport
import Testing

/// Build checks that a build makes.
@Suite("Build checks in builds", .tags(.integration)) struct BuildCheckTests {
    private func notes(_ log: EventLog) -> [String] {
        log.all.compactMap { if case .note(let text) = $0 { text } else { nil } }
    }

    @Test func warningsAreNotesUnlessTheFileAsksToFail() async throws {
        let bench = try await Workbench()
        let result = try await bench.build("FROM busybox\nLABEL x=$NOPE$BASE\nCMD a\n")
        #expect(
            notes(result.log).filter { $0.hasPrefix("Dockerfile:") } == [
                "Dockerfile:2:10: the variable '$NOPE' is not defined (UndefinedVar)",
                "Dockerfile:3:1: CMD in shell form does not pass signals on; write it as a JSON array (JSONArgsRecommended)",
            ])
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("# check=error=true\nFROM busybox\nCMD a\n")
        }
        #expect(error?.place == "Dockerfile:3:1")
        _ = try await bench.build("# check=error=true;skip=JSONArgsRecommended\nFROM busybox\nCMD a\n")
        // Stages that are not built are not judged.
        _ = try await bench.build("# check=error=true\nFROM busybox AS unused\nCMD a\nFROM busybox\nCMD [\"a\"]\n")
    }

    @Test func aBaseOfAnotherPlatformIsTold() async throws {
        let bench = try await Workbench()
        let other = Platform.host.architecture == "arm64" ? "amd64" : "arm64"
        let result = try await bench.build("FROM --platform=linux/$TARGETARCH busybox\n") {
            $0.platform = try Platform("linux/\(other)")
        }
        #expect(notes(result.log).contains { $0.hasSuffix("(InvalidBaseImagePlatform)") })
        let quiet = try await bench.build(
            "# check=skip=InvalidBaseImagePlatform\nFROM --platform=linux/$TARGETARCH busybox\n"
        ) { $0.platform = try Platform("linux/\(other)") }
        #expect(!notes(quiet.log).contains { $0.hasSuffix("(InvalidBaseImagePlatform)") })
    }

    /// What BuildKit passes over without a word is done as it does it, and told.
    @Test(arguments: [
        ("COPY --chown=ghost f /x", "there is no user 'ghost' in the image", "UnknownOwner"),
        ("COPY --chown=app:ghosts f /x", "there is no group 'ghosts' in the image", "UnknownOwner"),
        ("ADD --chown=ghost --link f /x/", "there is no user 'ghost' in the image", "UnknownOwner"),
        ("USER ghost\nWORKDIR /w", "there is no user 'ghost' in the image", "UnknownOwner"),
        ("COPY nothing* /x/", "nothing in the build context matches 'nothing*'", "CopyMatchesNothing"),
        ("COPY f d/[xy] /x/", "nothing in the build context matches 'd/[xy]'", "CopyMatchesNothing"),
        ("COPY --parents d/*/none* /x/", "nothing in the build context matches 'd/*/none*'", "CopyMatchesNothing"),
        ("COPY --from=busybox /bin/nothing* /x/", "nothing in busybox matches '/bin/nothing*'", "CopyMatchesNothing"),
        ("ADD *.tgz /x/", "nothing in the build context matches '*.tgz'", "CopyMatchesNothing"),
    ])
    func whatIsPassedOverIsTold(lines: String, message: String, rule: String) async throws {
        let bench = try await Workbench()
        try bench.write("f")
        try bench.write("d/sub/g")
        let line = 1 + lines.split(separator: "\n").count
        let found = notes(try await bench.build("FROM busybox\n\(lines)\n").log).filter { $0.hasPrefix("Dockerfile:") }
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("Dockerfile:\(line):1: \(message)") == true, "\(found)")
        #expect(found.first?.hasSuffix("(\(rule))") == true, "\(found)")
        // The layer is known by now, and that is no way around the error.
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("# check=error=true\nFROM busybox\n\(lines)\n")
        }
        #expect(error?.place == "Dockerfile:\(line + 1):1")
        #expect(error?.cause?.hasPrefix(message) == true && error?.cause?.hasSuffix("(\(rule))") == true)
        let quiet = try await bench.build("# check=error=true;skip=\(rule)\nFROM busybox\n\(lines)\n")
        #expect(notes(quiet.log).filter { $0.hasPrefix("Dockerfile:") } == [])
        var commented = lines.split(separator: "\n").map(String.init)
        commented.insert("# check=skip=\(rule)", at: commented.count - 1)
        let own = try await bench.build("# check=error=true\nFROM busybox\n\(commented.joined(separator: "\n"))\n")
        #expect(notes(own.log).filter { $0.hasPrefix("Dockerfile:") } == [])
    }

    /// The usual end of `ENTRYPOINT ["/entrypoint.sh"]` from a checkout on Windows: "no such file or directory".
    @Test func scriptsThatNoKernelRunsAreTold() async throws {
        let bench = try await Workbench()
        try bench.write("bad.sh", "#!/bin/sh\r\necho hi\r\n")
        try bench.write("d/bad", "#!/usr/bin/env python3\r\n")
        for (name, text) in [
            ("good.sh", "#!/bin/sh\necho hi\r\n"), ("text", "a\r\n"), ("short", "#!/bin/sh\r"), ("empty", ""),
        ] { try bench.write(name, text) }
        let found = notes(try await bench.build("FROM busybox\nCOPY . /x/\n").log).filter { $0.contains("script") }
        #expect(found.count == 2)
        #expect(
            found.first?.hasPrefix("Dockerfile:2:1: the script bad.sh cannot be run: its first line ends in CR LF")
                == true)
        #expect(found.last?.contains("the script d/bad ") == true)
    }

    @Test func whatIsFoundIsNotTold() async throws {
        let bench = try await Workbench()
        try bench.write("f")
        try bench.write("empty/.keep")
        _ = try await bench.build(
            """
            # check=error=true
            FROM busybox
            COPY --chown=app:extra f* /x/
            COPY --chown=4000:5000 f /y
            COPY --exclude=.keep empty /z/
            COPY --parents ./f* /p/
            USER app
            WORKDIR /w
            USER 4000
            WORKDIR /v
            """)
    }
}
