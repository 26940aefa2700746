import FileSystem
import Glibc
package import Sandbox

/// What a machine or a pod allows, apart from the isolation of steps.
package struct MachineExamination: Sendable {
    package let confinement: ProcessConfinement
    package let controlGroups: ControlGroupDelegation

    package init(confinement: ProcessConfinement, controlGroups: ControlGroupDelegation) {
        self.confinement = confinement
        self.controlGroups = controlGroups
    }

    package var findings: [DoctorFinding] {
        var findings = [
            DoctorFinding(
                .seccomp, .ok,
                confinement.hasSeccompFilter ? "a seccomp filter is in force" : "no seccomp filter is in force")
        ]
        if let profile = confinement.appArmorProfile {
            findings.append(DoctorFinding(.mandatoryAccess, .ok, "AppArmor profile \(profile)"))
        }
        if let label = confinement.seLinuxLabel {
            findings.append(DoctorFinding(.mandatoryAccess, .ok, "SELinux label \(label)"))
        }
        findings.append(
            confinement.landlock > 0
                ? DoctorFinding(.landlock, .ok, "Landlock, version \(confinement.landlock) of its interface")
                : DoctorFinding(
                    .landlock, .note, "no Landlock: steps are kept in by the filter of their calls alone",
                    hint: "a kernel of version 5.19 or newer with CONFIG_SECURITY_LANDLOCK"))
        if !confinement.canAskAboutCalls {
            findings.append(
                DoctorFinding(
                    .callNotification, .warning,
                    "no seccomp user notification: root's calls cannot be answered for an ordinary user",
                    hint: "a kernel of version 5.5 or newer"))
        }
        switch controlGroups {
        case .delegated(let path):
            findings.append(DoctorFinding(.controlGroups, .ok, "steps get control groups of their own below \(path)"))
        case .refused(let reason):
            findings.append(
                DoctorFinding(
                    .controlGroups, .note,
                    "steps share the agent's control group: 'builds.stepMemory' has no effect",
                    cause: reason))
        }
        return findings
    }
}
