import Builder
import Sandbox

/// How a test isolates its RUN steps. All tests of steps run in each of these.
enum BuildMode: String, Sendable, CaseIterable {
    /// Namespaces as root.
    case namespaces
    /// Namespaces with one id only, as an ordinary user has them: root is emulated, and owners are written down. What the
    /// builder itself may do as root is not taken from it here.
    case ordinaryUser = "ordinary-user"
    case chroot
    /// In place, in a directory of the test's that is thrown away.
    case inPlace = "in-place"

    var isolation: IsolationMode {
        switch self {
        case .namespaces, .ordinaryUser: .namespaces
        case .chroot: .chroot
        case .inPlace: .inPlace
        }
    }

    /// Whether things can be mounted into the root, and it has its own processes.
    var hasNamespaces: Bool { isolation == .namespaces }

    /// What the builder is to believe of the machine; `nil` and a printed reason where the machine has not got it.
    func report(of machine: IsolationReport) -> IsolationReport? {
        switch self {
        case .namespaces where machine.rootless:
            return nil
        case .ordinaryUser:
            guard machine.available.contains(.namespaces) else { return nil }
            return IsolationReport(available: [.namespaces], reasons: [:], rootless: true, canChown: false)
        case .inPlace:
            guard machine.canChown else { return nil }
            return IsolationReport(available: [.inPlace], reasons: [:], rootless: false, canChown: true)
        case .namespaces, .chroot:
            return machine.available.contains(isolation) ? machine.only(isolation) : nil
        }
    }
}
