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

    /// What the binary may load by itself when it starts; what those libraries load is theirs. libgit2 comes when git is used.
    private static let allowed: Set<String> = [
        "libyaml-0", "libisal", "libz", "libdeflate", "libzstd", "libbz2", "liblzma", "libcrypto",
        // libcurl, or what the one in the binary works with.
        "libcurl", "libnghttp2", "libidn2", "libssh2", "libpsl", "libssl", "libgssapi_krb5", "libbrotlidec",
        "libc", "libm", "libgcc_s", "libstdc++",
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

    /// Each library costs some 0.1 ms of every command. On Debian 12 the binary has libcurl in it (scripts/link), so that what LDAP and
    /// RTMP work with stays where it is.
    @Test func `it starts with few libraries`() throws {
        let release = try? String(contentsOfFile: "/etc/os-release", encoding: .utf8)
        guard release?.contains("VERSION_CODENAME=bookworm") == true else {
            return print("not checked: this is not Debian 12")
        }
        try Self.withBinary { binary in
            let loaded = try Shell.run(["ldd", binary]).stdout
            #expect(loaded.contains("libcrypto.so.3"))
            for library in ["libgit2", "libcurl", "libldap", "librtmp", "libgnutls", "libstdc++"] {
                #expect(!loaded.contains(library), "\(library)")
            }
            #expect(loaded.split(separator: "\n").count <= 30, "\(loaded)")
        }
    }
}
