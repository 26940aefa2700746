import CLinux
import Glibc

extension Directory {
    /// Opens a path name by name, for kernels without openat2: every name is opened without following it, symbolic links
    /// are read and followed here, `..` goes back along the directories that were really walked.
    ///
    /// - Returns: a descriptor, or -1 and `errno`.
    func resolveByName(_ path: [UInt8], _ flags: Int32, _ mode: UInt32, followingLinks: Bool = true) -> Int32 {
        var pending = Self.names(path)
        var trail: [Int32] = []
        var links = 0
        defer { for open in trail { close(open) } }
        while let name = pending.popLast() {
            if name == [0x2e] { continue }
            if name == [0x2e, 0x2e] {
                if let last = trail.popLast() { close(last) }
                continue
            }
            let current = trail.last ?? fd
            if !(pending.isEmpty && flags & O_NOFOLLOW != 0), let target = Self.link(current, name) {
                links += 1
                guard links <= 40, followingLinks else {
                    errno = ELOOP
                    return -1
                }
                if target.first == UInt8(ascii: "/") {
                    for open in trail { close(open) }
                    trail = []
                }
                pending += Self.names(target)
                continue
            }
            let found = Self.open(
                current, name, pending.isEmpty ? flags | O_NOFOLLOW : linux_o_path | O_DIRECTORY | O_NOFOLLOW, mode)
            if pending.isEmpty || found < 0 { return found }
            trail.append(found)
        }
        return linux_openat(trail.last ?? fd, ".", flags & ~(O_CREAT | O_EXCL) | O_CLOEXEC, 0)
    }

    /// The names of a path, last first.
    private static func names(_ path: [UInt8]) -> [[UInt8]] {
        path.split(separator: UInt8(ascii: "/")).reversed().map { Array($0) }
    }

    private static func open(_ parent: Int32, _ name: [UInt8], _ flags: Int32, _ mode: UInt32) -> Int32 {
        (name + [0]).withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { base in
                base.withMemoryRebound(to: CChar.self, capacity: buffer.count) { name in
                    retrying { linux_openat(parent, name, flags | O_CLOEXEC, mode) }
                }
            } ?? -1
        }
    }

    private static func link(_ parent: Int32, _ name: [UInt8]) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { target in
            (name + [0]).withUnsafeBytes { name in
                guard let name = name.bindMemory(to: CChar.self).baseAddress,
                    let start = target.bindMemory(to: CChar.self).baseAddress
                else { return -1 }
                return readlinkat(parent, name, start, target.count)
            }
        }
        return count < 0 ? nil : Array(buffer[..<count])
    }
}
