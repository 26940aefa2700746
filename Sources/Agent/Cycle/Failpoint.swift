import Glibc

/// Places where a test lets the process die: `SLIPWAY_FAILPOINT=after:push` ends it by SIGKILL there, as a node's failure
/// would. Without the variable it does nothing.
enum Failpoint {
    private static let name: String? = getenv("SLIPWAY_FAILPOINT").map { String(cString: $0) }

    static func pass(_ place: @autoclosure () -> String) {
        guard let name, name == place() else { return }
        kill(getpid(), SIGKILL)
    }
}
