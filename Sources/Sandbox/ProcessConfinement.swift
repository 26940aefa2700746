import CSandbox
import Glibc

/// What the kernel and a container's runtime let this process do, as far as it can be read without trying.
package struct ProcessConfinement: Sendable, Equatable {
    /// Capabilities by their numbers: capabilities(7).
    package enum Capability: Int, Sendable, CaseIterable {
        case chown = 0
        case setGID = 6
        case setUID = 7
        case changeRoot = 18

        /// As a container's securityContext spells it.
        package var name: String {
            switch self {
            case .chown: "CHOWN"
            case .setGID: "SETGID"
            case .setUID: "SETUID"
            case .changeRoot: "SYS_CHROOT"
            }
        }
    }

    /// The user that the process has, inside its user namespace.
    package var user: UInt32
    package var effective: UInt64
    /// What a program with file capabilities can still get.
    package var bounding: UInt64
    /// `no_new_privs`: what a pod's `allowPrivilegeEscalation: false` sets.
    package var noNewPrivileges: Bool
    /// Whether a seccomp filter is in force; which one, the kernel does not say.
    package var hasSeccompFilter: Bool
    /// The AppArmor profile in force; `nil` where there is none, or an unconfined one.
    package var appArmorProfile: String?
    /// The SELinux label; `nil` where SELinux is not in force.
    package var seLinuxLabel: String?
    /// The version of Landlock's interface; 0 where there is none.
    package var landlock: Int
    /// Whether a filter may ask another process about a call (seccomp user notification).
    package var canAskAboutCalls: Bool

    /// - Parameters:
    ///   - status: the text of `/proc/self/status`.
    ///   - label: the text of `/proc/self/attr/current`, which belongs to AppArmor or to SELinux.
    package init(
        status: String, label: String? = nil, hasSELinux: Bool = false, landlock: Int = 0,
        canAskAboutCalls: Bool = true
    ) {
        var fields: [Substring: [Substring]] = [:]
        for line in status.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...].split { $0 == "\t" || $0 == " " }
        }
        func mask(_ name: Substring) -> UInt64 { fields[name]?.first.flatMap { UInt64($0, radix: 16) } ?? 0 }
        user = fields["Uid"]?.dropFirst().first.flatMap { UInt32($0) } ?? 0
        effective = mask("CapEff")
        bounding = mask("CapBnd")
        noNewPrivileges = fields["NoNewPrivs"]?.first == "1"
        hasSeccompFilter = fields["Seccomp"]?.first == "2"
        let label = label?.split { $0 == "\n" || $0 == "\0" }.first.map(String.init)
        if hasSELinux {
            seLinuxLabel = label
        } else if let label, label != "unconfined", !label.hasSuffix("(unconfined)") {
            appArmorProfile = label
        }
        self.landlock = landlock
        self.canAskAboutCalls = canAskAboutCalls
    }

    package func has(_ capability: Capability) -> Bool { effective >> UInt64(capability.rawValue) & 1 == 1 }
    package func mayGet(_ capability: Capability) -> Bool { bounding >> UInt64(capability.rawValue) & 1 == 1 }

    /// Of this process.
    package static var current: ProcessConfinement {
        ProcessConfinement(
            status: KernelFile.read("/proc/self/status") ?? "", label: KernelFile.read("/proc/self/attr/current"),
            hasSELinux: access("/sys/fs/selinux/enforce", F_OK) == 0, landlock: Int(slipway_landlock_version()),
            canAskAboutCalls: slipway_can_ask_about_calls() != 0)
    }
}
