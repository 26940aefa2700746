import Builder
import Foundation
import OCI
import TestSupport
import Testing

/// Many files are copied, and read for the layer, by several threads: nothing of that shows in the image.
@Suite(.tags(.integration), .thorough) struct ManyFilesTests {
    /// Folders with more files than one thread takes at once, with folders between them; small and larger ones, empty ones,
    /// links of both kinds, other modes.
    private static func bench() async throws -> Workbench {
        let bench = try await Workbench()
        let program = """
            import os
            for folder in ['tree/a', 'tree/a/f050.d', 'tree/b', 'tree/c/deep/er', 'other/a']:
                os.makedirs(folder)
                for number in range(150 if folder != 'tree/c/deep/er' else 7):
                    with open(f'{folder}/f{number:03}', 'w') as file:
                        file.write(f'{folder} {number}\\n' * (2000 if number % 97 == 5 else number * number % 61))
                    if number % 50 == 3: os.chmod(f'{folder}/f{number:03}', 0o4751)
            os.link('tree/a/f001', 'tree/b/g001')
            os.link('tree/a/f002', 'tree/a/f002.again')
            os.symlink('../a/f003', 'tree/b/f003.link')
            """
        try Shell.run(["python3", "-c", program], in: bench.directory.file("context"))
        return bench
    }

    private static let dockerfile = """
        FROM busybox AS first
        COPY tree /tree/
        COPY tree other /both/
        COPY --chown=7:8 --chmod=0604 tree/b /owned
        FROM busybox
        COPY --from=first /tree /again
        COPY --from=first /both /both
        COPY --from=first /owned /owned
        RUN for folder in again both owned; do cd /$folder; find . -type f | sort | xargs cat | md5sum; done > /sums
        """

    @Test(arguments: BuildMode.allCases)
    func theImageIsTheSame(_ mode: BuildMode) async throws {
        let bench = try await Self.bench()
        guard bench.modes.contains(mode) else { return }
        let (many, _) = try await bench.buildWithBothKindsOfContext(Self.dockerfile, mode: mode)
        let context = bench.directory.file("context")
        let sums = try Shell.run(
            [
                "sh", "-ec",
                """
                cp -a tree both && cp -a --remove-destination other/. both/
                for folder in tree both tree/b; do (cd $folder; find . -type f | LC_ALL=C sort | xargs cat | md5sum); done
                """,
            ], in: context
        ).stdout
        #expect(try many.text("sums") == sums)
    }

    /// A folder comes before what is in it, and names come in the order of their bytes.
    @Test func theOrderIsThatOfAWalk() async throws {
        let bench = try await Self.bench()
        let result = try await bench.build("FROM busybox\nCOPY tree /tree/\nCOPY other /other/\n", tag: "order")
        for layer in 1...2 {
            let names = try result.names(inLayer: layer).map { $0.split(separator: "/").map { Array($0.utf8) } }
            #expect(names.count > (layer == 1 ? 450 : 150))
            for (name, next) in zip(names, names.dropFirst()) {
                #expect(
                    name.lexicographicallyPrecedes(next) { $0.lexicographicallyPrecedes($1) }, "\(name) \(next)")
            }
        }
    }

    /// One of a thousand files goes away after it was listed.
    @Test func theFirstFailureEndsTheStep() async throws {
        let bench = try await Self.bench()
        let gone = bench.directory.file("context/tree/b/f100")
        let error = await #expect(throws: BuildError.self) {
            try await bench.build("FROM busybox\nCOPY tree /tree/\n") {
                $0.mayBegin = { try? FileManager.default.removeItem(atPath: gone) }
            }
        }
        #expect(error?.summary == "the context changed while it was read")
        #expect(error?.cause?.contains("tree/b/f100") == true, "\(String(describing: error))")
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.directory.file("state/builds")).isEmpty)
    }
}
