import Foundation
import Synchronization

/// Ports for servers that do not choose one themselves. Between the choice and the server's start some time passes, in which somebody
/// else may take the port: a connection that goes out, or another test process that looks for one. So they are none of those that the
/// kernel gives to connections, and each is marked for a while by a socket of UDP, which holds no server up.
enum FreePorts {
    private static let marks = Mutex<[Int32]>([])
    private static let kept = 64

    /// What the kernel does not hand out by itself.
    private static let range: Range<Int> = {
        let text = try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
        let first = text?.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) } ?? 32_768
        return first > 12_000 ? 10_000..<first : 49_000..<61_000
    }()

    static func next() throws -> Int {
        for _ in 0..<200 {
            let port = Int.random(in: range)
            guard let mark = bound(SOCK_DGRAM, port) else { continue }
            guard let probe = bound(SOCK_STREAM, port) else {
                close(mark)
                continue
            }
            close(probe)
            marks.withLock { marks in
                marks.append(mark)
                // The servers of old ones have long begun.
                if marks.count > kept { close(marks.removeFirst()) }
            }
            return port
        }
        throw TestSupportError("no free port in \(range)")
    }

    /// A socket that is bound to a port of the loopback interface; `nil` when somebody has it.
    private static func bound(_ type: __socket_type, _ port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }
}
