import Blocking
import CSandbox
import FileSystem
import Glibc

/// What a machine allows, found out by trying.
package struct IsolationReport: Sendable {
    /// Strongest first.
    package let available: [IsolationMode]
    /// Why a mode is, or is not, to be had.
    package let reasons: [IsolationMode: String]
    /// Whether the process is an ordinary user.
    package let rootless: Bool
    /// Whether files can be given to any owner.
    package let canChown: Bool

    /// What would make an unavailable mode available.
    package let remedies: [IsolationMode: String]

    /// Where the attempt at namespaces ended; `nil` where it did not get that far, or worked.
    package let namespaceFailure: SandboxError?

    package init(
        available: [IsolationMode], reasons: [IsolationMode: String], remedies: [IsolationMode: String] = [:],
        rootless: Bool, canChown: Bool, namespaceFailure: SandboxError? = nil
    ) {
        self.namespaceFailure = namespaceFailure
        self.available = available
        self.reasons = reasons
        self.remedies = remedies
        self.rootless = rootless
        self.canChown = canChown
    }

    /// The same, with one mode only.
    package func only(_ mode: IsolationMode) -> IsolationReport {
        IsolationReport(
            available: available.filter { $0 == mode }, reasons: reasons, remedies: remedies, rootless: rootless,
            canChown: canChown, namespaceFailure: namespaceFailure)
    }

    /// Whose ids steps have, where the process is not the machine's root, as the end of a sentence.
    package var identities: String {
        switch SubordinateIDs.outcome {
        case .entered(let users, let groups): " without root, with \(min(users, groups)) subordinate ids"
        case .unavailable(let reason): rootless ? " without root, with this user's id only (\(reason))" : ""
        case .unneeded: rootless ? " without root" : ""
        }
    }

    /// What is used when nobody asks for a mode: the strongest. Never one that empties the machine's root.
    package var automatic: IsolationMode? { available.first { $0 != .inPlace } }
}

package enum SandboxProbe {
    /// Tries each mode with everything but a program, in a directory below the state directory: an overlay may work on one
    /// file system and not on another.
    package static func probe(stateDirectory: String) async -> IsolationReport {
        await runBlocking { () throws(Never) in report(stateDirectory) }
    }

    /// What is known without trying: whether the process is an ordinary user, and whether it can give files away.
    package static var owner: (rootless: Bool, canChown: Bool) {
        let isRootless = geteuid() != 0
        return (isRootless, !isRootless && missingCapabilities([chown]).isEmpty)
    }

    private static let chown = (name: "chown", bit: 0)

    private static func report(_ stateDirectory: String) -> IsolationReport {
        var available: [IsolationMode] = []
        var reasons: [IsolationMode: String] = [:]
        var remedies: [IsolationMode: String] = [:]
        let (isRootless, canChown) = owner
        var failure: SandboxError?
        do throws(StateDirectoryError) {
            _ = try StateDirectory(stateDirectory)
            do throws(SandboxError) {
                try tryNamespaces(stateDirectory)
                available.append(.namespaces)
                reasons[.namespaces] = "user namespaces and overlays work"
            } catch {
                failure = error
                reasons[.namespaces] = error.summary + (error.cause.map { ": \($0)" } ?? "")
                remedies[.namespaces] = error.hint ?? "let the pod make user namespaces, or use --isolation auto"
            }
        } catch {
            // Nothing can be tried in it.
            reasons[.namespaces] = "\(stateDirectory): \(error.summary)" + (error.cause.map { ": \($0)" } ?? "")
            remedies[.namespaces] = error.hint
        }
        let missing = missingCapabilities([chown, ("setgid", 6), ("setuid", 7), ("sys_chroot", 18)])
        if isRootless {
            reasons[.chroot] = "only root can change the root directory"
            remedies[.chroot] = "run as root, or where user namespaces are allowed"
        } else if !missing.isEmpty {
            reasons[.chroot] = "root lacks the capabilities \(missing.joined(separator: ", "))"
            remedies[.chroot] = "give the container its default capabilities back"
        } else {
            available.append(.chroot)
            reasons[.chroot] = "root may change the root directory"
        }
        if isRootless {
            reasons[.inPlace] = "only root can write the files of an image over its own root directory"
            remedies[.inPlace] = "run as root, or where user namespaces are allowed"
        } else if access("/", W_OK) != 0 {
            reasons[.inPlace] = "the root directory belongs to a user who is nobody in this user namespace"
            remedies[.inPlace] = "run as root, or use --isolation auto"
        } else if !ThrowAwayRoot.isOne {
            reasons[.inPlace] = "this root directory is not known to be thrown away: all that is in it would be removed"
            remedies[.inPlace] = ThrowAwayRoot.remedy
        } else {
            available.append(.inPlace)
            reasons[.inPlace] = "the root directory is thrown away"
        }
        return IsolationReport(
            available: available, reasons: reasons, remedies: remedies, rootless: isRootless,
            canChown: canChown, namespaceFailure: failure)
    }

    private static func tryNamespaces(_ stateDirectory: String) throws(SandboxError) {
        let base = "\(stateDirectory)/probe-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let directories = [base, base + "/lower", base + "/upper", base + "/work"]
        // With what overlayfs leaves in `work`, in directories without permissions.
        defer { try? removeTree(base) }
        for path in directories where mkdir(path, 0o700) != 0 { throw SandboxError(.root, errno) }
        var step = SandboxStep(mode: .namespaces, arguments: ["probe"])
        step.root = .overlay(lowers: [base + "/lower"], upper: base + "/upper", work: base + "/work")
        _ = try SandboxProcess(step, stop: StopSignal(), isProbe: true).run { _, _ in }
    }

    /// The names of those capabilities that the process does not have.
    private static func missingCapabilities(_ wanted: [(String, Int)]) -> [String] {
        guard let text = IdentityMap.read("/proc/self/status"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") }),
            let mask = UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16)
        else { return wanted.map(\.0) }
        return wanted.filter { mask >> UInt64($0.1) & 1 == 0 }.map(\.0)
    }
}
