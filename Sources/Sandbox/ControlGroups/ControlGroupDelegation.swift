import Glibc

/// Whether steps can have control groups of their own. Read only: nobody moves.
package enum ControlGroupDelegation: Sendable, Equatable {
    case delegated(path: String)
    case refused(reason: String)

    package static var current: ControlGroupDelegation {
        guard let place = ControlGroupPlace.own else {
            return .refused(reason: "the machine has no control groups of version 2")
        }
        let controllers = KernelFile.words("\(place.path)/cgroup.controllers")
        guard controllers.contains("memory") else {
            return .refused(reason: "\(place.path) has no controller for memory")
        }
        guard access(place.path, W_OK) == 0, access("\(place.path)/cgroup.subtree_control", W_OK) == 0 else {
            return .refused(reason: "\(place.path) cannot be written to")
        }
        return .delegated(path: place.path)
    }
}
