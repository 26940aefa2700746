import Foundation
import TestSupport
import Testing

/// What this machine's kernel may not have, in one that has it.
@Suite(
    "In a kernel of their own", .tags(.endToEnd), .thorough, .serialized,
    .enabled(if: GuestKernel.isInstalled, "needs Debian's user-mode-linux, which there is for x86-64"))
struct GuestKernelTests {
    /// The tests' own program, which runs in the guest as it does here.
    private static let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""

    @Test func `control groups of version 2 limit a step's memory`() throws {
        let (status, output) = try GuestKernel().run(
            "\(Self.program) --testing-library swift-testing --no-parallel --filter ControlGroupTests")
        #expect(status == 0, "\(output)")
        #expect(output.contains("a step over its memory is ended, and it is known why\" with 2 test cases passed"))
        #expect(!output.contains("skipped"), "\(output)")
    }

    /// 8 MiB for an ordinary user, whose build copies 20.
    @Test func `a quota that is used up is told as one`() throws {
        let scratch = try TemporaryDirectory("quota")
        let disk = scratch.file("disk")
        try Shell.run(["truncate", "-s", "64M", disk])
        try Shell.run(["mkfs.ext4", "-q", "-O", "quota", disk])
        let limit = """
            import ctypes, struct
            limits = struct.pack("=QQQQQQQQI4x", 8192, 8192, 0, 1000, 1000, 0, 0, 0, 5)
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.quotactl(0x800008 << 8, b"/dev/ubda", 1000, limits): raise SystemExit(f"errno {ctypes.get_errno()}")
            """
        let (status, output) = try GuestKernel().run(
            """
            set -e
            for module in quota_tree quota_v2; do busybox insmod $modules/fs/quota/$module.ko; done
            cd $TMPDIR
            mkdir disk context
            # Where a user who may not come to it can run it.
            install -m 755 \(try Loop.binary) slipway
            mount -t ext4 -o usrquota /dev/ubda disk
            python3 -c '\(limit)'
            install -d -o 1000 disk/state
            head -c 20000000 /dev/urandom > context/large
            printf 'FROM scratch\\nCOPY large /\\n' > context/Dockerfile
            setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=$TMPDIR/none ./slipway build --no-push \
            --state-dir $TMPDIR/disk/state --context $TMPDIR/context
            """, disk: disk)
        #expect(status == 1, "\(output)")
        #expect(output.contains("Disk quota exceeded"), "\(output)")
        #expect(output.contains("raise the quota"), "\(output)")
        #expect(!output.contains("No space left"), "\(output)")
    }
}
