import Archive
import FileSystem
import Glibc
import TestSupport
import Testing

/// What the kernel's overlay file system shows of unpacked layers, as root and as an ordinary user in a namespace.
@Suite(.tags(.integration))
struct OverlayMountTests {
    @Test(arguments: [true, false])
    func layersTogether(asRoot: Bool) throws {
        let scratch = try TemporaryDirectory("overlay")
        _ = chmod(scratch.path, 0o777)
        let layers: [[Item]] = [
            [
                .directory("./"), .directory("etc"), .file("etc/kept", "kept"), .file("etc/gone", "gone"),
                .directory("opaque/sub"), .file("opaque/old", "old"), .symlink("bin", "usr/bin"), .directory("usr/bin"),
                .file("usr/bin/tool", "tool"), .file("typed", "file"), .directory("untyped/x"),
            ],
            [
                .directory("./"), .file("etc/.wh.gone"), .file("opaque/.wh..wh..opq"), .file("opaque/new", "new"),
                .file("bin/more", "more"), .hardLink("usr/bin/same", "usr/bin/tool"), .directory("typed"),
                .file("typed/in", "in"), .file("untyped", "file"),
            ],
        ]
        let body: @Sendable () throws -> Void = {
            var lowers: [Directory] = []
            for (index, items) in layers.enumerated() {
                let directory = try Directory.create(path: scratch.file("l\(index)"))
                try LayerExtractor.extract(
                    BytesSource(try tar(items)), into: directory, mode: .overlay,
                    ownership: asRoot && getuid() == 0 ? .apply : .record, lowers: lowers)
                lowers.insert(directory, at: 0)
            }
            for name in ["u", "w", "m"] { _ = try Directory.create(path: scratch.file(name)) }
        }
        if asRoot { try body() } else { try asOrdinaryUser(body) }
        let script = """
            cd \(scratch.path) && mount -t overlay overlay -o lowerdir=l1:l0,upperdir=u,workdir=w,userxattr m && cd m &&
            find . | sort && stat -c '%n %i' usr/bin/tool usr/bin/same | sort
            """
        let user = asRoot || getuid() != 0 ? [] : ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
        let output = try Shell.run(user + ["unshare", "-Urm", "sh", "-c", script]).stdout.split(separator: "\n")
        let names = output.prefix { !$0.hasPrefix("usr/") }.map(String.init)
        #expect(
            names == [
                ".", "./bin", "./etc", "./etc/kept", "./opaque", "./opaque/new", "./typed", "./typed/in", "./untyped",
                "./usr", "./usr/bin", "./usr/bin/more", "./usr/bin/same", "./usr/bin/tool",
            ])
        let inodes = Set(output.suffix(2).compactMap { $0.split(separator: " ").last })
        #expect(inodes.count == 1)
    }
}
