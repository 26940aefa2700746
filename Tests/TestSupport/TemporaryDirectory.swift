import Glibc

/// A directory of a test's own, removed when the test drops it. Set `SLIPWAY_KEEP_SCRATCH=1` to keep them all.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// Where files are made and removed by the ten thousand: in memory, if there is plenty of it and it takes the attributes of
    /// overlays; ext4 looks for a long time for an inode that was not just in use.
    package static let fastParent: String = {
        let place = "/dev/shm"
        var status = statvfs()
        guard statvfs(place, &status) == 0, status.f_bavail * status.f_bsize > 4 << 30 else { return "/tmp" }
        let tried = try? Shell.run(
            ["sh", "-c", "f=$(mktemp \(place)/slipway-XXXXXX) && setfattr -n user.x -v y $f; s=$?; rm -f $f; exit $s"],
            allowFailure: true)
        return tried?.status == 0 ? place : "/tmp"
    }()

    package init(_ name: String = "test", in parent: String = "/tmp") throws {
        var template = Array("\(parent)/slipway-\(name)-XXXXXX".utf8CString)
        let made: String? = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, mkdtemp(base) != nil else { return nil }
            return String(cString: base)
        }
        guard let made else { throw TestSupportError("mkdtemp failed: errno \(errno)") }
        path = made
    }

    deinit {
        guard getenv("SLIPWAY_KEEP_SCRATCH") == nil else { return }
        _ = try? Shell.run(["chmod", "-R", "u+rwX", path])
        _ = try? Shell.run(["rm", "-rf", "--one-file-system", path])
    }

    package func file(_ name: String) -> String { "\(path)/\(name)" }
}

package struct TestSupportError: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
