import ContentStore
import Glibc

/// The disk of the state directory, as far as it concerns a RUN step.
struct StepDisk {
    let path: String

    /// Bytes that a step has to leave free: other builds, and the layer, need room too.
    var reserve: Int64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return 0 }
        let total = Int64(clamping: status.f_blocks).multipliedReportingOverflow(by: Int64(clamping: status.f_frsize))
        return total.overflow ? 1 << 30 : min(1 << 30, total.partialValue / 20)
    }

    /// What is short after a command that failed. Of quotas the file system does not tell: the command's own words do.
    func shortage(afterOutput output: String) -> DiskShortage? {
        if output.contains(DiskShortage.quota.words) { return .quota }
        guard let space = FreeSpace(of: path) else { return nil }
        if space.bytes < reserve { return .bytes }
        return space.inodes < Self.fewInodes ? .inodes : nil
    }

    /// Files that a step has to be able to make, at the least.
    private static let fewInodes: Int64 = 64
}
