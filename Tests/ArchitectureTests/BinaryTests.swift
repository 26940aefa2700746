import Foundation
import TestSupport
import Testing

/// What the release binary is made of: a single call can bring in all of Foundation, and nobody notices but the users.
@Suite(.tags(.integration)) struct BinaryTests {
    /// `SLIPWAY_BINARY`, or the release build when there is one.
    private static let binary: String? = {
        let named = ProcessInfo.processInfo.environment["SLIPWAY_BINARY"] ?? ""
        let path = named.isEmpty ? SourceTree.root + "/.build/release/slipway" : named
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    private static func withBinary(_ body: (String) throws -> Void) rethrows {
        guard let binary else {
            print("not checked: there is no release binary; `make test` builds it, or set SLIPWAY_BINARY")
            return
        }
        try body(binary)
    }

    /// What the binary may load by itself; what those libraries load is theirs.
    private static let allowed: Set<String> = [
        "libgit2", "libcurl", "libyaml-0", "libisal", "libz", "libdeflate", "libzstd", "libbz2", "liblzma", "libcrypto",
        "libc",
        "libm", "libgcc_s",
        "libstdc++",
        "libpthread", "libdl", "librt", "libutil", "ld-linux-x86-64", "ld-linux-aarch64",
    ]

    @Test func `it carries neither ICU nor all of Foundation`() throws {
        try Self.withBinary { binary in
            let bytes = try Data(contentsOf: URL(fileURLWithPath: binary), options: .alwaysMapped)
            for text in ["icudt", "_foundation_unicode", "NSRegularExpression", "FoundationInternationalization"] {
                #expect(bytes.range(of: Data(text.utf8)) == nil, "\(text) is in \(binary)")
            }
        }
    }

    @Test func `it loads only the libraries that we chose`() throws {
        try Self.withBinary { binary in
            let output = try Shell.run(["readelf", "--dynamic", "--wide", binary]).stdout
            let needed = output.split(separator: "\n").filter { $0.contains("(NEEDED)") }.compactMap {
                line -> String? in
                guard let open = line.lastIndex(of: "["), let end = line.lastIndex(of: "]") else { return nil }
                return String(line[line.index(after: open)..<end])
            }
            #expect(!needed.isEmpty)
            for library in needed {
                let name = library.components(separatedBy: ".so")[0]
                #expect(Self.allowed.contains(name), "\(library)")
            }
        }
    }
}
