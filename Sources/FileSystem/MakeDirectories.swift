import Glibc

/// Makes a directory and those above it where they are missing. What is there keeps its mode.
///
/// - Throws: names the first directory that could not be made.
package func makeDirectories(_ path: String, mode: UInt32 = 0o755) throws(FileSystemError) {
    if mkdir(path, mode) == 0 || errno == EEXIST { return }
    let code = errno
    guard code == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
        throw FileSystemError("make the directory", path: path, code: code)
    }
    try makeDirectories(String(path[..<slash]), mode: mode)
    guard mkdir(path, mode) == 0 || errno == EEXIST else {
        throw FileSystemError("make the directory", path: path, code: errno)
    }
}
