import CSandbox
import Diagnostics
import Glibc

/// A step that could not be started.
package struct SandboxError: Diagnostic, Equatable {
    /// The stage that failed, in the order of the kernel's work.
    package enum Stage: Int32, Sendable {
        case clone = 1
        case mapIDs, privateMounts, overlay, root, proc, sys, dev, mount, pivot, hostname, network, fork, groups, user
        case capabilities, directory, streams, exec, chroot, emulation
        /// The step had more processes than it may; told as a result.
        case processes
        /// The filter of the step's system calls.
        case callFilter
        /// The supervision itself failed, or was cancelled.
        case supervision
        /// The step's control group; of no stage of the kernel's work.
        case limits = 1_000
    }

    package let stage: Stage
    package let number: Int32
    /// The program, the directory, the mount's target that it is about.
    package let subject: String?

    package init(_ stage: Stage, _ number: Int32, subject: String? = nil) {
        self.stage = stage
        self.number = number
        self.subject = subject
    }

    package var summary: String {
        switch stage {
        case .clone: "cannot make the namespaces"
        case .mapIDs: "cannot map user ids into the namespace"
        case .privateMounts: "cannot make the mounts private"
        case .overlay: "cannot mount the overlay"
        case .root, .pivot: "cannot enter the root file system"
        case .emulation: "cannot answer root's calls for an ordinary user"
        case .proc: "cannot mount /proc"
        case .sys: "cannot mount /sys"
        case .dev: "cannot mount /dev"
        case .mount: "cannot mount \(subject ?? "a directory")"
        case .hostname: "cannot set the host name"
        case .network: "cannot keep the network away from the step"
        case .fork: "cannot start a process"
        case .groups: "cannot take on the step's groups"
        case .user: "cannot become the step's user"
        case .capabilities: "cannot give up capabilities"
        case .directory: "cannot enter the working directory \(subject ?? "")"
        case .streams: "cannot connect the step's output"
        case .exec: "cannot execute \(subject ?? "the program")"
        case .chroot: "cannot change the root directory"
        case .callFilter: "cannot filter the step's system calls"
        case .processes: "the step has too many processes"
        case .limits: "cannot bound the step's memory"
        case .supervision: number == ECANCELED ? "the step was cancelled" : "cannot supervise the step"
        }
    }

    package var cause: String? {
        switch (stage, number) {
        case (.supervision, ECANCELED): nil
        case (.exec, ENOENT): "no such program in the image"
        case (.limits, _): "\(subject ?? "the control group"): \(String(cString: strerror(number)))"
        default: String(cString: strerror(number))
        }
    }

    package var hint: String? {
        switch (stage, number) {
        case (.exec, ENOENT):
            "is it in the image and on PATH, and does the image have the interpreter of its first line or its loader?"
        case (.exec, ENOEXEC): "it is made for another platform, or a script without a '#!' line"
        case (.exec, EACCES): "the file's mode does not allow it"
        case (.emulation, _):
            "it takes Linux 5.5 with seccomp user notification; where that cannot be had, run as root"
        case (.callFilter, _): "RUN steps need a kernel with seccomp filters; QEMU's user emulation has none"
        case (.clone, _), (.mapIDs, _):
            "the machine or the pod's seccomp profile does not allow user namespaces; as root, use --isolation chroot"
        case (.overlay, EINVAL):
            "the state directory may itself be on an overlay: put it on a volume (an emptyDir), or use --isolation chroot"
        case (.overlay, E2BIG): "the image has too many layers to stack"
        case (.user, EINVAL), (.groups, EINVAL): SubordinateIDs.remedy
        case (.network, _): "use isolation by namespaces for RUN --network=none"
        default: nil
        }
    }
}
