import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite(.tags(.unit)) struct ProcessConfinementTests {
    private static let restricted = """
        Name:\tslipway
        Uid:\t1000\t1000\t1000\t1000
        CapEff:\t0000000000000000
        CapBnd:\t00000000000000c0
        NoNewPrivs:\t1
        Seccomp:\t2
        """

    @Test func `what the kernel says of an ordinary user in a pod`() {
        let found = ProcessConfinement(status: Self.restricted, label: "cri-containerd.apparmor.d (enforce)\n")
        #expect(found.user == 1000)
        #expect(found.noNewPrivileges && found.hasSeccompFilter)
        #expect(!found.has(.chown) && found.mayGet(.setUID) && found.mayGet(.setGID) && !found.mayGet(.changeRoot))
        #expect(found.appArmorProfile == "cri-containerd.apparmor.d (enforce)")
        #expect(found.seLinuxLabel == nil)
    }

    @Test(
        arguments: [
            ("unconfined\n", false, nil, nil), ("docker-default (unconfined)\n", false, nil, nil),
            ("docker-default (enforce)\n", false, "docker-default (enforce)", nil),
            ("system_u:system_r:container_t:s0:c1,c2\0", true, nil, "system_u:system_r:container_t:s0:c1,c2"),
            (nil, false, nil, nil),
        ] as [(String?, Bool, String?, String?)])
    func `a label is AppArmor's or SELinux's`(label: String?, isSELinux: Bool, profile: String?, context: String?) {
        let found = ProcessConfinement(status: Self.restricted, label: label, hasSELinux: isSELinux)
        #expect(found.appArmorProfile == profile)
        #expect(found.seLinuxLabel == context)
    }

    @Test func `this process is confined as the kernel says`() {
        let found = ProcessConfinement.current
        #expect(found.user == geteuid())
        #expect(found.landlock >= 0)
    }
}

@Suite(.tags(.unit)) struct MountPointTests {
    private static let text = """
        21 1 0:20 / / rw,relatime - overlay overlay rw
        22 21 0:21 / /proc rw,nosuid - proc proc rw
        23 21 8:1 / /var/lib/slipway rw,noexec,relatime shared:1 master:2 - ext4 /dev/sda1 rw
        24 21 0:22 / /with\\040blank rw - tmpfs tmpfs rw
        25 23 0:23 / /var/lib/slipway rw - xfs /dev/sdb rw
        """

    @Test(arguments: [
        ("/var/lib/slipway/x", "/var/lib/slipway", "xfs"), ("/var/lib/slipwayx", "/", "overlay"),
        ("/var/lib/slipway", "/var/lib/slipway", "xfs"), ("/with blank/a", "/with blank", "tmpfs"),
        ("/", "/", "overlay"),
    ])
    func `the mount that a path lies on`(path: String, point: String, type: String) {
        let found = MountPoint.find(path, in: Self.text)
        #expect(found?.path == point)
        #expect(found?.type == type)
        #expect(found?.options.contains("rw") == true)
    }
}
