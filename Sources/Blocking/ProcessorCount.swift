import Glibc

/// How many threads are worth starting for work that computes.
package enum ProcessorCount {
    /// The processors that this process may use (glibc asks for its affinity), sixteen at most.
    package static let value = min(16, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}
