import Foundation
import Synchronization
import TestSupport

/// The busybox base with programs of this machine's distribution over it, and the libraries that they load: a real dpkg,
/// useradd, setcap and the like.
enum ToolsImage {
    private static let path = Mutex("")
    private static let shared = Task {
        let directory = try TemporaryDirectory("tools")
        path.withLock { $0 = directory.path }
        atexit { try? FileManager.default.removeItem(atPath: ToolsImage.path.withLock { $0 }) }
        return (directory, try make(in: directory))
    }

    /// The image's layers as archives, lowest first; `nil` and a printed reason where a program is missing.
    static func layers() async throws -> [String]? {
        let (directory, name) = try await shared.value
        return name == nil ? nil : ["first.tar", "tools.tar"].map(directory.file)
    }

    /// Whether a program is there that not all tests need; prints the reason where it is not.
    static func has(_ program: String) -> Bool {
        let isThere = FileManager.default.isExecutableFile(atPath: program)
        if !isThere { print("skipped: \(program) is missing; scripts/install-deps.sh --test has it") }
        return isThere
    }

    /// The image's name; `nil` and a printed reason where a program is missing.
    static func name() async throws -> String? { try await shared.value.1 }

    private static let programs = [
        "/usr/bin/dpkg", "/usr/bin/dpkg-deb", "/usr/bin/dpkg-split", "/usr/bin/dpkg-query", "/usr/bin/tar",
        "/usr/sbin/useradd", "/usr/sbin/groupadd", "/usr/sbin/setcap", "/usr/bin/setfattr", "/usr/bin/setpriv",
        "/usr/bin/diff", "/usr/bin/rm", "/usr/bin/make",
    ]

    /// In the image where they are here.
    private static let further = ["/usr/bin/ninja"]

    private static func make(in directory: TemporaryDirectory) throws -> String? {
        let missing = programs.filter { !FileManager.default.isExecutableFile(atPath: $0) }
        guard missing.isEmpty else {
            print("skipped: \(missing.joined(separator: ", ")) are missing; scripts/install-deps.sh --test has them")
            return nil
        }
        let base = directory.file("layout")
        try ImageFixtures.busybox(at: base)
        let root = directory.file("root")
        let script = """
            set -e
            mkdir -p \(root)/var/lib/dpkg/info \(root)/var/lib/dpkg/updates \(root)/usr/sbin \(root)/var/log
            touch \(root)/var/lib/dpkg/status \(root)/var/lib/dpkg/available
            for program in \((programs + further.filter(FileManager.default.isExecutableFile)).joined(separator: " ")); do
                for file in $program $(ldd $program | grep -o '/[^ ]*' | sort -u); do
                    mkdir -p \(root)$(dirname $file); cp -nL $file \(root)$file 2>/dev/null || true
                done
            done
            for name in ldconfig start-stop-daemon; do printf '#!/bin/sh\\nexit 0\\n' > \(root)/usr/sbin/$name; chmod 755 \(root)/usr/sbin/$name; done
            tar --sort=name --owner=0 --group=0 --mtime=@1500000000 -C \(root) -cf \(directory.file("tools.tar")) usr var $(cd \(root); ls -d lib lib64 2>/dev/null || true)
            """
        try Shell.run(["bash", "-c", script])
        let first = directory.file("first.tar")
        let blob = try Shell.run([
            "sh", "-c", "ls -S \(base)/blobs/sha256 | head -1",
        ]).stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        try Shell.run([
            "sh", "-c",
            "gzip -dc \(base)/blobs/sha256/\(blob) > \(first) 2>/dev/null || cp \(base)/blobs/sha256/\(blob) \(first)",
        ])
        return try ImageFixtures.image(
            at: directory.file("both"), tag: "latest", layerTars: [first, directory.file("tools.tar")],
            config: ["Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["/bin/sh"]])
    }
}
