import Foundation
import Glibc

/// Runs `body` with the file permissions of an ordinary user (1000:1000), also when the tests run as root, who may do
/// everything. Only this thread changes: the kernel keeps the file system's user per thread, and takes root's powers over
/// files away together with it.
package func asOrdinaryUser<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
    guard getuid() == 0 else { return try body() }
    typealias Call = @convention(c) (UInt32) -> Int32
    guard let user = dlsym(nil, "setfsuid"), let group = dlsym(nil, "setfsgid") else {
        throw TestSupportError("the C library has no setfsuid")
    }
    let (setUser, setGroup) = (unsafeBitCast(user, to: Call.self), unsafeBitCast(group, to: Call.self))
    _ = setGroup(1000)
    _ = setUser(1000)
    defer {
        _ = setUser(0)
        _ = setGroup(0)
    }
    return try body()
}
