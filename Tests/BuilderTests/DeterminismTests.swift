import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// One commit is one digest: in every isolation mode, with whatever cache, on whatever day.
@Suite(.tags(.integration)) struct DeterminismTests {
    private static let dockerfile = """
        FROM busybox AS tools
        RUN mkdir /t && echo tool > /t/tool && chmod 4755 /t/tool && ln /t/tool /t/again
        FROM busybox
        WORKDIR /work
        COPY --chown=app a b ./
        RUN cat a b > c && rm /srv/old.txt && touch -d '2090-01-01 00:00:00' future && mkfifo pipe
        COPY --from=tools /t /t
        RUN chmod 700 /t && chown app /work/c
        """

    @Test func oneCommitIsOneDigest() async throws {
        let bench = try await CacheBench()
        var digests: [String: Digest] = [:]
        var day: Int64 = 0
        let modes = [IsolationMode.namespaces, .chroot].filter(bench.bench.report.available.contains)
        for mode in modes {
            for cache in ["cold", "warm", "remote"] {
                day += 1
                // The clock is what entries of the cache are dated by; images are dated by their commit.
                let shared = try bench.cache("\(bench.proxy.host)/\(mode)/cache") { $0.now += day * 86_400 }
                let state = cache == "remote" ? "\(mode)-remote" : "\(mode)"
                let result = try await bench.build(Self.dockerfile, state: state, to: "\(mode)/app:1") {
                    $0.isolation = mode
                    $0.hasContentDate = true
                    $0.isReproducible = true
                    $0.createdAt = 1_600_000_000
                    $0.remoteCache = shared
                }
                digests["\(mode) \(cache)"] = result.image.manifestDigest
                #expect(result.trace == (cache == "cold" ? "wwwwww" : "cccccc"))
            }
        }
        #expect(digests.count == modes.count * 3)
        #expect(Set(digests.values).count == 1, "\(digests)")
    }
}
