package import Sandbox

/// What is said of the isolation of RUN steps, and which field to change for a stronger one. Pure: from what was found out.
package struct IsolationAdvice: Sendable {
    package let confinement: ProcessConfinement
    package let report: IsolationReport
    package let identities: SubordinateIDs.Outcome
    package let stateDirectory: String
    /// Whether fields of a pod can be changed at all.
    package let isInPod: Bool

    package init(
        confinement: ProcessConfinement, report: IsolationReport, identities: SubordinateIDs.Outcome,
        stateDirectory: String, isInPod: Bool
    ) {
        self.confinement = confinement
        self.report = report
        self.identities = identities
        self.stateDirectory = stateDirectory
        self.isInPod = isInPod
    }

    package var findings: [DoctorFinding] {
        var findings: [DoctorFinding] = []
        if let mode = report.automatic {
            findings.append(
                DoctorFinding(.isolation, .ok, "RUN steps are isolated by \(mode.rawValue)\(identityWords)"))
        } else {
            findings.append(
                DoctorFinding(
                    .isolation, .error, "RUN steps cannot be run here; Dockerfiles without RUN can be built",
                    hint: "change one of the fields below"))
        }
        if !report.available.contains(.namespaces) {
            findings.append(
                DoctorFinding(
                    .namespaces, report.automatic == nil ? .warning : .note, "no isolation by namespaces",
                    cause: report.reasons[.namespaces], hint: namespaceField))
        }
        if report.automatic == nil, !report.available.contains(.chroot) {
            findings.append(
                DoctorFinding(
                    .chroot, .warning, "no isolation by chroot", cause: report.reasons[.chroot], hint: chrootField))
        }
        if case .unavailable(let reason) = identities, report.available.contains(.namespaces) {
            findings.append(
                DoctorFinding(
                    .subordinateIDs, .warning,
                    "steps have a single user id: other owners of files are only written down",
                    cause: reason, hint: identityField(reason)))
        }
        return findings
    }

    private var identityWords: String {
        switch identities {
        case .entered(let users, let groups): ", with \(min(users, groups)) subordinate ids"
        case .unavailable: report.rootless ? ", with a single user id" : ""
        case .unneeded: ""
        }
    }

    // MARK: Fields

    private var namespaceField: String? {
        switch report.namespaceFailure?.stage {
        case .overlay: overlayField
        case .clone, .mapIDs: userNamespaceField
        case nil: report.remedies[.namespaces]
        default:
            if confinement.appArmorProfile != nil { appArmorField } else { report.remedies[.namespaces] }
        }
    }

    private var userNamespaceField: String {
        if confinement.hasSeccompFilter {
            return isInPod
                ? "in the pod, securityContext.seccompProfile.type: Unconfined (or Localhost, with a profile that allows "
                    + "unshare and clone); from Kubernetes 1.33 on also hostUsers: false"
                : "run it without the seccomp filter of its container (docker run --security-opt seccomp=unconfined)"
        }
        if confinement.appArmorProfile != nil { return appArmorField }
        return
            "on the node, sysctl user.max_user_namespaces must not be 0, and neither kernel.unprivileged_userns_clone=0 nor "
            + "kernel.apparmor_restrict_unprivileged_userns=1 may be set"
    }

    private var overlayField: String {
        isInPod
            ? "mount an emptyDir or another local volume at \(stateDirectory): volumeMounts[].mountPath"
            : "put \(stateDirectory) on a local file system, ext4 or xfs, not on an overlay or NFS"
    }

    private var appArmorField: String {
        isInPod
            ? "in the container, securityContext.appArmorProfile.type: Unconfined; before Kubernetes 1.30 the pod's annotation "
                + "container.apparmor.security.beta.kubernetes.io/slipway: unconfined"
            : "run it without the AppArmor profile of its container (docker run --security-opt apparmor=unconfined)"
    }

    private var chrootField: String? {
        guard report.rootless else {
            let missing = ProcessConfinement.Capability.allCases.filter { !confinement.has($0) }
            guard isInPod, !missing.isEmpty else { return report.remedies[.chroot] }
            return
                "in the container, securityContext.capabilities.add: [\(missing.map(\.name).joined(separator: ", "))]"
        }
        return isInPod
            ? "in the pod, securityContext.runAsUser: 0 and runAsNonRoot: false, in the container without capabilities.drop"
            : "run it as root"
    }

    private func identityField(_ reason: String) -> String? {
        guard isInPod else { return "give the user 65536 ids in /etc/subuid and /etc/subgid, and install newuidmap" }
        if confinement.noNewPrivileges {
            return
                "in the container, securityContext.allowPrivilegeEscalation: true and capabilities.add: [SETUID, SETGID]"
        }
        let missing = [ProcessConfinement.Capability.setUID, .setGID].filter { !confinement.mayGet($0) }
        if !missing.isEmpty {
            return
                "in the container, securityContext.capabilities.add: [\(missing.map(\.name).joined(separator: ", "))]"
        }
        return reason.hasPrefix("/etc/sub")
            ? "in the pod, securityContext.runAsUser: 1000, the image's user, to whom its /etc/subuid gives ids"
            : "use Slipway's own image, which has newuidmap and newgidmap with file capabilities"
    }
}
