import CLinux
import Glibc

/// Extended attributes of open files, and of paths without following a last symbolic link.
package enum ExtendedAttributes {
    /// - Returns: `nil` when the file has no such attribute, or its file system has none at all.
    package static func get(_ name: String, fd: Int32) throws(FileSystemError) -> [UInt8]? {
        try value(name, shown: "descriptor \(fd)") { fgetxattr(fd, name, $0, $1) }
    }

    package static func get(_ name: String, path: some PathName) throws(FileSystemError) -> [UInt8]? {
        try path.withPath("read the attribute \(name)") { path in
            Result { () throws(FileSystemError) in
                try value(name, shown: String(cString: path)) { lgetxattr(path, name, $0, $1) }
            }
        }.get()
    }

    package static func set(_ name: String, _ value: [UInt8], fd: Int32) throws(FileSystemError) {
        let result = value.withUnsafeBytes { fsetxattr(fd, name, $0.baseAddress, $0.count, 0) }
        guard result == 0 else {
            throw FileSystemError("set the attribute \(name)", path: "descriptor \(fd)", code: errno)
        }
    }

    package static func set(_ name: String, _ value: [UInt8], path: some PathName) throws(FileSystemError) {
        let result = try path.withPath("set the attribute \(name)") { path in
            value.withUnsafeBytes { lsetxattr(path, name, $0.baseAddress, $0.count, 0) }
        }
        guard result == 0 else { throw FileSystemError("set the attribute \(name)", path: path.shown, code: errno) }
    }

    /// Sets an attribute that only root may set: see `Directory.setAttributeInNamespace`.
    package static func setInNamespace(_ name: String, _ value: [UInt8], fd: Int32) throws(FileSystemError) {
        let result = value.withUnsafeBytes {
            linux_set_attribute_in_namespace(fd, nil, name, $0.baseAddress, $0.count)
        }
        guard result == 0 else {
            throw FileSystemError("set the attribute \(name)", path: "descriptor \(fd)", code: errno)
        }
    }

    package static func remove(_ name: String, path: some PathName) throws(FileSystemError) {
        let result = try path.withPath("remove the attribute \(name)") { lremovexattr($0, name) }
        guard result == 0 || errno == ENODATA else {
            throw FileSystemError("remove the attribute \(name)", path: path.shown, code: errno)
        }
    }

    package static func list(fd: Int32) throws(FileSystemError) -> [String] {
        try names(shown: "descriptor \(fd)") { flistxattr(fd, $0, $1) }
    }

    package static func list(path: some PathName) throws(FileSystemError) -> [String] {
        try path.withPath("list the attributes") { path in
            Result { () throws(FileSystemError) in
                try names(shown: String(cString: path)) { llistxattr(path, $0, $1) }
            }
        }.get()
    }

    /// The kernel's own limit on a value and on a list of names.
    private static let limit = 64 << 10

    private static func value(
        _ name: String, shown: String, _ call: (UnsafeMutableRawPointer?, Int) -> Int
    ) throws(FileSystemError) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = buffer.withUnsafeMutableBytes { call($0.baseAddress, $0.count) }
            if count >= 0 { return Array(buffer[..<count]) }
            switch errno {
            case ENODATA, ENOTSUP: return nil
            case ERANGE where buffer.count < limit: buffer = [UInt8](repeating: 0, count: limit)
            default: throw FileSystemError("read the attribute \(name)", path: shown, code: errno)
            }
        }
    }

    private static func names(
        shown: String, _ call: (UnsafeMutablePointer<CChar>?, Int) -> Int
    ) throws(FileSystemError) -> [String] {
        var buffer = [CChar](repeating: 0, count: 1024)
        while true {
            let count = buffer.withUnsafeMutableBufferPointer { call($0.baseAddress, $0.count) }
            if count >= 0 {
                return buffer[..<count].split(separator: 0).map {
                    String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                }
            }
            switch errno {
            case ENOTSUP: return []
            case ERANGE where buffer.count < limit: buffer = [CChar](repeating: 0, count: limit)
            default: throw FileSystemError("list the attributes", path: shown, code: errno)
            }
        }
    }
}
