import Foundation

/// Debian's user-mode-linux, a Linux kernel that is an ordinary program: for what the kernel of the machine may not have, like the
/// memory controller of control groups of version 2 and file systems with quotas. Its root is the machine's, seen through it.
package struct GuestKernel {
    package static let program = "/usr/bin/linux.uml"
    package static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    private let scratch: TemporaryDirectory

    package init() throws { scratch = try TemporaryDirectory("guest") }

    /// Runs a script of bash as the guest's first process, with file systems of the guest's own at /proc, /sys, /dev and /run,
    /// and control groups of version 2 at /sys/fs/cgroup; the script is in a group below their root. `TMPDIR` is below /run: what is
    /// tried may lie in the machine's /tmp.
    ///
    /// - Parameters:
    ///   - memory: of the guest, in MiB.
    ///   - disk: a file that is the block device /dev/ubda.
    /// - Returns: what it printed, and the status that it ended with.
    package func run(_ script: String, memory: Int = 3072, disk: String? = nil) throws -> (
        status: Int32, output: String
    ) {
        let start = scratch.file("init")
        try Data(Self.frame(script).utf8).write(to: URL(fileURLWithPath: start))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: start)
        // The guest's memory is a file in TMPDIR, which must allow programs to be mapped from it.
        let ended = try Shell.run(
            [
                "python3", "-c", Self.bounded, Self.program, "mem=\(memory)M", "rootfstype=hostfs", "rootflags=/", "rw",
                "init=\(start)", "con=null", "con0=null,fd:1", "quiet", "uml_dir=\(scratch.path)/",
            ] + (disk.map { ["ubda=\($0)"] } ?? []), environment: ["TMPDIR": scratch.path], allowFailure: true)
        let output = ended.stdout.replacing("\r\n", with: "\n")
        guard let last = output.components(separatedBy: Self.end).dropFirst().first,
            let status = Int32(last.prefix { $0.isNumber })
        else { throw TestSupportError("the guest did not come to its end:\n\(output)\n\(ended.stderr)") }
        return (status, output)
    }

    /// Ends with all of its processes, which hold nothing of ours open.
    private static let bounded = """
        import os, signal, subprocess, sys
        guest = subprocess.Popen(sys.argv[1:], start_new_session=True)
        try: sys.exit(guest.wait(300))
        finally:
            try: os.killpg(guest.pid, signal.SIGKILL)
            except ProcessLookupError: pass
        """

    private static let end = "the script ended with "

    private static func frame(_ script: String) -> String {
        """
        #!/bin/bash
        export PATH=\(ProcessInfo.processInfo.environment["PATH"] ?? ""):/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
        mount -t proc proc /proc
        mount -t sysfs sysfs /sys
        mount -t devtmpfs devtmpfs /dev
        mkdir -p /dev/shm /dev/pts
        mount -t tmpfs tmpfs /dev/shm
        mount -t devpts devpts /dev/pts
        mount -t tmpfs tmpfs /run
        mkdir -m 1777 /run/tmp
        echo 1 > /proc/sys/kernel/printk
        busybox ip link set lo up
        modules=/usr/lib/uml/modules/$(uname -r)/kernel
        busybox insmod $modules/fs/overlayfs/overlay.ko
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        mkdir /sys/fs/cgroup/guest
        echo $$ > /sys/fs/cgroup/guest/cgroup.procs
        (
        export TMPDIR=/run/tmp
        \(script)
        )
        echo "\(end)$?."
        python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)'
        """
    }
}
