import Glibc
import TestSupport
import Testing

@testable import ContentStore

/// What a full disk is said to lack.
@Suite(.tags(.unit)) struct DiskShortageTests {
    @Test(
        arguments: [
            (ENOSPC, DiskShortage.bytes, "larger volume"), (EDQUOT, .quota, "raise the quota"),
        ] as [(Int32, DiskShortage, String)])
    func `each shortage has its remedy`(number: Int32, expected: DiskShortage, remedy: String) throws {
        let scratch = try TemporaryDirectory("shortage")
        // A file that could not be made is judged by its folder.
        let shortage = DiskShortage(errno: number, at: scratch.file("not/there"))
        #expect(shortage == expected)
        #expect(shortage?.hint(for: "the state directory").contains(remedy) == true)
        let error = ContentStoreError.system("write a blob", scratch.file("blob"), number)
        #expect(error.cause == String(cString: strerror(number)))
        #expect(error.hint?.contains(remedy) == true)
    }

    @Test func `another failure is no shortage`() {
        for number in [EIO, EACCES, ENOENT] { #expect(DiskShortage(errno: number, at: "/") == nil) }
    }

    @Test func `a file system without inodes is not short of bytes`() throws {
        let scratch = try TemporaryDirectory("inodes")
        guard let disk = try SmallDisk(at: scratch.file("disk"), megabytes: 4, inodes: 16) else { return }
        try Shell.run(
            ["sh", "-c", "for n in $(seq 100); do : > '\(disk.path)'/$n || exit 0; done"], allowFailure: true)
        #expect(DiskShortage(errno: ENOSPC, at: disk.path + "/one/more") == .inodes)
        let error = ContentStoreError.system("write a blob", disk.path + "/blob", ENOSPC)
        #expect(error.cause?.contains("all inodes are used") == true)
        #expect(error.hint?.contains("more inodes") == true)
    }
}
