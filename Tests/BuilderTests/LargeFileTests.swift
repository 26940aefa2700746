import Builder
import Foundation
import OCI
import Sandbox
import TestSupport
import Testing

/// Large files of a directory get their content while the layer is written: nothing of that shows in the image.
@Suite(.tags(.integration), .thorough) struct LargeFileTests {
    private static func write(_ bench: Workbench, _ path: String, _ letter: String, mode: String = "0644") throws {
        let file = bench.directory.file("context/\(path)")
        try Shell.run([
            "sh", "-ec",
            "mkdir -p $(dirname \(file)); yes \(letter) | head -c 9000000 > \(file); chmod \(mode) \(file)",
        ])
    }

    /// Names, links, modes and later sources of the same name.
    private static func bench() async throws -> Workbench {
        let bench = try await Workbench()
        try write(bench, "one/big", "a")
        try write(bench, "two/big", "b", mode: "0400")
        try write(bench, "three/special", "c", mode: "4755")
        try write(bench, "four/first", "d")
        try Shell.run(["ln", bench.directory.file("context/four/first"), bench.directory.file("context/four/second")])
        try bench.write("small/big", "small")
        return bench
    }

    private static let dockerfile = """
        FROM busybox
        COPY one/big two/big /later-wins/
        COPY two/big small/big /small-wins/
        COPY <<big one/big /inline-is-last/
        inline
        big
        COPY one two three four /tree/
        COPY --chmod=0111 --chown=7:8 four /owned/
        ADD two/big /added/
        RUN md5sum /later-wins/big /small-wins/big /inline-is-last/big /tree/* /owned/* /added/big > /sums \\
            && stat -c '%n %a %u %g %h %s %Y' /tree/* /owned/* > /stats
        """

    @Test(arguments: BuildMode.allCases)
    func theImageIsTheSame(_ mode: BuildMode) async throws {
        let bench = try await Self.bench()
        guard bench.modes.contains(mode) else { return }
        let (deferred, plain) = try await bench.buildWithBothKindsOfContext(Self.dockerfile, mode: mode)
        let sums = try deferred.text("sums")
        #expect(sums == (try plain.text("sums")))
        func sum(_ text: String) throws -> String {
            String(try Shell.run(["sh", "-c", "\(text) | md5sum"]).stdout.prefix(32))
        }
        let (a, b, d) = (
            try sum("yes a | head -c 9000000"), try sum("yes b | head -c 9000000"), try sum("yes d | head -c 9000000")
        )
        #expect(sums.contains("\(b)  /later-wins/big"))
        #expect(sums.contains("\(try sum("printf small"))  /small-wins/big"))
        #expect(!sums.contains("\(a)  /inline-is-last/big"))
        #expect(sums.contains("\(d)  /tree/first") && sums.contains("\(d)  /tree/second"))
        #expect(sums.contains("\(b)  /added/big"))
        let stats = try deferred.text("stats")
        #expect(stats.contains("/tree/special 4755 "))
        #expect(stats.contains("/tree/first 644 0 0 2 9000000 "))
        #expect(stats.contains("/owned/first 111 7 8 2 9000000 "))
    }

    /// Files that stay out of the layer are whole for the steps that follow.
    @Test func whatIsIgnoredHasItsContent() async throws {
        let bench = try await Self.bench()
        let result = try await bench.build("FROM busybox\nCOPY one /kept/\nRUN md5sum < /kept/big > /sum\n") {
            $0.ignoredPaths = ["/kept"]
        }
        let wanted = try Shell.run(["sh", "-c", "yes a | head -c 9000000 | md5sum"]).stdout
        #expect(try result.text("sum") == wanted)
        #expect(try !result.exists("kept/big"))
    }
}
