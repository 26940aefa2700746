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
}
