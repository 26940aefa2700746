import Glibc
import OCI

/// What the programs of a RUN step are made for.
struct StepPlatform {
    private let platform: Platform

    init(_ platform: Platform) { self.platform = platform }

    /// Programs of another processor do not run here, unless the kernel was told how.
    func refuseForeign() throws(BuildError) {
        let (wanted, host) = (platform.normalized, Platform.host.normalized)
        let runsBeside = ["amd64": "386", "arm64": "arm"]
        guard wanted.os == "linux", !wanted.architecture.isEmpty, wanted.architecture != "unknown",
            wanted.architecture != host.architecture, runsBeside[host.architecture] != wanted.architecture,
            !Self.hasEmulation(of: wanted.architecture)
        else { return }
        throw BuildError(
            .unsupported, "the step is for \(wanted), and this machine is \(host)",
            cause: "its programs cannot run here",
            hint: "build on such a machine; or compile for it in a stage FROM --platform=$BUILDPLATFORM and COPY the "
                + "result; or register an emulator (qemu-user-static) with binfmt_misc")
    }

    /// https://docs.kernel.org/admin-guide/binfmt-misc.html, under the names that QEMU's packages give.
    private static func hasEmulation(of architecture: String) -> Bool {
        let names = [
            "amd64": "x86_64", "arm64": "aarch64", "386": "i386", "ppc64le": "ppc64le", "mips64le": "mips64el",
            "mipsle": "mipsel", "loong64": "loongarch64",
        ]
        return access("/proc/sys/fs/binfmt_misc/qemu-\(names[architecture] ?? architecture)", F_OK) == 0
    }
}
