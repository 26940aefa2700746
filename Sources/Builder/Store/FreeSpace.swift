import Glibc

/// What is free on the file system of a directory.
struct FreeSpace: Sendable {
    let bytes: Int64
    let totalBytes: Int64
    /// Files that can be made; `.max` where the file system has no limit.
    let inodes: Int64
    let totalInodes: Int64

    /// `nil`: the file system does not tell.
    init?(of directory: String) {
        var status = statvfs()
        guard statvfs(directory, &status) == 0, status.f_blocks > 0 else { return nil }
        func bytes(_ blocks: UInt) -> Int64 {
            let (product, overflow) = UInt64(blocks).multipliedReportingOverflow(by: UInt64(status.f_frsize))
            return overflow ? .max : Int64(clamping: product)
        }
        self.bytes = bytes(status.f_bavail)
        totalBytes = bytes(status.f_blocks)
        totalInodes = Int64(clamping: status.f_files)
        inodes = status.f_files == 0 ? .max : Int64(clamping: status.f_favail)
    }

    /// Whether less is free than the limits want.
    func isShort(of limits: StoreLimits) -> Bool {
        bytes < wantedBytes(limits) || inodes < wantedInodes(limits)
    }

    /// More than a step has to leave free, so that it is not stopped for what others left.
    func wantedBytes(_ limits: StoreLimits) -> Int64 { limits.minFree ?? min(2 << 30, totalBytes / 10) }

    func wantedInodes(_ limits: StoreLimits) -> Int64 { limits.minFreeInodes ?? totalInodes / 20 }
}
