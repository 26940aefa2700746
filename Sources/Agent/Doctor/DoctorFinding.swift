import Diagnostics

/// One thing that the doctor looked at.
package struct DoctorFinding: Diagnostic, Hashable {
    /// What was looked at. The texts are stable: scripts may look for them.
    package enum Code: String, Sendable, CaseIterable {
        case stateDirectory = "state-directory"
        case stateSpace = "state-space"
        case stateExecutable = "state-executable"

        /// Which isolation RUN steps get.
        case isolation
        /// Why they get no stronger one.
        case namespaces, chroot
        case subordinateIDs = "subordinate-ids"

        case seccomp
        case mandatoryAccess = "mandatory-access"
        case landlock
        case callNotification = "call-notification"
        case controlGroups = "control-groups"

        case name
        case git
        case registry

        case cluster
        case rights
    }

    package enum Status: String, Sendable, Comparable {
        case ok
        /// Works, and could be stronger; or is not needed by this configuration.
        case note
        /// Something does not work, and the agent goes on without it.
        case warning
        /// Something that the agent needs does not work.
        case error

        private var weight: Int {
            switch self {
            case .ok: 0
            case .note: 1
            case .warning: 2
            case .error: 3
            }
        }

        package static func < (one: Status, other: Status) -> Bool { one.weight < other.weight }
    }

    package let code: Code
    package let status: Status
    /// What of several it is about: a host, a repository, a feature.
    package let subject: String?
    package let summary: String
    package let cause: String?
    /// What to change: a pod's field with its value, a key of the configuration, or a command.
    package let hint: String?

    package init(
        _ code: Code, _ status: Status, _ summary: String, subject: String? = nil, cause: String? = nil,
        hint: String? = nil
    ) {
        self.code = code
        self.status = status
        self.subject = subject
        self.summary = summary
        self.cause = cause
        self.hint = hint
    }

    /// Another module's failure.
    init(_ code: Code, subject: String? = nil, status: Status = .error, _ error: any Diagnostic) {
        let place = error.place.map { "\($0): " } ?? ""
        self.init(
            code, status, place + error.summary, subject: subject, cause: error.cause, hint: error.hint)
    }
}
