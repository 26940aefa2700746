import Blocking
import CSandbox
import Glibc
import Synchronization

/// The ids that /etc/subuid and /etc/subgid give to a user besides its own: subuid(5).
///
/// A process that has them enters a user namespace in which it is root, and in which they are the users 1, 2, 3 …. From then
/// on all that root does with an image's files works as it does for root: they are given to their owners, read and removed,
/// and a step's users are users to the kernel. Where they are missing, a step has one id, and the rest is emulated.
package enum SubordinateIDs {
    /// A piece of the machine's ids.
    struct Range: Hashable {
        let start: UInt32
        let count: UInt32
    }

    /// What became of it in this process.
    package enum Outcome: Sendable, Hashable {
        /// Root needs none.
        case unneeded
        /// This many are there besides the user's own.
        case entered(users: Int, groups: Int)
        case unavailable(reason: String)
    }

    /// With `off`, an ordinary user's process stays outside, and steps have one id.
    package static let switchVariable = "SLIPWAY_SUBORDINATE_IDS"

    /// Images have the users 0 to 65535: one of them is the user itself.
    static let needed = 65_535

    /// What to do about an id that the namespace has not got.
    package static let remedy =
        "this user namespace has no such id: give the user more in /etc/subuid and /etc/subgid, or set "
        + "\(switchVariable)=off, and owners are only written down"

    private static let state = Mutex(Outcome.unneeded)

    /// What `enter` came to.
    package static var outcome: Outcome { state.withLock { $0 } }

    /// Enters the namespace, if there is one to be had; else nothing changes. To be called by a process's first thread before
    /// it starts others.
    @discardableResult
    package static func enter() -> Outcome {
        let outcome = geteuid() == 0 ? Outcome.unneeded : attempt()
        state.withLock { $0 = outcome }
        return outcome
    }

    private static func attempt() -> Outcome {
        if getenv(switchVariable).map({ String(cString: $0) }) == "off" {
            return .unavailable(reason: "\(switchVariable) is off")
        }
        guard getuid() == geteuid(), getgid() == getegid() else {
            return .unavailable(reason: "the process has two users")
        }
        let names = [getpwuid(getuid()).map { String(cString: $0.pointee.pw_name) }, "\(getuid())"].compactMap { $0 }
        let users = ranges(in: IdentityMap.read("/etc/subuid", limit: fileLimit) ?? "", of: names)
        let groups = ranges(in: IdentityMap.read("/etc/subgid", limit: fileLimit) ?? "", of: names)
        for (file, found) in [("/etc/subuid", users), ("/etc/subgid", groups)] where count(found) < needed {
            return .unavailable(reason: "\(file) has no \(needed) ids for \(names[0])")
        }
        let path = (getenv("PATH").map { String(cString: $0) } ?? "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
        guard let mapUsers = find("newuidmap", in: path), let mapGroups = find("newgidmap", in: path) else {
            return .unavailable(reason: "there is no newuidmap and newgidmap (package uidmap)")
        }
        let holder = slipway_hold_user_namespace()
        guard holder > 0 else {
            return .unavailable(reason: "user namespaces are not allowed: \(String(cString: strerror(errno)))")
        }
        defer {
            kill(holder, SIGKILL)
            while waitpid(holder, nil, 0) < 0 && errno == EINTR {}
        }
        for (program, own, found) in [(mapUsers, getuid(), users), (mapGroups, getgid(), groups)] {
            if let problem = run(program, ["\(holder)"] + arguments(own: own, found)) {
                return .unavailable(reason: problem)
            }
        }
        guard slipway_join_user_namespace(holder) == 0 else {
            return .unavailable(reason: "the namespace cannot be entered: \(String(cString: strerror(errno)))")
        }
        return .entered(users: count(users), groups: count(groups))
    }

    // MARK: The files

    private static let fileLimit = 1 << 20
    /// The kernel takes 340 pieces; more than a few have no use.
    private static let rangeLimit = 64

    /// The pieces of a file that belong to a user by one of its names. Lines that make no sense belong to nobody.
    static func ranges(in text: String, of names: [String]) -> [Range] {
        var found: [Range] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count == 3, names.contains(String(fields[0])), let start = UInt32(fields[1]),
                let count = UInt32(fields[2]), count > 0, start > 0, !start.addingReportingOverflow(count).overflow
            else { continue }
            let range = Range(start: start, count: count)
            if !found.contains(range), found.count < rangeLimit { found.append(range) }
        }
        return found
    }

    private static func count(_ ranges: [Range]) -> Int { ranges.reduce(0) { $0 + Int($1.count) } }

    /// The map in the words of newuidmap(1): the user's own id is root, the others follow from 1 on.
    static func arguments(own: UInt32, _ ranges: [Range]) -> [String] {
        var words = ["0", "\(own)", "1"]
        var next: UInt64 = 1
        for range in ranges {
            // No id is above 2^32 - 2.
            let count = min(UInt64(range.count), UInt64(UInt32.max) - next)
            guard count > 0 else { break }
            words += ["\(next)", "\(range.start)", "\(count)"]
            next += count
        }
        return words
    }

    // MARK: The programs

    private static func find(_ program: String, in path: String) -> String? {
        path.split(separator: ":").lazy.map { "\($0)/\(program)" }.first { $0.hasPrefix("/") && access($0, X_OK) == 0 }
    }

    /// Runs a program to its end; gives what is wrong when it fails.
    private static func run(_ program: String, _ arguments: [String]) -> String? {
        let result: ChildProcess.Result
        do throws(ChildProcess.Failure) { result = try ChildProcess(program, arguments).run() } catch {
            switch error {
            case .notStarted(let reason): return "\(program) cannot be run: \(reason)"
            case .tookTooLong: return "\(program) took too long"
            case .printedTooMuch: return "\(program) failed"
            }
        }
        if result.status == 0 { return nil }
        return String(decoding: result.errors, as: UTF8.self).split(whereSeparator: \.isNewline).first.map(String.init)
            ?? "\(program) failed"
    }
}
