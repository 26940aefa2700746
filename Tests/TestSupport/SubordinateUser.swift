import Foundation
import Glibc

/// A user of this machine with subordinate ids, made for a test and removed after it. Only root can make one.
package final class SubordinateUser {
    package let name: String
    package let id: Int
    /// The first of its 65536 subordinate ids.
    package let start: Int

    /// `nil`, and a printed reason, where that cannot be had.
    package init?() throws {
        guard geteuid() == 0 else {
            print("skipped: only root can make a user with subordinate ids")
            return nil
        }
        let missing = ["useradd", "userdel", "usermod", "newuidmap", "newgidmap", "setpriv", "python3"].filter {
            (try? Shell.run(["sh", "-c", "command -v \($0)"]))?.status != 0
        }
        guard missing.isEmpty else {
            print("skipped: \(missing) are not installed")
            return nil
        }
        let number = Int.random(in: 20_000..<50_000)
        name = "slipway\(number)"
        id = number
        start = 1_000_000 + (number - 20_000) * 65_536
        let created = try Shell.run(
            [
                "useradd", "-M", "-U", "-u", "\(id)", "-s", "/usr/sbin/nologin", "-K", "SUB_UID_COUNT=0",
                "-K", "SUB_GID_COUNT=0", "-K", "GID_MIN=\(id)", "-K", "GID_MAX=\(id)", name,
            ],
            allowFailure: true)
        guard created.status == 0 else {
            print("skipped: no user can be made here: \(created.stderr)")
            return nil
        }
        let range = "\(start)-\(start + 65_535)"
        try Shell.run(["usermod", "--add-subuids", range, "--add-subgids", range, name])
    }

    deinit { _ = try? Shell.run(["userdel", name], allowFailure: true) }

    /// What goes before a command that this user is to run.
    package var prefix: [String] { ["setpriv", "--reuid", "\(id)", "--regid", "\(id)", "--clear-groups"] }

    /// The same, as root of a user namespace with the user's ids: what `SubordinateIDs.enter` makes, by other means.
    package var namespacePrefix: [String] { ["python3", "-c", Self.launcher, "\(id)", "\(start)"] }

    private static let launcher = """
        import ctypes, os, sys
        id, start = int(sys.argv[1]), sys.argv[2]
        os.setgroups([]); os.setresgid(id, id, id); os.setresuid(id, id, id)
        libc = ctypes.CDLL(None)
        libc.prctl(4, 1, 0, 0, 0)
        ready, done = os.pipe(), os.pipe()
        process = str(os.getpid())
        if os.fork() == 0:
            os.read(ready[0], 1)
            made = [os.spawnvp(os.P_WAIT, program, [program, process, '0', str(id), '1', '1', start, '65536'])
                    for program in ('newuidmap', 'newgidmap')]
            os.write(done[1], b'y' if made == [0, 0] else b'n'); os._exit(0)
        if libc.unshare(0x10000000): sys.exit('no user namespace')
        os.write(ready[1], b'x')
        if os.read(done[0], 1) != b'y': sys.exit('no map')
        os.wait(); os.setresgid(0, 0, 0); os.setresuid(0, 0, 0)
        os.execvp(sys.argv[3], sys.argv[3:])
        """
}
