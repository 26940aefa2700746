import Builder
import Foundation
import OCI
import TestSupport
import Testing

/// A Dockerfile is content: it names images of registries and files of its context, and nothing of the machine that builds.
@Suite(.tags(.integration)) struct DockerfileReachTests {
    /// The layout that is named is there, so that whoever read it would succeed.
    @Test(arguments: [
        "FROM LAYOUT", "FROM LAYOUT AS x\nFROM x", "ARG BASE=LAYOUT\nFROM $BASE", "ARG P=oci:\nFROM ${P}DIRECTORY",
        "FROM scratch\nCOPY --from=LAYOUT /etc/passwd /stolen",
        "FROM busybox\nRUN --mount=from=LAYOUT,target=/x cat /x/etc/passwd",
    ])
    func `no instruction names a layout of the machine`(text: String) async throws {
        let bench = try await Workbench()
        let directory = bench.base.dropFirst("oci:".count)
        let text = text.replacingOccurrences(of: "LAYOUT", with: bench.base)
            .replacingOccurrences(of: "DIRECTORY", with: directory)
        for isKey in [false, true] {
            let error = await #expect(throws: BuildError.self) {
                if isKey {
                    _ = try await bench.builder().contentKey(bench.request(text))
                } else {
                    _ = try await bench.build(text)
                }
            }
            #expect(error?.summary.contains("cannot name an OCI layout") == true, "\(String(describing: error))")
            #expect(error?.place?.hasPrefix("Dockerfile:") == true)
            #expect(error?.cause?.contains("of the machine that builds") == true)
            #expect(error?.hint?.contains("--build-context NAME=oci-layout://") == true)
        }
    }

    /// What a base image wants done is content as well.
    @Test func `no trigger of a base image names one`() async throws {
        let layout = try await Workbench()
        let bench = try await Workbench(onBuild: ["COPY --from=\(layout.base) /etc/passwd /stolen"])
        let error = await #expect(throws: BuildError.self) { try await bench.build("FROM busybox\n") }
        #expect(error?.summary.contains("cannot name an OCI layout") == true, "\(String(describing: error))")
    }

    @Test func `a frontend is not fetched`() async throws {
        let bench = try await Workbench()
        let result = try await bench.build("# syntax=oci:/no/such/layout:1\nFROM busybox\nLABEL a=b\n")
        #expect(result.image.config.config.labels == ["a": "b"])
    }

    @Test func `the operator's name for a layout is followed`() async throws {
        let bench = try await Workbench()
        let result = try await bench.build("FROM given\nLABEL a=b\n") {
            $0.namedContexts["given"] = try NamedContext(
                "oci-layout://\(bench.base.dropFirst("oci:".count))")
        }
        #expect(result.image.config.config.labels == ["a": "b"])
    }

    /// No request is made for an image that is not allowed: the registry of these names does not exist.
    @Test(arguments: [
        "FROM secret.invalid/team/app:1", "FROM scratch\nCOPY --from=secret.invalid/team/app /x /x",
        "ARG B=secret.invalid/team/app\nFROM $B",
        "FROM scratch\nRUN --mount=from=secret.invalid/team/app,target=/x true",
    ])
    func `an image that is not allowed is not read`(text: String) async throws {
        let bench = try await Workbench()
        let error = await #expect(throws: BuildError.self) {
            try await bench.build(text) {
                $0.allowedBases = AllowedBases(
                    [try RepositoryPattern("docker.io/library/*")], key: "repositories[shop].allowed.bases")
            }
        }
        #expect(error?.code == .baseImage)
        #expect(error?.summary.contains("may not use the image secret.invalid/team/app") == true)
        #expect(error?.cause == "repositories[shop].allowed.bases allows docker.io/library/*")
        #expect(error?.hint?.contains("'secret.invalid/team/app' to 'allowed.bases'") == true)
        #expect(error?.place?.hasPrefix("Dockerfile:") == true)
    }

    /// `busybox` is here a named context, which is for who gave it to decide.
    @Test func `a name that the operator gave is not limited`() async throws {
        let bench = try await Workbench()
        let result = try await bench.build("FROM busybox\nLABEL a=b\n") { $0.allowedBases = AllowedBases([], key: "k") }
        #expect(result.image.config.config.labels == ["a": "b"])
    }
}
