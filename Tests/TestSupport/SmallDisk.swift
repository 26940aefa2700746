import Foundation

/// A file system of the test's own, of few megabytes.
package final class SmallDisk {
    package let path: String
    private var filler: String { path + "/filler" }

    /// `nil`, with the reason printed, where nothing may be mounted.
    ///
    /// - Parameter inodes: files that it can hold; `nil`: as many as the kernel likes.
    package init?(at path: String, megabytes: Int, inodes: Int? = nil) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let mount = try Shell.run(
            [
                "mount", "-t", "tmpfs", "-o",
                "size=\(megabytes)m,mode=0700" + (inodes.map { ",nr_inodes=\($0)" } ?? ""),
                "slipway-test", path,
            ], allowFailure: true)
        if mount.status != 0 {
            print("skipped: a full disk needs the right to mount a tmpfs: \(mount.stderr)")
            return nil
        }
    }

    deinit { _ = try? Shell.run(["umount", "-l", path], allowFailure: true) }

    /// Leaves no byte free.
    package func fill() throws {
        try Shell.run(["sh", "-c", "cat /dev/zero > '\(filler)' || true"], allowFailure: true)
    }

    package func free() throws { try Shell.run(["rm", "-f", filler]) }

    package func grow(toMegabytes size: Int) throws { try Shell.run(["mount", "-o", "remount,size=\(size)m", path]) }
}
